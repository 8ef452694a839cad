"""Directories full of leases, written straight in Go's format."""

import hashlib
import os
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path


def container_id(number: int) -> str:
    """An id as runtimes make them: 64 hexadecimal digits, without order."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def write(data_dir: Path, network: str, cursor: int, addresses: Iterable[int]) -> None:
    """Lease each address to a container of its own, and let the cursor stand at `cursor`."""
    directory = data_dir / network
    directory.mkdir(parents=True)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for address in addresses:
            _create(str(IPv4Address(address)), f"{container_id(address)}\r\neth0", fd)
        _create("last_reserved_ip.0", str(IPv4Address(cursor)), fd)
    finally:
        os.close(fd)


def _create(name: str, content: str, directory: int) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    os.write(fd, content.encode())
    os.close(fd)
