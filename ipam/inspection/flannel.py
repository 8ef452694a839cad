"""What flannel hands over to this plugin: a section that it writes anew at each call, from a file of its daemon's."""

from __future__ import annotations

from pathlib import Path

from ipam.address import format_cidr, network_of, parse_cidr
from ipam.config import fields
from ipam.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.config import Object

DEFAULT_FILE = Path("/run/flannel/subnet.env")

_VARIABLES = ("FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET")


def is_flannel(conf: Object) -> bool:
    """Whether flannel will write the ipam section of this plugin's config."""
    return conf.get("type") == "flannel"


def unwritten(conf: Object) -> Path | None:
    """The file that flannel's daemon has yet to write its subnets to, for a config that delegated() left without."""
    ipam = conf.get("ipam")
    waits = is_flannel(conf) and isinstance(ipam, dict) and "ranges" not in fields(ipam)
    return _file(conf) if waits else None


def _file(conf: Object) -> Path:
    given = conf.get("subnetfile")
    return Path(given) if isinstance(given, str) else DEFAULT_FILE


def delegated(conf: Object) -> Object:
    """The config with that section, as far as it can be known: without ranges where flannel has no subnet yet."""
    ipam = conf.get("ipam")
    section = fields(ipam) if isinstance(ipam, dict) else {}
    ranges = [[{"subnet": each}] for each in _subnets(_file(conf))]
    return conf | {"ipam": {"type": "host-local"} | section | ({"ranges": ranges} if ranges else {})}


def _subnets(path: Path) -> Iterator[str]:
    """The subnets of this node: the daemon writes them with the node's own address in them."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        name, _, value = line.partition("=")
        parsed = parse_cidr(value.strip()) if name in _VARIABLES else None
        if parsed is not None:
            address, prefix = parsed
            yield format_cidr(Address(address.family, network_of(address, prefix)), prefix)
