"""How full range sets are, how fast they fill, and when they will be full."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from ipam.model import CLAIM, Address, Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ipam.model import Event, Network, RangeSet

HOUR, DAY = 3600.0, 86400.0


class Usage(NamedTuple):
    """The addresses of one range set by their state, which add up to `size`.

    `size` counts what can be leased at all: all addresses of the ranges but for their gateways.
    """

    range_set: RangeSet
    size: int
    leased: int
    resting: int

    @property
    def free(self) -> int:
        """Addresses that an ADD gets at once. (When there are none left, it gets one that rests.)"""
        return self.size - self.leased - self.resting

    @property
    def share(self) -> float:
        """The part that is leased, from 0 to 1."""
        return self.leased / self.size if self.size else 1.0


class Trend(NamedTuple):
    """What history tells of a span of time (seconds) that ends now: how many claims and drops there were in it."""

    claims: int
    drops: int
    span: float

    @property
    def growth(self) -> int:
        """How many leases more there are than at its beginning; fewer, below 0."""
        return self.claims - self.drops


def usage(network: Network, leased: Sequence[Address], resting: Sequence[Address]) -> list[Usage]:
    """The usage of each range set; `leased` and `resting` are in address order."""
    return [
        Usage(
            range_set,
            size(range_set),
            _count(range_set, leased),
            _count(range_set, resting),
        )
        for range_set in network.range_sets
    ]


def size(range_set: RangeSet) -> int:
    """How many leases a range set can hold: a range's own gateway is never leased."""
    return sum(rng.end - rng.start + 1 - (rng.gateway in rng) for rng in range_set.ranges)


def _count(range_set: RangeSet, addresses: Sequence[Address]) -> int:
    count = 0
    for rng in range_set.ranges:
        first, last = Address(rng.family, rng.start), Address(rng.family, rng.end)
        count += bisect_right(addresses, last) - bisect_left(addresses, first)
    return count


def trends(network: Network, events: Iterable[Event], now: float, spans: Sequence[float]) -> list[list[Trend]]:
    """For each range set its trend over each span (seconds). `events` are those of the longest span at least."""
    counts = [[[0, 0] for _ in spans] for _ in network.range_sets]
    for event in events:
        moment = event.lease.since if event.cause == Cause.FOUND and event.lease.since else event.time
        for number, range_set in enumerate(network.range_sets):
            if range_set.range_of(event.lease.address):
                for place, span in enumerate(spans):
                    if moment >= now - span:
                        counts[number][place][event.what != CLAIM] += 1
    return [[Trend(claims, drops, span) for (claims, drops), span in zip(row, spans, strict=True)] for row in counts]


def exhausted_in(free: int, found: Sequence[Trend]) -> float | None:
    """Seconds until nothing is free at the fastest of those rates; None where none of them grows."""
    if not free:
        return 0.0
    rate = max((trend.growth / trend.span for trend in found), default=0.0)
    return free / rate if rate > 0 else None
