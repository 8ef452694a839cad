"""The subnets that the interfaces of this host are in, by the kernel's routing tables."""

from __future__ import annotations

from pathlib import Path

from ipam.inspection.validation import HostSubnet
from ipam.model import IPV4, IPV6, Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SPECIFIC = {IPV4: 31, IPV6: 127}  # host routes are those to single containers
_REJECT = 0x200  # RTF_REJECT
_LINK_LOCAL = 0x3FA  # fe80::/10
_MULTICAST = 0xFF  # ff00::/8


def host_subnets(proc: Path = Path("/proc/net")) -> list[HostSubnet]:
    """Every subnet with a route of its own and no gateway, but link-local ones and those of the loopback."""
    return [*_ipv4(_lines(proc / "route")), *_ipv6(_lines(proc / "ipv6_route"))]


def _ipv4(lines: list[str]) -> Iterator[HostSubnet]:
    for line in lines[1:]:
        name, destination, gateway, *_, mask = line.split()[:8]
        value = int.from_bytes(bytes.fromhex(destination), "little")
        prefix = int(mask, 16).bit_count()
        if int(gateway, 16) == 0 and 0 < prefix <= _MOST_SPECIFIC[IPV4] and name != "lo":
            yield HostSubnet(name, Address(IPV4, value), prefix)


def _ipv6(lines: list[str]) -> Iterator[HostSubnet]:
    for line in lines:
        fields = line.split()
        value, prefix, gateway, flags = (int(fields[place], 16) for place in (0, 1, 4, 8))
        of_link = value >> 118 == _LINK_LOCAL or value >> 120 == _MULTICAST
        if gateway or flags & _REJECT or of_link or fields[9] == "lo":
            continue
        if 0 < prefix <= _MOST_SPECIFIC[IPV6]:
            yield HostSubnet(fields[9], Address(IPV6, value), prefix)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
