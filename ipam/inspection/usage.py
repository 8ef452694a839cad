"""How full range sets are, how fast they fill, and when they will be full."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import NamedTuple

from ipam.model import CLAIM, Address, Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ipam.model import Event, Lease, Network, RangeSet

HOUR, DAY = SPANS = 3600.0, 86400.0


class Usage(NamedTuple):
    """The addresses of one range set by their state, which add up to `size`.

    `size` counts what can be leased at all: all addresses of the ranges but for their gateways.
    """

    range_set: RangeSet
    size: int
    leased: int
    resting: int
    unusable: int = 0

    @property
    def free(self) -> int:
        """Addresses that an ADD gets at once. (When there are none left, it gets one that rests.)"""
        return self.size - self.leased - self.resting - self.unusable

    @property
    def left(self) -> int:
        """Addresses that an ADD could still get: free ones, and at last those that rest."""
        return self.size - self.leased - self.unusable

    @property
    def share(self) -> float:
        """The part that is leased, from 0 to 1."""
        return self.leased / self.size if self.size else 1.0


class Growth:
    """How many leases more each range set has than an hour and a day before a moment, by what history tells."""

    def __init__(self) -> None:
        self._grown: dict[float, Counter[int | None]] = {span: Counter() for span in SPANS}
        self._age = 0.0

    def take(self, event: Event, range_set: int | None, now: float) -> None:
        """Count an event on an address of that range set."""
        moment = event.lease.since if event.cause == Cause.FOUND and event.lease.since else event.time
        self.note(moment, now)
        for span, grown in self._grown.items():
            if moment >= now - span:
                grown[range_set] += 1 if event.what == CLAIM else -1

    def note(self, moment: float, now: float) -> None:
        """Note that there was the network at that moment already: no rate is that of a day before its first one."""
        if moment:
            self._age = max(self._age, now - moment)

    def of(self, range_set: int | None) -> tuple[int, ...]:
        """Of each of SPANS, fewer being below 0."""
        return tuple(grown[range_set] for grown in self._grown.values())

    def exhausted_in(self, range_set: int | None, left: int) -> float | None:
        """Seconds until `left` addresses are gone, at the faster of the two rates; None where none of them grows."""
        if left <= 0:
            return 0.0
        spans = (HOUR, min(DAY, max(HOUR, self._age)))
        rate = max(grown / span for grown, span in zip(self.of(range_set), spans, strict=True))
        return left / rate if rate > 0 else None


def usage(
    network: Network, leased: Sequence[Address], resting: Sequence[Address], unusable: Sequence[Address] = ()
) -> list[Usage]:
    """The usage of each range set; the addresses of each state are in order (see Store.unusable)."""
    return [
        Usage(range_set, size(range_set), *[_count(range_set, each) for each in (leased, resting, unusable)])
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
        gateway = bisect_left(addresses, rng.gateway)  # of no use to anybody, whatever became of it
        count -= rng.gateway in rng and addresses[gateway : gateway + 1] == [rng.gateway]
    return count


def growth(network: Network, leases: Iterable[Lease], events: Iterable[Event], now: float) -> Growth:
    """Of a network's range sets. `events` are those of the last day at least."""
    found = Growth()
    for lease in leases:
        found.note(lease.since, now)
    for event in events:
        for range_set in network.range_sets:
            if range_set.range_of(event.lease.address):
                found.take(event, range_set.index, now)
    return found
