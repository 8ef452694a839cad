"""historyKeep: old history goes by itself, by age and by size; no lease loses its claim, and the chain holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.directory import store
from ipam.errors import InvalidConfig
from ipam.keeping import parse
from ipam.model import Cause, Lease, StoreConfig
from ipam.registry import open_store
from ipam.store import Busy, Transaction
from ipam.testing.fixtures import NETWORK, ipv4, who
from tests.directory.test_proof import Written

KIB = 1 << 10


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """A store that looks whether to shorten its history every 4 KiB; each event is a second later than the last."""
    monkeypatch.setattr(store, "SEGMENT", 4 * KIB)
    written = Written(tmp_path / "networks")
    yield written
    written.close()


def keep(written: Written, seconds: float, size: int) -> None:
    """Open the store so that it keeps that much."""
    written.close()
    config = StoreConfig(f"file://{written.root}", keep=(seconds, size))
    written.use(open_store(config, written.host))


def turn_over(written: Written, rounds: int) -> None:
    """Containers that come and go, beside one that stays."""
    written.add("stays")
    for number in range(rounds):
        written.add(f"r{number}")
        written.delete(f"r{number}")


@pytest.mark.parametrize(("seconds", "size"), [(0, 32 * KIB), (200, 0), (300, 24 * KIB)])
def test_history_stays_within_its_limit(kept: Written, seconds: float, size: int) -> None:
    keep(kept, seconds, size)
    turn_over(kept, 400)
    verdict = kept.store.verify(NETWORK)
    assert verdict.problems == ()
    assert verdict.sealed > 300
    assert verdict.events + verdict.sealed == 801
    events = list(kept.store.history(NETWORK))
    assert next(event.lease.attachment.container_id for event in events if event.cause == "add") == "stays"
    data = kept.history.stat().st_blocks * 512
    if size:
        assert data <= size + 16 * KIB
    else:
        assert events[1].time > events[-1].time - 2 * seconds
    kept.delete("stays")
    assert list(kept.store.leases(NETWORK)) == []


def test_events_of_a_clock_that_was_ahead_go_with_the_others(kept: Written) -> None:
    for _ in range(100_000):
        kept.clock()  # by what an event's time is told: ahead by a day
    ahead = kept.clock
    turn_over(kept, 50)
    kept.clock = type(ahead)()
    keep(kept, 0, 16 * KIB)
    for number in range(200):
        kept.add(f"later-{number}")
        kept.delete(f"later-{number}")
    assert kept.store.verify(NETWORK).problems == ()
    assert kept.history.stat().st_blocks * 512 <= 32 * KIB


def test_shortening_is_left_to_who_can_wait(kept: Written) -> None:
    keep(kept, 0, 8 * KIB)
    kept.add("stays")

    def come_and_go() -> int:
        return kept.store.transact_now(NETWORK, lambda tx: _come_and_go(tx, kept))

    for _ in range(6):
        with pytest.raises(Busy):
            for _ in range(100):
                come_and_go()
        kept.store.transact(NETWORK, lambda tx: _come_and_go(tx, kept))
    verdict = kept.store.verify(NETWORK)
    assert (verdict.sealed > 0, verdict.problems) == (True, ())
    assert kept.history.stat().st_blocks * 512 <= 20 * KIB


def _come_and_go(tx: Transaction, kept: Written) -> int:
    lease = Lease(ipv4("10.0.0.9"), who("comes"), 0, since=kept.clock(), boot="b", node="node")
    tx.claim(lease, Cause.ADD)
    tx.drop(lease, Cause.DEL)
    return 1


def test_without_a_limit_all_of_it_stays(kept: Written) -> None:
    turn_over(kept, 100)
    assert (kept.store.verify(NETWORK).sealed, kept.store.verify(NETWORK).events) == (0, 201)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, (0.0, 0)),
        ({"days": 2}, (172_800.0, 0)),
        ({"Megabytes": 1.5}, (0.0, 1_572_864)),
        ({"days": 0.5, "megabytes": 8, "other": "x"}, (43_200.0, 8 << 20)),
        ({"days": None}, (0.0, 0)),
    ],
)
def test_limits_are_days_and_megabytes(value: object, expected: tuple[float, int]) -> None:
    assert parse(value) == expected


@pytest.mark.parametrize("value", [7, "90d", [], {"days": 0}, {"days": -1}, {"days": True}, {"megabytes": "8"},
                                   {"days": 1e9}])  # fmt: skip
def test_what_is_no_limit_is_refused(value: object) -> None:
    with pytest.raises(InvalidConfig, match="historyKeep"):
        parse(value)
