"""Who held an address when: intervals from events and leases, and where they overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ipam.model import CLAIM, Event, Lease


class Tenure(NamedTuple):
    """`lease` held its address on `node` from `begin` to `end` (seconds since the epoch), None: it still does."""

    node: str
    lease: Lease
    begin: float
    end: float | None


class Overlap(NamedTuple):
    """Two tenures of one address on two nodes, and when they were at once; `end` None: they still are."""

    one: Tenure
    other: Tenure
    begin: float
    end: float | None


def tenures(node: str, held: Iterable[Lease], events: Iterable[Event]) -> list[Tenure]:
    """The tenures of one address on one node: `held` now, and those that its events, oldest first, tell of."""
    past: list[Tenure] = []
    begun: Event | None = None
    for event in events:
        if event.what == CLAIM:
            if begun is not None:  # its end was never written: it ended by now
                past.append(Tenure(node, begun.lease, begun.time, event.time))
            begun = event
        else:
            begin = begun.time if begun is not None else min(event.lease.since, event.time)
            past.append(Tenure(node, event.lease, begin, event.time))
            begun = None
    return past + [Tenure(node, lease, lease.since, None) for lease in held]


def overlaps(all_tenures: Iterable[Tenure], tolerance: float) -> Iterator[Overlap]:
    """Those of two nodes that last longer than `tolerance` seconds: clocks are never quite the same."""
    running: list[Tenure] = []
    for other in sorted(all_tenures, key=lambda each: (each.begin, each.node)):
        running = [one for one in running if one.end is None or one.end > other.begin]
        for one in running:
            ends = [each.end for each in (one, other) if each.end is not None]
            end = min(ends) if ends else None
            if one.node != other.node and (end is None or end - other.begin > tolerance):
                yield Overlap(one, other, other.begin, end)
        running.append(other)
