"""Text and numbers: addresses and CIDRs, read as strictly as Go's net package reads them."""

from __future__ import annotations

from ipam.model import IPV4, IPV6, WIDTH, Address

_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdefABCDEF")
MAPPED, MAPPED_END = 0xFFFF << 32, (0xFFFF << 32) + 0xFFFFFFFF
"""::ffff:a.b.c.d from the first to the last, which Go takes for a.b.c.d."""


def parse_address(text: str) -> Address | None:
    """The address that `text` spells, or None.

    Refused: leading zeros, zones, anything but ASCII, more than one `::`. An IPv4-mapped IPv6 address
    is the IPv4 address that it carries (RFC 4291 section 2.5.5.2), as it is in Go.
    """
    if ":" not in text:
        value = _parse_ipv4(text)
        return None if value is None else Address(IPV4, value)
    value = _parse_ipv6(text)
    if value is None:
        return None
    if MAPPED <= value <= MAPPED_END:
        return Address(IPV4, value & 0xFFFFFFFF)
    return Address(IPV6, value)


def _parse_ipv4(text: str) -> int | None:
    parts = text.split(".")
    if len(parts) != 4:
        return None
    value = 0
    for part in parts:
        if not 1 <= len(part) <= 3 or not _DIGITS.issuperset(part) or (part[0] == "0" and part != "0"):
            return None
        octet = int(part)
        if octet > 255:
            return None
        value = value << 8 | octet
    return value


def _parse_ipv6(text: str) -> int | None:
    head, gap, tail = text.partition("::")
    left = _parse_groups(head, ends_here=not gap)
    right = _parse_groups(tail, ends_here=True) if gap else []
    if left is None or right is None:
        return None
    zeros = 8 - len(left) - len(right)
    if zeros < 1 if gap else zeros != 0:
        return None
    value = 0
    for group in left + [0] * zeros + right:
        value = value << 16 | group
    return value


def _parse_groups(text: str, *, ends_here: bool) -> list[int] | None:
    """The 16-bit groups of one side of `::`; the last may be dotted IPv4 where the address ends."""
    if not text:
        return []
    groups = []
    parts = text.split(":")
    for place, part in enumerate(parts):
        if "." in part:
            value = _parse_ipv4(part)
            if value is None or not ends_here or place != len(parts) - 1:
                return None
            groups += [value >> 16, value & 0xFFFF]
        elif 1 <= len(part) <= 4 and _HEX.issuperset(part):
            groups.append(int(part, 16))
        else:
            return None
    return groups


def format_address(address: Address) -> str:
    """The canonical text: dotted IPv4, or IPv6 as RFC 5952 has it. This is a lease file's name."""
    family, value = address
    if family == IPV4:
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    groups = [value >> shift & 0xFFFF for shift in range(112, -1, -16)]
    start, length = _longest_zeros(groups)
    if length < 2:  # RFC 5952 4.2.2: one zero group is not shortened
        return ":".join([f"{group:x}" for group in groups])
    head = ":".join([f"{group:x}" for group in groups[:start]])
    tail = ":".join([f"{group:x}" for group in groups[start + length :]])
    return f"{head}::{tail}"


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    best_start, best_length, start = 0, 0, -1
    for place, group in enumerate([*groups, 1]):
        if group == 0:
            start = place if start < 0 else start
        elif start >= 0:
            if place - start > best_length:
                best_start, best_length = start, place - start
            start = -1
    return best_start, best_length


def parse_cidr(text: str) -> tuple[Address, int] | None:
    """The (address, prefix length) of `a.b.c.d/len`, host bits kept, or None.

    A length on an IPv4-mapped address is refused: it counts bits of another family.
    """
    head, slash, length = text.partition("/")
    if not slash or not 1 <= len(length) <= 4 or not _DIGITS.issuperset(length):
        return None
    address = parse_address(head)
    if address is None or (address.family == IPV4) == (":" in head):
        return None
    prefix = int(length)
    return (address, prefix) if prefix <= WIDTH[address.family] else None


def format_cidr(address: Address, prefix: int) -> str:
    """`address/prefix` as text."""
    return f"{format_address(address)}/{prefix}"


def network_of(address: Address, prefix: int) -> int:
    """The first address (as a number) of the network that holds `address`."""
    host_bits = WIDTH[address.family] - prefix
    return address.value >> host_bits << host_bits
