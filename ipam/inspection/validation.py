"""What is wrong or doubtful in a CNI config: keys that nobody reads, ranges that are too small or overlap."""

from __future__ import annotations

from difflib import get_close_matches
from typing import NamedTuple

from ipam import config
from ipam.address import format_cidr
from ipam.allocator import range_text
from ipam.errors import InputOutput
from ipam.inspection import flannel
from ipam.inspection.configs import in_words
from ipam.inspection.refusal import refusal
from ipam.inspection.usage import size
from ipam.jsontext import quote
from ipam.model import WIDTH, Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.config import Object
    from ipam.inspection.configs import Configured
    from ipam.model import Network, Range

ERROR, WARNING = "error", "warning"

RANGE = ("subnet", "rangeStart", "rangeEnd", "gateway")
KEEP = ("days", "megabytes")
ROUTE = ("dst", "gw", "mtu", "advmss", "priority", "table", "scope")
IPAM = (
    "type",
    "ranges",
    *RANGE,
    "routes",
    "resolvConf",
    "dataDir",
    "store",
    "passwordFile",
    "nodeName",
    "lockTimeout",
    "durability",
    "historyKeep",
    "logLevel",
)
"""The keys that are read, as conf/README lists them."""

IGNORED = {
    "file": ("passwordFile",),
    "memory": ("dataDir", "lockTimeout", "durability", "passwordFile", "historyKeep"),
    "sqlite": ("durability", "passwordFile"),
}
"""By the scheme of the store: keys that mean nothing to it."""

IN_THE_LAN = frozenset({"macvlan", "ipvlan", "vlan", "host-device"})
"""Main plugins whose containers are meant to be in the subnet of an interface of the host."""


class Finding(NamedTuple):
    """`level` is ERROR or WARNING, `key` the place in the config, empty where it is about all of it."""

    level: str
    key: str
    text: str


class HostSubnet(NamedTuple):
    """A subnet that an interface of this host is in."""

    interface: str
    address: Address
    prefix: int


def validate(
    use: Configured, others: Iterable[Configured], subnets: Iterable[HostSubnet], max_pods: int
) -> Iterator[Finding]:
    """Everything about one use of the plugin. `others` are those in other files."""
    wrong, unwritten = refusal(use.conf), flannel.unwritten(use.conf)
    if unwritten is not None:
        yield Finding(WARNING, "", f"ranges unknown: flannel's daemon has not written them to {unwritten} yet")
    elif wrong is not None:  # a file that is not there may be there on the node
        yield Finding(WARNING if isinstance(wrong, InputOutput) else ERROR, "", in_words(wrong))
    elif use.problem:
        yield Finding(WARNING, "", use.problem)
    yield from unknown_keys(use.conf)
    yield from _ignored_keys(use)
    if use.network is None:
        return
    yield from _small(use.network, max_pods)
    if use.plugin not in IN_THE_LAN:
        yield from _overlapping_host(use, subnets)
    for other in others:
        if other.network is not None:
            yield from _overlapping_other(use.network, other, other.network)


def unknown_keys(conf: Object) -> Iterator[Finding]:
    """Keys in the ipam section that this plugin does not read, and what may have been meant."""
    ipam = conf.get("ipam")
    if not isinstance(ipam, dict):
        return
    yield from _unknown(ipam, IPAM, "ipam")
    section = config.fields(ipam)
    for number, items in enumerate(_list(section.get("ranges"))):
        for place, item in enumerate(_list(items)):
            yield from _unknown(item, RANGE, f"ipam.ranges[{number}][{place}]")
    yield from _unknown(section.get("historykeep"), KEEP, "ipam.historyKeep")
    for number, item in enumerate(_list(section.get("routes"))):
        yield from _unknown(item, ROUTE, f"ipam.routes[{number}]")


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _unknown(section: object, known: tuple[str, ...], path: str) -> Iterator[Finding]:
    lower = {key.lower(): key for key in known}
    for key in section if isinstance(section, dict) else ():
        if key.lower() in lower:
            continue
        close = get_close_matches(key.lower(), lower, n=1, cutoff=0.6)
        hint = f"did you mean {lower[close[0]]}?" if close else f"known are {', '.join(known)}"
        yield Finding(WARNING, f"{path}.{quote(key)[1:-1]}", f"{path} has {quote(key)}, which nobody reads; {hint}")


def _ignored_keys(use: Configured) -> Iterator[Finding]:
    ipam = use.conf.get("ipam")
    if use.store is None or not isinstance(ipam, dict):
        return
    scheme, present = use.store.url.partition(":")[0], config.fields(ipam)
    for key in IGNORED.get(scheme, ()):
        if key.lower() in present:
            yield Finding(WARNING, f"ipam.{key}", f"ipam.{key} means nothing to a {scheme} store")


def _small(network: Network, max_pods: int) -> Iterator[Finding]:
    for range_set in network.range_sets:
        room = size(range_set)
        if room < max_pods:
            text = f"range set {range_set.index} has room for {room} containers, fewer than {max_pods} (--max-pods)"
            yield Finding(WARNING, "ipam.ranges", text)


def _overlapping_host(use: Configured, subnets: Iterable[HostSubnet]) -> Iterator[Finding]:
    own = use.conf.get("bridge", "cni0") if use.plugin == "bridge" else None
    for rng in _ranges(use.network):
        for subnet in subnets:
            if subnet.interface != own and _meets(rng, subnet.address, subnet.prefix):
                shown = format_cidr(subnet.address, subnet.prefix)
                text = f"{range_text(rng)} overlaps {shown} of this host's interface {subnet.interface}"
                yield Finding(WARNING, "ipam.ranges", f"{text}: one of them cannot be reached")


def _overlapping_other(network: Network, other: Configured, theirs: Network) -> Iterator[Finding]:
    for rng in _ranges(network):
        for their in _ranges(theirs):
            if rng.family == their.family and rng.start <= their.end and their.start <= rng.end:
                where = f"{range_text(their)} of network {other.name} in {other.path}"
                same = theirs.name == network.name
                why = "both lease from one store" if same else "each may lease what the other has leased"
                yield Finding(WARNING, "ipam.ranges", f"{range_text(rng)} overlaps {where}: {why}")


def _ranges(network: Network | None) -> Iterator[Range]:
    for range_set in network.range_sets if network else ():
        yield from range_set.ranges


def _meets(rng: Range, address: Address, prefix: int) -> bool:
    bits = WIDTH[address.family] - prefix
    first = address.value >> bits << bits
    return rng.family == address.family and rng.start <= first | (1 << bits) - 1 and first <= rng.end
