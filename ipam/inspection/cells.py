"""A range as a picture: one cell for an address or for a block of them, each with one state."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from ipam.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipam.model import Range

FREE, SOME, HALF, FULL, RESTING, UNUSABLE, GATEWAY = ".", "o", "O", "#", "r", "x", "G"
LEGEND = {
    FREE: "free",
    SOME: "some leased",
    HALF: "half and more",
    FULL: "leased",
    RESTING: "resting",
    UNUSABLE: "unusable",
    GATEWAY: "gateway",
}
"""What each state is called, in the order of a legend."""

_MOST_CELLS = 1024


class Picture(NamedTuple):
    """The cells of a range from its start; each stands for `block` addresses, the last maybe for fewer.

    `shown` is how many addresses are drawn: of a huge range only the part up to the last one that is in use.
    """

    block: int
    cells: str
    shown: int


def picture(
    rng: Range, leased: Sequence[Address], resting: Sequence[Address], unusable: Sequence[Address] = ()
) -> Picture:
    """Draw a range; the addresses of each state are in order, and may be of other ranges (see Store.unusable)."""
    taken, rested, kept = _values(rng, leased), _values(rng, resting), _values(rng, unusable)
    size = rng.end - rng.start + 1
    used = max([*taken[-1:], *rested[-1:], *kept[-1:], rng.start]) - rng.start + 1
    shown = size if size <= _MOST_CELLS * _MOST_CELLS else min(size, max(_MOST_CELLS, 1 << used.bit_length()))
    block = 1
    while block * _MOST_CELLS < shown:
        block *= 2
    gateway = rng.gateway.value if rng.gateway in rng else None
    cells = []
    for first in range(rng.start, rng.start + shown, block):
        last = min(first + block, rng.start + shown) - 1
        cells.append(_state(first, last, taken, rested, kept, gateway))
    return Picture(block, "".join(cells), shown)


def _state(first: int, last: int, taken: list[int], rested: list[int], kept: list[int], gateway: int | None) -> str:
    count = _within(taken, first, last)
    room = last - first + 1
    if count:
        return FULL if count >= room else HALF if count * 2 >= room else SOME
    if room == 1 and first == gateway:
        return GATEWAY
    return RESTING if _within(rested, first, last) else UNUSABLE if _within(kept, first, last) else FREE


def _within(values: list[int], first: int, last: int) -> int:
    return bisect_left(values, last + 1) - bisect_left(values, first)


def _values(rng: Range, addresses: Sequence[Address]) -> list[int]:
    first = bisect_left(addresses, Address(rng.family, rng.start))
    last = bisect_left(addresses, Address(rng.family, rng.end + 1))
    return [address.value for address in addresses[first:last]]
