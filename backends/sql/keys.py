"""Addresses as keys: bytes that sort as addresses do, both families in one index."""

from __future__ import annotations

from ipam.model import IPV4, IPV6, WIDTH, Address

SPACES = {family: (1 << WIDTH[family]) - 1 for family in (IPV4, IPV6)}
"""The last address of each family; the first is 0."""


def key_of(family: int, value: int) -> bytes:
    """The family's number, then the address, big-endian: 5 bytes for IPv4, 17 for IPv6."""
    return bytes([family]) + value.to_bytes(WIDTH[family] // 8, "big")


def address_of(key: bytes) -> Address:
    """The address that a key stands for."""
    return Address(key[0], int.from_bytes(key[1:], "big"))


def before(key: bytes) -> bytes | None:
    """The key of the address below, None where there is none in the family."""
    family, value = address_of(key)
    return key_of(family, value - 1) if value else None


def after(key: bytes) -> bytes | None:
    """The key of the address above, None where there is none in the family."""
    family, value = address_of(key)
    return key_of(family, value + 1) if value < SPACES[family] else None
