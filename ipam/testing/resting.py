"""Contract: addresses that rest after a drop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipam.errors import Exhausted
from ipam.model import Cause, Lease
from ipam.store import Store, Trait, Transaction
from ipam.testing.fixtures import NETWORK, StoreTests, Ticking, ipv4, small_range, who

REST = 1000.0


class RestContract(StoreTests):
    """For as long as an address rests, others are preferred."""

    @pytest.fixture
    def rested(self, store: Store) -> Lease:
        """The lease of 10.0.0.2, which was dropped, and rests."""
        lease = Lease(ipv4("10.0.0.2"), who("one"), None)
        store.transact(NETWORK, lambda tx: tx.claim(lease, Cause.FOUND))
        store.transact(NETWORK, lambda tx: tx.drop(lease, Cause.RELEASE, rest=REST))
        return lease

    @staticmethod
    def next_free(store: Store, *, resting: bool = False) -> int | None:
        """The next free address above 10.0.0.1, by its last number."""
        first = small_range().start
        found = store.transact(NETWORK, lambda tx: tx.next_free(small_range(), first, resting=resting))
        return None if found is None else found - first + 1

    def test_an_address_that_rests_is_passed_over_until_its_time_is_over(
        self, store: Store, rested: Lease, clock: Ticking
    ) -> None:
        assert list(store.leases(NETWORK)) == []
        ((address, until),) = store.resting(NETWORK)
        assert (address, 0 < until - clock.now <= REST) == (rested.address, True)
        assert self.next_free(store) == 3
        assert self.next_free(store, resting=True) == 2
        clock.now += REST
        assert self.next_free(store) == 2
        assert list(store.resting(NETWORK)) == []

    def test_nothing_rests_without_a_drop_that_says_so(self, store: Store) -> None:
        assert list(store.resting(NETWORK)) == []
        lease = Lease(ipv4("10.0.0.2"), who("one"), None)
        store.transact(NETWORK, lambda tx: tx.drop(lease, Cause.RELEASE, rest=REST))
        self.add(store, "one")
        self.delete(store, "one")
        assert list(store.resting(NETWORK)) == []
        assert self.next_free(store) == 2

    def test_an_address_that_rests_can_be_claimed_and_does_not_rest_any_longer(
        self, store: Store, rested: Lease
    ) -> None:
        store.transact(NETWORK, lambda tx: tx.claim(rested, Cause.RESTORE))
        assert list(store.leases(NETWORK)) == [rested]
        assert list(store.resting(NETWORK)) == []
        store.transact(NETWORK, lambda tx: tx.drop(rested, Cause.DEL))
        assert self.next_free(store) == 2

    def test_what_rests_is_told_in_address_order(self, store: Store) -> None:
        leases = [Lease(ipv4(text), who(text), None) for text in ("10.0.0.10", "10.0.0.9", "10.0.0.100")]
        for lease in leases:
            store.transact(NETWORK, lambda tx, lease=lease: tx.claim(lease, Cause.FOUND))  # type: ignore[misc]
        for lease in leases:
            store.transact(NETWORK, lambda tx, lease=lease: tx.drop(lease, Cause.GC, rest=REST))  # type: ignore[misc]
        assert [address for address, _ in store.resting(NETWORK)] == sorted(lease.address for lease in leases)

    def test_a_transaction_sees_the_rest_that_it_began(self, store: Store) -> None:
        lease = Lease(ipv4("10.0.0.2"), who("one"), None)
        store.transact(NETWORK, lambda tx: tx.claim(lease, Cause.FOUND))

        def change(tx: Transaction) -> list[int | None]:
            tx.drop(lease, Cause.RELEASE, rest=REST)
            rng = small_range()
            return [tx.next_free(rng, rng.start), tx.next_free(rng, rng.start, resting=True)]

        assert store.transact(NETWORK, change) == [ipv4("10.0.0.3").value, ipv4("10.0.0.2").value]

    def test_a_failed_change_lets_nothing_rest(self, store: Store) -> None:
        lease = Lease(ipv4("10.0.0.2"), who("one"), None)
        store.transact(NETWORK, lambda tx: tx.claim(lease, Cause.FOUND))

        def change(tx: Transaction) -> None:
            tx.drop(lease, Cause.RELEASE, rest=REST)
            raise LookupError("changed my mind")

        with pytest.raises(LookupError):
            store.transact(NETWORK, change)
        assert (list(store.leases(NETWORK)), list(store.resting(NETWORK))) == ([lease], [])

    def test_an_address_that_rests_is_better_than_none(self, store: Store, rested: Lease) -> None:
        tiny = small_range(3)
        assert [lease.address for lease in self.add(store, "two", tiny)] == [ipv4("10.0.0.3")]
        assert [lease.address for lease in self.add(store, "three", tiny)] == [rested.address]
        with pytest.raises(Exhausted):
            self.add(store, "four", tiny)

    def test_networks_do_not_see_each_others_rests(self, store: Store, rested: Lease) -> None:
        assert list(store.resting("other")) == []
        store.transact("other", lambda tx: tx.claim(rested, Cause.ADD))
        assert [address for address, _ in store.resting(NETWORK)] == [rested.address]

    def test_what_rests_is_there_after_reopening(
        self, store: Store, rested: Lease, reopen: Callable[..., Store]
    ) -> None:
        if Trait.DURABLE not in store.traits:
            pytest.skip("the store does not promise it")
        before = list(store.resting(NETWORK))
        store.close()
        again = reopen()
        assert [address for address, _ in before] == [rested.address]
        assert list(again.resting(NETWORK)) == before
        assert self.next_free(again) == 3
