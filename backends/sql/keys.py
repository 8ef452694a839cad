"""Addresses as keys: bytes that sort as addresses do, both families in one index."""

from __future__ import annotations

from ipam.errors import InputOutput
from ipam.jsontext import quote
from ipam.model import IPV4, IPV6, WIDTH, Address

SPACES = {family: (1 << WIDTH[family]) - 1 for family in (IPV4, IPV6)}
"""The last address of each family; the first is 0."""

_LENGTHS = {bytes([family]): 1 + WIDTH[family] // 8 for family in SPACES}


def key_of(family: int, value: int) -> bytes:
    """The family's number, then the address, big-endian: 5 bytes for IPv4, 17 for IPv6."""
    return bytes([family]) + value.to_bytes(WIDTH[family] // 8, "big")


def key_in(found: object) -> bytes:
    """A key that stands in a row. Raises InputOutput where it is none."""
    if isinstance(found, bytes) and len(found) == _LENGTHS.get(found[:1]):
        return found
    raise InputOutput(
        f"the database has {quote(repr(found), 100)[1:-1]} in place of an address",
        "its tables were changed by hand, or damaged: restore it from a backup, or from a snapshot by ipam import",
    )


def address_of(found: object) -> Address:
    """The address that a key in a row stands for. Raises InputOutput where it is none."""
    key = key_in(found)
    return Address(key[0], int.from_bytes(key[1:], "big"))


def before(key: bytes) -> bytes | None:
    """The key of the address below, None where there is none in the family."""
    family, value = address_of(key)
    return key_of(family, value - 1) if value else None


def after(key: bytes) -> bytes | None:
    """The key of the address above, None where there is none in the family."""
    family, value = address_of(key)
    return key_of(family, value + 1) if value < SPACES[family] else None
