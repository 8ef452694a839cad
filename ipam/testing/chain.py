"""Contract: the chain of digests that holds history together, for stores that keep one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from ipam import chain
from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Cause, Event, Lease, Pod
from ipam.store import NEVER, Store, Trait, Transaction
from ipam.testing.fixtures import NETWORK, StoreTests, ipv4, who

_ODD = 'a\0b\udcff"\\\n\x1b[31m\N{GHOST}\u2028\U0010fffd'
"""Text that does not fit everywhere."""
_OTHER = chain.text(bytes(range(32))).decode()


def _end(events: Iterable[Event], link: bytes = chain.START) -> str:
    """The link of the last of some events, as verify() tells it."""
    for event in events:
        link = chain.link(link, chain.body(event))
    return chain.text(link).decode()


def _changes(tx: Transaction) -> None:
    """Several events in one change."""
    for number in range(5, 10):
        lease = Lease(ipv4(f"10.0.0.{number}"), who(f"c{number}"), 0, Pod("default", _ODD, "uid"), 1.5, "boot", "node")
        tx.claim(lease, Cause.ADD, _ODD)
        if number % 2:
            tx.drop(lease, Cause.DEL)


class ChainContract(StoreTests):
    """What verify() tells of a history that nobody touched: that, and where it ends."""

    @pytest.fixture
    def chained(self, store: Store) -> Store:
        """The store, where it keeps a chain."""
        if Trait.CHAINED not in store.traits:
            pytest.skip("the store keeps no chain")
        return store

    def test_every_event_is_a_link_and_the_last_is_told(self, chained: Store) -> None:
        for name in ("one", "two"):
            self.add(chained, name)
        self.delete(chained, "one")
        chained.transact(NETWORK, _changes)
        verdict = chained.verify(NETWORK)
        assert (verdict.events, verdict.links, verdict.sealed, verdict.problems) == (11, 11, 0, ())
        assert verdict.last == _end(chained.history(NETWORK))

    def test_a_network_without_history_has_no_chain(self, chained: Store) -> None:
        verdict = chained.verify("nothing")
        assert (verdict.events, verdict.links, verdict.sealed, verdict.last, verdict.problems) == (0, 0, 0, "", ())

    def test_networks_have_chains_of_their_own(self, chained: Store) -> None:
        for network in ("other", NETWORK, "other"):
            chained.transact(network, _changes if network == NETWORK else lambda tx: tx.begin_boot("node", "boot"))
        self.add(chained, "one")
        assert chained.verify("other").events == 0
        chained.transact("other", _changes)
        for network in ("other", NETWORK):
            assert (chained.verify(network).last, chained.verify(network).problems) == (
                _end(chained.history(network)),
                (),
            )

    def test_a_failed_change_adds_no_link(self, chained: Store) -> None:
        (lease,) = self.add(chained, "one")
        before = chained.verify(NETWORK)

        def fail(tx: Transaction) -> None:
            _changes(tx)
            tx.claim(Lease(lease.address, who("two"), 0), Cause.ADD)

        with pytest.raises(AddressInUse):
            chained.transact(NETWORK, fail)
        assert chained.verify(NETWORK) == before
        self.add(chained, "three")
        assert chained.verify(NETWORK).problems == ()

    def test_the_chain_goes_on_after_reopening(self, chained: Store, reopen: Callable[..., Store]) -> None:
        if Trait.DURABLE not in chained.traits:
            pytest.skip("nothing of the store is there after reopening")
        self.add(chained, "one")
        chained.close()
        again = reopen()
        self.add(again, "two")
        verdict = again.verify(NETWORK)
        assert (verdict.links, verdict.last, verdict.problems) == (2, _end(again.history(NETWORK)), ())

    def test_what_an_earlier_verdict_told_is_still_there(self, chained: Store) -> None:
        self.add(chained, "one")
        first = chained.verify(NETWORK)
        chained.transact(NETWORK, _changes)
        for verdict in (first, chained.verify(NETWORK)):
            assert chained.verify(NETWORK, (verdict.events, verdict.last)).problems == ()

    def test_what_an_earlier_verdict_told_of_another_history_is_not_there(self, chained: Store) -> None:
        self.add(chained, "one")
        (problem,) = chained.verify(NETWORK, (1, _OTHER)).problems
        assert (problem.number, "is not in it" in problem.why) == (1, True)
        (problem,) = chained.verify("nothing", (3, _OTHER)).problems
        assert problem.number == 3

    def test_the_same_events_have_the_same_links_whatever_store_they_come_from(self, chained: Store) -> None:
        if Trait.REPLAY not in chained.traits:
            pytest.skip("the store does not promise it")
        lease = Lease(ipv4("10.0.0.5"), who("old"), None, Pod("ns", _ODD, ""), 1_600_000_000.25, "a boot", "a node")
        events = [
            Event(1_600_000_000.25, "a boot", NETWORK, CLAIM, lease, Cause.ADD),
            Event(1_600_000_001.1, "next boot", NETWORK, DROP, lease, Cause.REBOOT, _ODD),
        ]
        for event in events:
            chained.transact(NETWORK, lambda tx, event=event: tx.replay(event, done=False))  # type: ignore[misc]
        verdict = chained.verify(NETWORK, (2, _end(events)))
        assert (verdict.last, verdict.problems) == (_end(events), ())

    def test_forgetting_leaves_a_chain_that_begins_behind_what_is_gone(self, chained: Store) -> None:
        (held,) = self.add(chained, "held")
        chained.transact(NETWORK, _changes)
        self.delete(chained, "c6")
        events = list(chained.history(NETWORK))
        seen = chained.verify(NETWORK)
        assert chained.whole_since(NETWORK) == 0
        gone = chained.forget(NETWORK, events[5].time)
        assert chained.whole_since(NETWORK) == events[5].time
        verdict = chained.verify(NETWORK, (seen.events, seen.last))
        assert (verdict.sealed, verdict.events, verdict.problems) == (gone, len(events) - gone, ())
        assert (verdict.last, verdict.links) == (seen.last, len(events) - 5)
        assert next(iter(chained.history(NETWORK))).lease == held
        self.add(chained, "next")
        assert chained.whole_since(NETWORK) == events[5].time
        assert chained.verify(NETWORK, (seen.events, seen.last)).problems == ()

    def test_forgetting_everything_again_and_again_keeps_the_chain(self, chained: Store) -> None:
        told = []
        for turn in range(5):
            self.add(chained, f"stays{turn}")
            self.add(chained, f"goes{turn}")
            self.delete(chained, f"goes{turn}")
            if turn == 3:
                self.delete(chained, "stays1")
            told.append(chained.verify(NETWORK))
            assert chained.forget(NETWORK, before=2e9) == (4 if turn == 3 else 2)
            assert chained.whole_since(NETWORK) == NEVER
            verdict = chained.verify(NETWORK)
            assert (verdict.last, verdict.links, verdict.problems) == (told[-1].last, 0, ())
            assert verdict.events == len(list(chained.leases(NETWORK)))
        assert verdict.sealed + verdict.events == 16
        for number, each in enumerate(told):
            assert chained.verify(NETWORK, (each.sealed + each.events, each.last)).problems == (), number

    def test_forgetting_nothing_changes_nothing(self, chained: Store) -> None:
        self.add(chained, "one")
        before = chained.verify(NETWORK)
        assert chained.forget(NETWORK, before=2e9) == 0
        assert chained.forget(NETWORK, before=0.0) == 0
        assert chained.verify(NETWORK) == before
