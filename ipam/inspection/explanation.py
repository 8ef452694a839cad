"""What an ADD would answer now, and why: the real allocator, run on a snapshot."""

from __future__ import annotations

from typing import NamedTuple

from ipam.address import format_address
from ipam.allocator import allocate, holder_text, reclaim_after_reboot, round_robin
from ipam.errors import CniError
from ipam.inspection.preview import Preview
from ipam.inspection.times import format_moment
from ipam.model import NO_POD, Address, Attachment, Lease
from ipam.store import Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.model import Host, Network, RangeSet
    from ipam.store import Store

NOBODY = Attachment("", "")
"""What holds an address that something keeps that is no lease (see Transaction.holder)."""


class Skipped(NamedTuple):
    """An address that would be passed over, and why."""

    range_set: int
    address: Address
    why: str


class Explanation(NamedTuple):
    """The leases that ADD would answer with, or its error; what it would pass over, and reclaim first."""

    leases: list[Lease]
    error: CniError | None
    skipped: list[Skipped]
    reclaimed: list[Lease]
    cursors: dict[int, Address]


def explain(store: Store, network: Network, who: Attachment, host: Host) -> Explanation:
    """Run ADD's decisions for `who`, with all that the store knows at this moment. Changes nothing."""
    blocked = [Lease(address, NOBODY, None) for address in store.unusable(network.name)]
    leases = [*store.leases(network.name), *blocked]
    preview = Preview(leases, store.resting(network.name), store.cursors(network.name))
    before = list(preview.leases())
    reclaim_after_reboot(preview, host, shared=Trait.MULTI_HOST in store.traits)
    left = list(preview.leases())
    reclaimed = [lease for lease in before if preview.holder(lease.address) is None]
    cursors = {each.index: at for each in network.range_sets if (at := preview.cursor(each.index)) is not None}
    view = Preview(left, preview.resting.items(), cursors)
    try:
        got = allocate(preview, network, who, NO_POD, host)
    except CniError as error:
        return Explanation([], error, [], reclaimed, cursors)
    skipped = [
        each
        for lease, range_set in zip(got, network.range_sets, strict=True)
        if lease.address not in network.requested
        for each in _skipped(view, range_set, lease.address)
    ]
    return Explanation(got, None, skipped, reclaimed, cursors)


def _skipped(view: Preview, range_set: RangeSet, chosen: Address) -> Iterator[Skipped]:
    """What lies between the cursor and the chosen address, on the way that the round robin takes."""
    for rng, after in round_robin(range_set, view.cursor(range_set.index)):
        first = rng.start if after is None else max(after + 1, rng.start)
        here = chosen in rng and chosen.value >= first
        for value in range(first, chosen.value if here else rng.end + 1):
            address = Address(rng.family, value)
            yield Skipped(range_set.index, address, _why(view, address, gateway=address == rng.gateway))
        if here:
            return


def _why(view: Preview, address: Address, *, gateway: bool) -> str:
    if gateway:
        return "is the gateway"
    holder = view.holder(address)
    if holder is not None:
        return f"is leased to {holder_text(holder)}"
    return f"rests until {format_moment(view.resting[address])}"


def in_words(skipped: list[Skipped], most: int) -> Iterator[str]:
    """The first of them in words, and how many more there are."""
    for each in skipped[:most]:
        yield f"{format_address(each.address)} {each.why}"
    if len(skipped) > most:
        yield f"and {len(skipped) - most} more"
