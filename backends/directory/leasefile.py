"""Go host-local's own files: one per lease, named by its address, and one cursor per range set."""

from __future__ import annotations

import posix
from binascii import crc32

from backends.directory.files import (
    MOST_BYTES,
    NotRegular,
    close,
    create_whole,
    name_bytes,
    read_small,
    remove_anything,
    sync,
    write_all,
)
from backends.directory.files import remove as remove_file
from backends.directory.kept import KeptFile
from ipam.address import format_address, parse_address
from ipam.model import GO_SPACE, Address, Attachment, Lease, valid_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.spares import Spares

UNREADABLE = Attachment("", "")
"""Stands for whatever keeps an address without being a lease: nobody's, and never handed out."""

_SECOND = 1_000_000_000
_CURSOR = "last_reserved_ip."


def file_name(address: Address) -> bytes:
    """The lease file's name."""
    return format_address(address).encode()


def address_of(name: str) -> Address | None:
    """The address that a file name stands for; None for other files and for spellings that Go never writes."""
    if not name[:1].isalnum() and name[:1] != ":":
        return None
    address = parse_address(name)
    return address if address is not None and format_address(address) == name else None


def is_cursor(name: str) -> bool:
    """Whether a file name is that of a cursor."""
    return name.startswith(_CURSOR) and name[len(_CURSOR) :].isdigit()


def content(who: Attachment) -> bytes:
    """What Go writes into a lease file: `containerid CR LF ifname`, nothing after it."""
    return name_bytes(f"{who.container_id}\r\n{who.ifname}")


def parse(data: bytes) -> Attachment:
    """Whose lease file this is; UNREADABLE where it is nobody's."""
    container_id, separator, ifname = data.decode("utf-8", "surrogateescape").strip(GO_SPACE).partition("\r\n")
    if not valid_name(container_id) or bool(separator) != bool(ifname) or "\n" in ifname:
        return UNREADABLE
    return Attachment(container_id, ifname)


def read(address: Address, directory: int) -> Attachment | None:
    """Who holds the address by its lease file: None where there is none, UNREADABLE where it cannot be told."""
    try:
        data = read_small(file_name(address), directory)
    except NotRegular:
        return UNREADABLE
    return None if data is None else parse(data)


def create(lease: Lease, directory: int, scratch: int, *, spares: Spares | None, durable: bool) -> None:
    """Make the lease file, of a spare one if there is any; whole or not at all. Raises FileExistsError, OSError.

    Its modification time is when the lease was made, to the second; the rest says in which boot (see made_in).
    """
    moment = int(lease.since) * _SECOND + _mark(lease.boot)
    data = content(lease.attachment)
    spare = spares.open_one() if spares is not None else None
    if spares is None or spare is None:
        create_whole(file_name(lease.address), directory, data, scratch, moment=moment, durable=durable)
        return
    fd, name, size = spare
    try:
        write_all(fd, data)
        if size > len(data):
            posix.ftruncate(fd, len(data))
        posix.utime(fd, ns=(moment, moment))
        if durable:
            sync(fd)
        spares.give(name, file_name(lease.address), directory)
    finally:
        close(fd)


def remove(address: Address, directory: int) -> bool:
    """Remove the lease file; whether it was there. Raises OSError."""
    return remove_file(file_name(address), directory)


def made_in(boot: str, address: Address, directory: int) -> bool:
    """Whether we made this lease file in that boot, told from the file alone: a power cut may leave no more."""
    status = posix.stat(file_name(address), dir_fd=directory, follow_symlinks=False)
    return status.st_mtime_ns % _SECOND == _mark(boot)


def _mark(boot: str) -> int:
    return crc32(name_bytes(boot)) % _SECOND


class Cursor:
    """`last_reserved_ip.N`: where the round robin of one range set stands, for Go and for us."""

    def __init__(self, range_set: int, directory: int) -> None:
        self._name = name_bytes(f"{_CURSOR}{range_set}")
        self._directory = directory
        self._file = KeptFile(self._name, directory)
        self._length = -1
        self._known: tuple[bytes, Address | None] = b"", None

    def read(self) -> Address | None:
        """The address in it; None where there is none or where Go would not read it either."""
        try:
            data = posix.pread(self._file.open(posix.O_RDWR), MOST_BYTES, 0)
        except PermissionError:  # it can be read at least, maybe
            data = read_small(self._name, self._directory) or b""
        except (FileNotFoundError, NotRegular):
            return None
        self._length = len(data)
        if data != self._known[0]:
            self._known = data, parse_address(data.decode("utf-8", "replace"))
        return self._known[1]

    def write(self, address: Address) -> None:
        """Put it on `address`. What is no regular file in its place is replaced."""
        flags = posix.O_RDWR | posix.O_CREAT
        try:
            fd = self._file.open(flags)
        except NotRegular:
            # Not worth failing for: without a cursor the next search begins at the range's start.
            remove_anything(self._name, self._directory)
            fd = self._file.open(flags)
        data = file_name(address)
        posix.pwrite(fd, data, 0)  # O_TRUNC would cost ten times as much on ext4
        if not 0 <= self._length <= len(data):
            posix.ftruncate(fd, len(data))
        self._known = data, address
        self._length = -1  # the next time, others may have written more

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._length = -1


def cursors(directory: int) -> dict[int, Address]:
    """Every cursor that can be read, by its range set. Needs read access alone."""
    found = {}
    for name in filter(is_cursor, posix.listdir(directory)):
        try:
            data = read_small(name_bytes(name), directory) or b""
        except NotRegular:
            continue
        address = parse_address(data.decode("utf-8", "replace"))
        if address is not None:
            found[int(name[len(_CURSOR) :])] = address
    return found
