"""Which addresses are taken: bitmaps of 32,768 addresses a file, so that the next free one costs no search."""

from __future__ import annotations

import posix

from backends.directory.files import close, name_bytes, open_regular, remove_anything, write_all
from ipam.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SHIFT = 15
_BITS = 1 << _SHIFT
_BYTES = _BITS // 8
_ALL = (1 << _BITS) - 1
_MOST_KNOWN = 64


def _file_name(family: int, block: int) -> bytes:
    return b"%d-%x" % (family, block)


class Taken:
    """The bitmaps of one network, as they are on disk and with this change's marks on top."""

    def __init__(self, directory: int, known: dict[tuple[int, int], int] | None = None) -> None:
        """`known` are bitmaps that need not be read, and where those that were are put, by family and block."""
        self._directory = directory
        self._known = known if known is not None else {}
        self._blocks: dict[tuple[int, int], int] = {}
        self._marked: set[Address] = set()

    def _block(self, family: int, block: int) -> int:
        key = (family, block)
        bits = self._blocks.get(key, self._known.get(key))
        if bits is None:
            bits = self._read(key)
            if len(self._known) < _MOST_KNOWN:
                self._known[key] = bits
        return bits

    def _read(self, key: tuple[int, int]) -> int:
        try:
            fd = open_regular(_file_name(*key), self._directory, posix.O_RDONLY)
        except FileNotFoundError:
            return 0
        bits = int.from_bytes(posix.read(fd, _BYTES), "little")
        close(fd)
        return bits

    def mark(self, address: Address, *, taken: bool) -> None:
        """Note that an address is taken, or free."""
        block, place = address.value >> _SHIFT, address.value & (_BITS - 1)
        bits = self._block(address.family, block)
        bits = bits | 1 << place if taken else bits & ~(1 << place)
        self._blocks[address.family, block] = bits
        self._marked.add(address)

    def is_taken(self, address: Address) -> bool:
        """Whether the bitmaps say so."""
        return bool(self._block(address.family, address.value >> _SHIFT) >> (address.value & (_BITS - 1)) & 1)

    def next_free(self, family: int, first: int, last: int) -> int | None:
        """The lowest free address from `first` to `last`, as a number; reads one file for 32,768 addresses."""
        while first <= last:
            block, place = first >> _SHIFT, first & (_BITS - 1)
            free = (~self._block(family, block) & _ALL) >> place
            if free:
                found = first + (free & -free).bit_length() - 1
                return found if found <= last else None
            first = (block + 1) << _SHIFT
        return None

    def save(self) -> None:
        """Write the marks, the bytes from the first to the last that have one in each file."""
        bytes_of: dict[tuple[int, int], list[int]] = {}
        for family, value in sorted(self._marked):
            bytes_of.setdefault((family, value >> _SHIFT), []).append((value & (_BITS - 1)) >> 3)
        for key, numbers in bytes_of.items():
            first, last = numbers[0], numbers[-1]
            bits = self._block(*key) >> (first * 8) & (1 << (last - first + 1) * 8) - 1
            fd = open_regular(_file_name(*key), self._directory, posix.O_WRONLY | posix.O_CREAT)
            try:
                posix.pwrite(fd, bits.to_bytes(last - first + 1, "little"), first)
            finally:
                close(fd)
        self._known.update(self._blocks)
        self._marked.clear()


def rewrite(directory: int, addresses: Iterable[Address]) -> None:
    """Make the bitmaps anew from the addresses that are taken."""
    blocks: dict[tuple[int, int], bytearray] = {}
    for family, value in addresses:
        block = blocks.setdefault((family, value >> _SHIFT), bytearray(_BYTES))
        block[(value & (_BITS - 1)) >> 3] |= 1 << (value & 7)
    for name in posix.listdir(directory):
        remove_anything(name_bytes(name), directory)
    for key, block in blocks.items():
        fd = open_regular(_file_name(*key), directory, posix.O_WRONLY | posix.O_CREAT)
        try:
            write_all(fd, bytes(block))
        finally:
            close(fd)
