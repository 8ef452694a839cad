"""Contract: claiming and dropping, seen from inside and outside of a transaction."""

from __future__ import annotations

import pytest

from ipam.errors import AddressInUse
from ipam.model import IPV6, Address, Attachment, Cause, Lease, Pod
from ipam.store import Store, Transaction
from ipam.testing.fixtures import (
    BOOT,
    NETWORK,
    StoreTests,
    ipv4,
    small_range,
    who,
)


class LeaseContract(StoreTests):
    """A change is done as a whole or not at all."""

    def test_an_empty_store_has_no_networks_and_no_leases(self, store: Store) -> None:
        assert list(store.networks()) == []
        assert list(store.leases(NETWORK)) == []
        assert list(store.history(NETWORK)) == []

    def test_a_claimed_lease_is_there_with_all_that_was_recorded(self, store: Store) -> None:
        leases = self.add(store, "one")
        assert list(store.leases(NETWORK)) == leases
        (lease,) = leases
        assert lease.address == ipv4("10.0.0.2")
        assert lease.pod == Pod("default", "one", "uid-one")
        assert (lease.boot, lease.node, lease.range_set) == (BOOT, "node-a", 0)

    def test_the_network_of_a_lease_is_listed(self, store: Store) -> None:
        self.add(store, "one")
        assert list(store.networks()) == [NETWORK]

    def test_leases_come_in_address_order(self, store: Store) -> None:
        def claim(tx: Transaction) -> None:
            for text in ("10.0.0.10", "10.0.0.9", "10.0.0.100"):
                tx.claim(Lease(ipv4(text), who(text), 0), Cause.ADD)
            tx.claim(Lease(Address(IPV6, 5), who("six"), 1), Cause.ADD)

        store.transact(NETWORK, claim)
        found = [lease.address for lease in store.leases(NETWORK)]
        assert found == [ipv4("10.0.0.9"), ipv4("10.0.0.10"), ipv4("10.0.0.100"), Address(IPV6, 5)]
        assert found == [lease.address for lease in store.transact(NETWORK, lambda tx: list(tx.leases()))]

    def test_networks_do_not_see_each_other(self, store: Store) -> None:
        self.add(store, "one")
        other = Lease(ipv4("10.0.0.2"), who("two"), 0)
        store.transact("other", lambda tx: tx.claim(other, Cause.ADD))
        assert [lease.attachment for lease in store.leases(NETWORK)] == [who("one")]
        assert [lease.attachment for lease in store.leases("other")] == [who("two")]

    def test_a_leased_address_cannot_be_claimed(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        with pytest.raises(AddressInUse):
            store.transact(NETWORK, lambda tx: tx.claim(Lease(lease.address, who("two"), 0), Cause.ADD))
        assert list(store.leases(NETWORK)) == [lease]

    def test_an_exception_in_a_change_rolls_it_back_and_travels_on(self, store: Store) -> None:
        self.add(store, "one")

        def change(tx: Transaction) -> None:
            tx.claim(Lease(ipv4("10.0.0.7"), who("two"), 0), Cause.ADD)
            tx.drop(next(tx.leases()), Cause.DEL)
            raise LookupError("changed my mind")

        before = list(store.leases(NETWORK))
        with pytest.raises(LookupError, match="changed my mind"):
            store.transact(NETWORK, change)
        assert list(store.leases(NETWORK)) == before
        assert store.transact(NETWORK, lambda tx: tx.cursor(0)) == ipv4("10.0.0.2")

    def test_a_transaction_sees_its_own_claims_and_drops(self, store: Store) -> None:
        (kept,) = self.add(store, "one")

        def change(tx: Transaction) -> None:
            new = Lease(ipv4("10.0.0.3"), who("two"), 0)
            tx.claim(new, Cause.ADD)
            assert tx.holder(new.address) == new
            assert tx.held_by(who("two")) == [new]
            assert tx.cursor(0) == new.address
            assert tx.next_free(small_range(), kept.address.value) == ipv4("10.0.0.4").value
            tx.drop(kept, Cause.DEL)
            assert tx.holder(kept.address) is None
            assert tx.held_by(who("one")) == []
            assert tx.next_free(small_range(), ipv4("10.0.0.1").value) == kept.address.value
            assert list(tx.leases()) == [new]
            tx.drop(new, Cause.DEL)
            assert list(tx.leases()) == []

        store.transact(NETWORK, change)
        assert list(store.leases(NETWORK)) == []

    def test_an_address_can_be_dropped_and_claimed_again_in_one_change(self, store: Store) -> None:
        (old,) = self.add(store, "one")
        new = Lease(old.address, who("two"), 0, since=5.0)

        def change(tx: Transaction) -> None:
            tx.drop(old, Cause.DEL)
            tx.claim(new, Cause.ADD)

        store.transact(NETWORK, change)
        assert list(store.leases(NETWORK)) == [new]
        assert store.transact(NETWORK, lambda tx: tx.held_by(who("one"))) == []

    def test_dropping_an_absent_lease_is_no_error(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        self.delete(store, "one")
        store.transact(NETWORK, lambda tx: tx.drop(lease, Cause.DEL))
        assert list(store.leases(NETWORK)) == []

    def test_a_drop_leaves_the_lease_that_another_has_there_by_now(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        stranger = lease.replace(attachment=who("two"))
        store.transact(NETWORK, lambda tx: tx.drop(stranger, Cause.DEL))
        assert list(store.leases(NETWORK)) == [lease]

    def test_held_by_finds_records_of_the_container_alone_too(self, store: Store) -> None:
        old = Lease(ipv4("10.0.0.5"), Attachment("one", ""), None)
        own = Lease(ipv4("10.0.0.6"), who("one"), 0)

        def change(tx: Transaction) -> list[Lease]:
            tx.claim(old, Cause.FOUND)
            tx.claim(own, Cause.ADD)
            tx.claim(Lease(ipv4("10.0.0.7"), who("one", "eth1"), 0), Cause.ADD)
            return tx.held_by(who("one"))

        assert store.transact(NETWORK, change) == [old, own]
        assert store.transact(NETWORK, lambda tx: tx.held_by(who("one"))) == [old, own]
