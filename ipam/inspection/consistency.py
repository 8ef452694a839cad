"""What is wrong with the leases of a network, told from the leases and the config alone."""

from __future__ import annotations

from ipam.address import format_address
from ipam.allocator import holder_text, set_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.model import Address, Attachment, Lease, Network
    from ipam.store import Finding


def findings(leases: Iterable[Lease], network: Network | None) -> Iterator[Finding]:
    """See the codes; without a `network`, whose ranges are not known, only what needs no ranges."""
    held: dict[tuple[Attachment, int], list[Address]] = {}
    for lease in leases:
        text = format_address(lease.address)
        if network is not None:
            yield from _of_ranges(lease, text, network)
        number = lease.range_set if network is None else _number(lease.address, network)
        if number is not None and lease.attachment.container_id:
            held.setdefault((lease.attachment, number), []).append(lease.address)
    for (who, number), addresses in held.items():
        if len(addresses) > 1:
            yield (
                "two-leases",
                f"{', '.join(map(format_address, addresses))}: all leased to container {who.container_id} {who.ifname}"
                f" from range set {number}, which yields one",
                "see which one the container has (ip addr), and `ipam release` the others",
            )


def _of_ranges(lease: Lease, text: str, network: Network) -> Iterator[Finding]:
    ranges = [rng for range_set in network.range_sets for rng in range_set.ranges]
    if any(rng.gateway == lease.address for rng in ranges):
        yield (
            "leased-gateway",
            f"{text}: the gateway's address is leased to {holder_text(lease)}",
            "two machines answer to it: give the container another address, or the network another gateway",
        )
    elif not any(lease.address in rng for rng in ranges):
        sets = "; ".join(map(set_text, network.range_sets))
        yield (
            "outside-ranges",
            f"{text}: leased to {holder_text(lease)}, and not in the ranges: {sets}",
            "harmless, where the ranges were changed while it was leased; it goes with its container",
        )


def _number(address: Address, network: Network) -> int | None:
    return next((each.index for each in network.range_sets if each.range_of(address)), None)
