"""Policy: which addresses to lease, release and reclaim. Decides over a Transaction; no I/O, no clock."""

from __future__ import annotations

from ipam.address import format_address
from ipam.errors import AddressInUse, AlreadyAllocated, CniError, Exhausted, LeaseMismatch, NotAllocatable
from ipam.jsontext import quote
from ipam.model import Address, Attachment, Cause, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.model import Host, Network, Pod, Range, RangeSet
    from ipam.store import Transaction


def allocate(tx: Transaction, network: Network, who: Attachment, pod: Pod, host: Host, note: str = "") -> list[Lease]:
    """Claim one address from each range set for `who`, all or nothing, in the order of the config.

    Raises Exhausted, AddressInUse, AlreadyAllocated, or NotAllocatable for a request that cannot be met.
    """
    held = tx.held_by(who)
    requested = list(dict.fromkeys(network.requested))
    chosen = []
    for range_set in network.range_sets:
        asked = next((address for address in requested if range_set.range_of(address)), None)
        try:
            if asked is None:
                address = _next_address(tx, network, range_set, held)
            else:
                requested.remove(asked)
                address = _requested_address(tx, network, range_set, held, asked)
        except CniError as error:
            error.msg = f"failed to allocate for range {range_set.index}: {error.msg}"
            raise
        chosen.append((address, range_set.index))
    if requested:
        raise NotAllocatable(
            f"failed to allocate all requested IPs: {' '.join(map(format_address, requested))}",
            f"no range set of network {network.name} contains or has room for them: {_text_of_sets(network)}",
        )
    since = host.clock()
    leases = [Lease(address, who, index, pod, since, host.boot, host.node) for address, index in chosen]
    for lease in leases:
        tx.claim(lease, Cause.ADD, note)
    return leases


def _requested_address(
    tx: Transaction, network: Network, range_set: RangeSet, held: list[Lease], asked: Address
) -> Address:
    rng = range_set.range_of(asked)
    text = format_address(asked)
    if rng is not None and asked == rng.gateway:
        raise NotAllocatable(
            f"requested ip {text} is subnet's gateway",
            f"network {network.name}: ask for another address of {range_text(rng)}",
        )
    holder = tx.holder(asked)
    if holder is not None:
        raise AddressInUse(
            f"requested IP address {text} is not available in range set {set_text(range_set)}",
            f"network {network.name}: {text} is held by {holder_text(holder)}",
        )
    _refuse_second(network, range_set, held)
    return asked


def _next_address(tx: Transaction, network: Network, range_set: RangeSet, held: list[Lease]) -> Address:
    _refuse_second(network, range_set, held)
    places = round_robin(range_set, tx.cursor(range_set.index))
    for resting in (False, True):  # an address that rests is better than none
        for rng, after in places:
            free = tx.next_free(rng, after, resting=resting)
            if free is not None and rng.gateway == (rng.family, free):
                free = tx.next_free(rng, free, resting=resting)
            if free is not None:
                return Address(rng.family, free)
    raise Exhausted(
        f"no IP addresses available in range set: {set_text(range_set)}",
        f"network {network.name}: every address of the range set is leased; release what leaked, or widen the range",
    )


def round_robin(range_set: RangeSet, cursor: Address | None) -> list[tuple[Range, int | None]]:
    """Where to look, in order: behind the cursor, through the other ranges, round to the cursor again."""
    ranges = range_set.ranges
    for place, rng in enumerate(ranges):
        if cursor is not None and cursor in rng:
            others: list[tuple[Range, int | None]] = [
                (other, None) for other in ranges[place + 1 :] + ranges[: place + 1]
            ]
            return [(rng, cursor.value), *others]
    return [(rng, None) for rng in ranges]


def _refuse_second(network: Network, range_set: RangeSet, held: list[Lease]) -> None:
    for lease in held:
        if range_set.range_of(lease.address):
            raise AlreadyAllocated(
                f"{format_address(lease.address)} has been allocated to {lease.attachment.container_id}, "
                "duplicate allocation is not allowed",
                f"network {network.name}: held by {holder_text(lease)}; DEL it before a second ADD",
            )


