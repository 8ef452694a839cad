"""How much a range set holds, by netaddr's set arithmetic."""

from __future__ import annotations

from bisect import bisect_right

from netaddr import IPAddress, IPRange, IPSet, cidr_merge

from ipam.model import IPV4, Address, Range, RangeSet


def addresses_of(rng: Range) -> IPSet:
    """What a range can hand out: its addresses without the gateway."""
    return IPSet(_span(rng.family, rng.start, rng.end)) - IPSet([_ip(rng.gateway)])


def capacity(range_set: RangeSet) -> int:
    """How many addresses a range set can hand out."""
    total = IPSet()
    for rng in range_set.ranges:
        total |= addresses_of(rng)
    return int(total.size)


def cidrs(family: int, spans: list[tuple[int, int]]) -> list[str]:
    """The fewest CIDRs that cover these spans (first, last) of a family exactly."""
    return [str(cidr) for cidr in cidr_merge([_span(family, first, last) for first, last in spans])]


def _span(family: int, first: int, last: int) -> IPRange:
    return IPRange(_ip(Address(family, first)), _ip(Address(family, last)))


def _ip(address: Address) -> IPAddress:
    return IPAddress(address.value, 4 if address.family == IPV4 else 6)


class Layout:
    """The range sets of a network, to ask which of them an address is in."""

    def __init__(self, range_sets: tuple[RangeSet, ...]) -> None:
        spans = sorted(
            ((rng.family, rng.start), (rng.family, rng.end), each.index, rng.gateway)
            for each in range_sets
            for rng in each.ranges
        )
        self._starts = [Address(*span[0]) for span in spans]
        self._spans = spans
        self.capacities = {each.index: capacity(each) for each in range_sets}

    def range_set_of(self, address: Address) -> int | None:
        """The index of the range set that hands `address` out, None where none does. A gateway is never handed out."""
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return None
        _start, end, index, gateway = self._spans[place]
        return index if address <= end and address != gateway else None
