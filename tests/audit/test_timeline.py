"""Who held an address when, and who else did at the time."""

import pytest

from ipam.audit.timeline import overlaps, tenures
from ipam.model import CLAIM, DROP, IPV4, Address, Attachment, Event, Lease

ADDRESS = Address(IPV4, 1)


def lease(since: float, name: str = "c") -> Lease:
    """A lease of that time."""
    return Lease(ADDRESS, Attachment(name, "eth0"), 0, since=since)


def event(what: str, time: float, since: float | None = None) -> Event:
    """A claim or drop at that time."""
    return Event(time, "b", "n", what, lease(time if since is None else since), "")


def test_an_interval_goes_from_claim_to_drop() -> None:
    found = tenures("n", [], [event(CLAIM, 10), event(DROP, 20, 10), event(CLAIM, 30), event(DROP, 35, 30)])
    assert [(each.begin, each.end) for each in found] == [(10, 20), (30, 35)]


def test_what_is_still_held_has_no_end() -> None:
    found = tenures("n", [lease(30)], [event(CLAIM, 10), event(DROP, 20, 10), event(CLAIM, 30)])
    assert [(each.begin, each.end) for each in found] == [(10, 20), (30, None)]


def test_a_drop_whose_claim_was_forgotten_knows_when_it_began() -> None:
    assert [(each.begin, each.end) for each in tenures("n", [], [event(DROP, 20, 5)])] == [(5, 20)]


def test_a_claim_whose_drop_is_missing_ended_with_the_next() -> None:
    found = tenures("n", [], [event(CLAIM, 10), event(CLAIM, 30), event(DROP, 40, 30)])
    assert [(each.begin, each.end) for each in found] == [(10, 30), (30, 40)]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ((10, 20), (15, 30), [(15, 20)]),
        ((10, 20), (20, 30), []),
        ((10, 20), (19, 30), []),  # clocks differ by that much
        ((10, None), (15, 30), [(15, 30)]),
        ((10, None), (15, None), [(15, None)]),
        ((10, 12), (15, None), []),
        ((10, 50), (20, 30), [(20, 30)]),
    ],
)
def test_two_nodes_overlap(
    one: tuple[float, float | None], other: tuple[float, float | None], found: list[tuple[float, float | None]]
) -> None:
    every = []
    for node, (begin, end) in (("a", one), ("b", other)):
        told = [event(CLAIM, begin), *([event(DROP, end, begin)] if end is not None else [])]
        every += tenures(node, [lease(begin)] if end is None else [], told)
    assert [(each.begin, each.end) for each in overlaps(every, tolerance=2)] == found
    assert [(each.begin, each.end) for each in overlaps(reversed(every), tolerance=2)] == found


def test_one_node_never_overlaps_with_itself() -> None:
    assert not list(overlaps(tenures("a", [lease(10), lease(12)], []), tolerance=2))
