"""Contract: what history tells."""

from __future__ import annotations

import pytest

from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Cause, Lease
from ipam.store import Store, Trait
from ipam.testing.fixtures import (
    NETWORK,
    StoreTests,
    ipv4,
    who,
)


class HistoryContract(StoreTests):
    """Every claim and drop is told of, for stores that promise it."""

    def test_history_tells_of_every_claim_and_drop_in_order(self, store: Store) -> None:
        if Trait.HISTORY not in store.traits:
            pytest.skip("the store does not promise it")
        (one,), (two,) = self.add(store, "one"), self.add(store, "two")
        self.delete(store, "one")
        events = list(store.history(NETWORK))
        assert [(event.what, event.lease, event.cause) for event in events] == [
            (CLAIM, one, Cause.ADD),
            (CLAIM, two, Cause.ADD),
            (DROP, one, Cause.DEL),
        ]
        assert {event.network for event in events} == {NETWORK}
        assert [event.time for event in events] == sorted(event.time for event in events)
        assert list(store.history(NETWORK, who=who("one"))) == [events[0], events[2]]
        assert list(store.history(NETWORK, address=two.address)) == [events[1]]
        assert list(store.history(NETWORK, since=events[1].time)) == events[1:]

    def test_history_keeps_the_notes_of_operators(self, store: Store) -> None:
        if Trait.HISTORY not in store.traits:
            pytest.skip("the store does not promise it")
        lease = Lease(ipv4("10.0.0.5"), who("one"), 0)
        store.transact(NETWORK, lambda tx: tx.drop(lease, Cause.RELEASE, "nothing was there"))
        store.transact(NETWORK, lambda tx: tx.claim(lease, Cause.RESTORE, "by root: it is alive \N{GHOST}"))
        store.transact(NETWORK, lambda tx: tx.drop(lease, Cause.RELEASE, 'by "root"\nand\x1b[31m others'))
        assert [(event.cause, event.note) for event in store.history(NETWORK)] == [
            (Cause.RESTORE, "by root: it is alive \N{GHOST}"),
            (Cause.RELEASE, 'by "root"\nand\x1b[31m others'),
        ]

    def test_a_failed_change_leaves_no_history(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        before = list(store.history(NETWORK))
        with pytest.raises(AddressInUse):
            store.transact(NETWORK, lambda tx: tx.claim(Lease(lease.address, who("two"), 0), Cause.ADD))
        assert list(store.history(NETWORK)) == before

    def test_forgetting_keeps_the_claims_of_leases_still_held(self, store: Store) -> None:
        if Trait.HISTORY not in store.traits:
            pytest.skip("the store does not promise it")
        (one,), (two,) = self.add(store, "one"), self.add(store, "two")
        self.delete(store, "one")
        (last,) = self.add(store, "three")
        assert store.forget(NETWORK, before=2e9) == 2
        assert [event.lease for event in store.history(NETWORK)] == [two, last]
        assert list(store.leases(NETWORK)) == [two, last]
        self.delete(store, "two")
        assert one.address not in [lease.address for lease in store.leases(NETWORK)]
        assert next(iter(store.history(NETWORK, who=who("two")))).lease == two
