"""Contract: taking over the leases and the history of another store."""

from __future__ import annotations

import pytest

from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Cause, Event, Lease, Pod
from ipam.store import Store, Trait
from ipam.testing.fixtures import NETWORK, StoreTests, ipv4, small_range, who

_LONG_AGO = 1_600_000_000.25


def _event(what: str, lease: Lease, cause: str, note: str = "") -> Event:
    return Event(_LONG_AGO, "elsewhen", NETWORK, what, lease, cause, note)


def _lease(last: int, name: str) -> Lease:
    pod = Pod("default", name, f"uid-{name}")
    return Lease(ipv4(f"10.0.0.{last}"), who(name), 0, pod, _LONG_AGO - 1, "a boot", "a node")


class ReplayContract(StoreTests):
    """For stores that promise it: events come in as they stand, and leases with them."""

    @pytest.fixture
    def target(self, store: Store) -> Store:
        """The store, where it promises that."""
        if Trait.REPLAY not in store.traits:
            pytest.skip("the store does not promise it")
        return store

    def test_events_are_replayed_as_they_stand(self, target: Store) -> None:
        old, new = _lease(5, "old"), _lease(6, "new")
        events = [
            _event(CLAIM, old, Cause.ADD),
            _event(DROP, old, Cause.RELEASE, "by root"),
            _event(CLAIM, new, Cause.FOUND),
        ]
        for event in events:
            target.transact(NETWORK, lambda tx, event=event: tx.replay(event, done=event.lease == new))  # type: ignore[misc]
        assert list(target.history(NETWORK)) == events
        assert list(target.leases(NETWORK)) == [new]
        assert target.transact(NETWORK, lambda tx: tx.held_by(who("new"))) == [new]
        assert target.transact(NETWORK, lambda tx: tx.next_free(small_range(), 167772164)) == 167772165
        assert target.transact(NETWORK, lambda tx: tx.next_free(small_range(), 167772165)) == 167772167

    def test_a_replayed_claim_leaves_the_cursor_alone(self, target: Store) -> None:
        target.transact(NETWORK, lambda tx: tx.replay(_event(CLAIM, _lease(5, "one"), Cause.ADD), done=True))
        assert target.transact(NETWORK, lambda tx: tx.cursor(0)) is None
        target.transact(NETWORK, lambda tx: tx.put_cursor(0, ipv4("10.0.0.9")))
        assert target.transact(NETWORK, lambda tx: tx.cursor(0)) == ipv4("10.0.0.9")
        (lease,) = self.add(target, "two")
        assert lease.address == ipv4("10.0.0.10")

    def test_a_replayed_drop_drops_what_its_attachment_holds(self, target: Store) -> None:
        one, other = _lease(5, "one"), _lease(5, "other")
        target.transact(NETWORK, lambda tx: tx.replay(_event(CLAIM, one, Cause.ADD), done=True))
        target.transact(NETWORK, lambda tx: tx.replay(_event(DROP, other, Cause.DEL), done=True))
        assert list(target.leases(NETWORK)) == [one]
        target.transact(NETWORK, lambda tx: tx.replay(_event(DROP, one, Cause.DEL), done=True))
        assert list(target.leases(NETWORK)) == []
        assert len(list(target.history(NETWORK))) == 3

    def test_a_claim_of_a_leased_address_cannot_be_done_again(self, target: Store) -> None:
        (lease,) = self.add(target, "one")
        with pytest.raises(AddressInUse):
            target.transact(
                NETWORK,
                lambda tx: tx.replay(
                    _event(CLAIM, lease.replace(attachment=who("two"), since=1.0), Cause.ADD), done=True
                ),
            )
        assert list(target.leases(NETWORK)) == [lease]

    def test_a_network_may_come_with_a_cursor_alone(self, target: Store) -> None:
        target.transact(NETWORK, lambda tx: tx.put_cursor(3, ipv4("10.0.0.9")))
        assert target.transact(NETWORK, lambda tx: tx.cursor(3)) == ipv4("10.0.0.9")
