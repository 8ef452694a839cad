"""Contract: finding free addresses."""

from __future__ import annotations

import pytest

from ipam.errors import CniError, Exhausted
from ipam.model import IPV4, IPV6, Address, Cause, Lease
from ipam.store import Store, Transaction
from ipam.testing.fixtures import (
    NETWORK,
    StoreTests,
    huge_range,
    ipv4,
    small_range,
    who,
)


class AddressContract(StoreTests):
    """The next free address is found without a search."""

    def test_next_free_finds_the_one_hole_in_a_full_range(self, store: Store) -> None:
        rng = small_range(200)

        def fill(tx: Transaction) -> None:
            for value in range(rng.start, rng.end + 1):
                if value != rng.start + 150:
                    tx.claim(Lease(Address(IPV4, value), who(f"c{value}"), 0), Cause.ADD)

        store.transact(NETWORK, fill)
        assert store.transact(NETWORK, lambda tx: tx.next_free(rng, None)) == rng.start + 150
        assert store.transact(NETWORK, lambda tx: tx.next_free(rng, rng.start + 150)) is None

    def test_next_free_stays_within_the_range(self, store: Store) -> None:
        def ask(tx: Transaction) -> list[int | None]:
            rng = small_range(3)
            return [tx.next_free(rng, after) for after in (None, rng.start, rng.end - 1, rng.end)]

        base = ipv4("10.0.0.0").value
        assert store.transact(NETWORK, ask) == [base + 1, base + 2, base + 3, None]

    def test_a_slash_64_is_not_enumerated(self, store: Store) -> None:
        rng = huge_range()
        edge = rng.start + (1 << 40)

        def claim(tx: Transaction) -> list[int | None]:
            for value in (rng.start, edge, edge + 1):
                tx.claim(Lease(Address(IPV6, value), who(f"c{value:x}"), 0), Cause.ADD)
            return [tx.next_free(rng, after) for after in (None, edge - 1, rng.end - 1)]

        expected = [rng.start + 1, edge + 2, rng.end]
        assert store.transact(NETWORK, claim) == expected
        again = [None, edge - 1, rng.end - 1]
        assert store.transact(NETWORK, lambda tx: [tx.next_free(rng, after) for after in again]) == expected

    def test_round_robin_goes_on_after_a_release(self, store: Store) -> None:
        for name in ("one", "two"):
            self.add(store, name)
        self.delete(store, "one")
        (lease,) = self.add(store, "three")
        assert lease.address == ipv4("10.0.0.4")

    def test_the_cursors_are_told_to_who_only_looks(self, store: Store) -> None:
        assert store.cursors(NETWORK) == {}
        one, other = self.add(store, "one", small_range(), huge_range())
        assert store.cursors(NETWORK) == {0: one.address, 1: other.address}
        self.delete(store, "one")
        assert store.cursors(NETWORK) == {0: one.address, 1: other.address}
        assert store.cursors("other") == {}

    def test_an_exhausted_range_leaves_the_other_range_set_untouched(self, store: Store) -> None:
        tiny, big = small_range(2), huge_range()
        self.add(store, "one", tiny, big)
        with pytest.raises(Exhausted):
            self.add(store, "two", tiny, big)
        assert {lease.attachment for lease in store.leases(NETWORK)} == {who("one")}
        assert len(list(store.leases(NETWORK))) == 2

    def test_only_errors_of_the_taxonomy_come_out(self, store: Store) -> None:
        with pytest.raises(CniError):
            self.add(store, "one", small_range(1))
