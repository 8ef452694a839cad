"""How leases and events look as rows: the same keys and columns in every command that lists them."""

from __future__ import annotations

from ipam.address import format_address, format_cidr
from ipam.cli.output import Column
from ipam.inspection.times import format_moment
from ipam.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.cli.output import Row
    from ipam.inspection.sites import Site
    from ipam.model import Event, Lease

_SHORT = 12
_FULL = 64


def lease_row(site: Site, lease: Lease) -> Row:
    """A lease, with keys that stay as they are; `since` in seconds since the epoch, None where unknown."""
    address, pod = lease.address, lease.pod
    range_set, subnet = lease.range_set, None
    for each in site.network.range_sets if site.network else ():
        rng = each.range_of(address)
        if rng is not None:
            range_set, subnet = each.index, format_cidr(Address(rng.family, rng.subnet), rng.prefix)
            break
    return {
        "network": site.name,
        "address": format_address(address),
        "container": lease.attachment.container_id,
        "ifname": lease.attachment.ifname,
        "namespace": pod.namespace,
        "pod": pod.name,
        "uid": pod.uid,
        "node": lease.node,
        "boot": lease.boot,
        "range_set": range_set,
        "subnet": subnet,
        "since": lease.since or None,
        "store": site.url,
    }


def event_row(event: Event) -> Row:
    """An event of history, with keys that stay as they are; `time` in seconds since the epoch."""
    lease = event.lease
    return {
        "time": event.time,
        "network": event.network,
        "what": event.what,
        "address": format_address(lease.address),
        "cause": event.cause,
        "container": lease.attachment.container_id,
        "ifname": lease.attachment.ifname,
        "namespace": lease.pod.namespace,
        "pod": lease.pod.name,
        "uid": lease.pod.uid,
        "node": lease.node,
        "boot": event.boot,
        "range_set": lease.range_set,
        "since": lease.since,
        "note": event.note,
    }


def short(text: str) -> str:
    """A container id as runtimes shorten it, for terminals."""
    return text[:_SHORT] if len(text) == _FULL else text


NETWORK = Column("network")
ADDRESS = Column("address")
CONTAINER = Column("container", narrow=short)
IFNAME = Column("ifname")
NAMESPACE = Column("namespace")
POD = Column("pod")
NODE = Column("node")
RANGE_SET = Column("range_set", title="SET", right=True)
SINCE = Column("since", format_moment)

LEASE = (NETWORK, ADDRESS, CONTAINER, IFNAME, NAMESPACE, POD, NODE, RANGE_SET, SINCE)

LEASE_MORE = (Column("uid"), Column("boot"), Column("subnet"), Column("store"))
"""What CSV has of a lease beyond that."""

EVENT = (
    Column("time", format_moment),
    NETWORK,
    Column("what"),
    ADDRESS,
    Column("cause"),
    CONTAINER,
    IFNAME,
    NAMESPACE,
    POD,
    NODE,
    Column("note"),
)

EVENT_MORE = (Column("uid"), Column("boot"), RANGE_SET, SINCE)
"""What CSV has of an event beyond that."""
