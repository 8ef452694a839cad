"""Addresses that rest: free, but not handed out again yet. A small file that is there only while there are any."""

from __future__ import annotations

import posix

from backends.directory.files import SAFE, NotRegular, close, open_regular, remove, write_all
from ipam.address import format_address, parse_address
from ipam.model import Address

RESTING = b"resting"

_CHUNK = 1 << 20


def read(records: int, now: float) -> dict[Address, float]:
    """Until when each address rests, in seconds since the epoch; none whose time is over."""
    try:
        fd = open_regular(RESTING, records, posix.O_RDONLY)
    except (FileNotFoundError, NotRegular):
        return {}
    data = b""
    try:
        while part := posix.read(fd, _CHUNK):
            data += part
    finally:
        close(fd)
    rests = {}
    for line in data.decode("ascii", "replace").splitlines():
        text, _, until = line.partition(" ")
        address = parse_address(text)
        if address is not None and _seconds(until) > now:
            rests[address] = _seconds(until)
    return rests


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def write(records: int, rests: dict[Address, float]) -> None:
    """Make or replace the file at once; remove it where nothing rests."""
    if not rests:
        remove(RESTING, records)
        return
    temporary = b"resting.new"
    lines = [f"{format_address(address)} {until!r}\n" for address, until in sorted(rests.items())]
    fd = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | SAFE, 0o600, dir_fd=records)
    try:
        write_all(fd, "".join(lines).encode())
    finally:
        close(fd)
    posix.rename(temporary, RESTING, src_dir_fd=records, dst_dir_fd=records)