def release(tx: Transaction, who: Attachment, why: str, note: str = "") -> list[Lease]:
    """Drop what `who` holds; records of its container alone only where there is nothing of its own."""
    held = tx.held_by(who)
    own = [lease for lease in held if lease.attachment == who]
    for lease in own or held:
        tx.drop(lease, why, note)
    return own or held


def take_back(tx: Transaction, leases: Iterable[Lease], why: str) -> None:
    """Drop just these leases, as far as they are still the same ones: nothing that was claimed later."""
    for lease in leases:
        holder = tx.holder(lease.address)
        if holder is not None and holder.attachment == lease.attachment and holder.since == lease.since:
            tx.drop(lease, why)


def reclaim(tx: Transaction, valid: set[Attachment], host: Host, *, shared: bool) -> list[Lease]:
    """GC (SPEC section 2, GC): drop the leases whose attachment is not in `valid`; which they were.

    Where the store is `shared` by several hosts, only those of this host: of which nobody knows the host is not ours.
    """
    containers = {attachment.container_id for attachment in valid}
    dropped = []
    for lease in _ours(tx, host, shared=shared):
        who = lease.attachment
        known = who in valid or (not who.ifname and who.container_id in containers)
        if not known and who.container_id:
            tx.drop(lease, Cause.GC)
            dropped.append(lease)
    return dropped


def reclaim_after_reboot(tx: Transaction, host: Host, *, shared: bool) -> None:
    """Drop what an earlier boot left: containers do not outlive a boot, nor do their leases. See reclaim()."""
    if tx.last_boot(host.node) == host.boot:
        return
    for lease in _ours(tx, host, shared=shared):
        if lease.boot and lease.boot != host.boot:
            tx.drop(lease, Cause.REBOOT)
    tx.begin_boot(host.node, host.boot)


def _ours(tx: Transaction, host: Host, *, shared: bool) -> list[Lease]:
    return list(tx.leases_of(host.node) if shared else tx.leases())


def check(tx: Transaction, network: Network, who: Attachment, previous: list[Address] | None) -> None:
    """CHECK (SPEC section 2): the leases of `who` are those of prevResult; LeaseMismatch where they are not.

    Addresses of prevResult outside the network's range sets belong to other plugins. Without a
    prevResult (None) one lease is enough, as it is for Go.
    """
    held = [lease.address for lease in tx.held_by(who)]
    missing = "host-local: Failed to find address added by container"
    if not held:
        raise LeaseMismatch(f"{missing} {who.container_id}", f"network {network.name}, {quote(who.ifname)}")
    if previous is None:
        return
    for address in previous:
        ours = any(range_set.range_of(address) for range_set in network.range_sets)
        if ours and address not in held:
            holder = tx.holder(address)
            text = "nobody" if holder is None else holder_text(holder)
            raise LeaseMismatch(
                f"{missing} {who.container_id}: prevResult has {format_address(address)}",
                f"network {network.name}: {format_address(address)} is held by {text}",
            )
    for address in held:
        if address not in previous:
            raise LeaseMismatch(
                f"{missing} {who.container_id}: {format_address(address)} is leased but not in prevResult",
                f"network {network.name}: DEL and ADD {quote(who.ifname)} again",
            )


def holder_text(lease: Lease) -> str:
    """Who holds a lease, in words for an error message."""
    who = lease.attachment
    if not who.container_id:
        return "something that is not a lease file"
    text = f"container {who.container_id}"
    if who.ifname:
        text += f" {quote(who.ifname)[1:-1]}"
    if lease.pod.name:
        text += f" (pod {quote('/'.join(filter(None, (lease.pod.namespace, lease.pod.name))))[1:-1]})"
    return text


def range_text(rng: Range) -> str:
    """`first-last`, as Go prints a range."""
    start, end = Address(rng.family, rng.start), Address(rng.family, rng.end)
    return f"{format_address(start)}-{format_address(end)}"


def set_text(range_set: RangeSet) -> str:
    """`first-last,first-last`, as Go prints a range set."""
    return ",".join(map(range_text, range_set.ranges))


def _text_of_sets(network: Network) -> str:
    return "; ".join(map(set_text, network.range_sets))
