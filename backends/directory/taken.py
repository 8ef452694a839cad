"""Which addresses are taken: bitmaps of 32,768 addresses a file, so that the next free one costs no search."""

from __future__ import annotations

import posix

from backends.directory.files import close, name_bytes, open_regular, read_small, remove_anything, write_all
from backends.directory.kept import KeptFile
from ipam.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHIFT = 15
_BITS = 1 << _SHIFT
_BYTES = _BITS // 8
_MOST_KNOWN = 64
_HEX = frozenset("0123456789abcdef")


def _file_name(family: int, block: int) -> bytes:
    return b"%d-%x" % (family, block)


class Bitmaps:
    """The bitmap files of one network, kept open, and what was read of them."""

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self._files: dict[tuple[int, int], KeptFile] = {}
        self._blocks: dict[tuple[int, int], int] = {}

    def block(self, family: int, block: int) -> int:
        """The bits of one file, lowest first: an address is taken where its bit is set."""
        key = (family, block)
        bits = self._blocks.get(key)
        if bits is None:
            self._make_room()
            try:
                fd = self._file(key).open(posix.O_RDWR)
            except FileNotFoundError:
                bits = 0
            else:
                bits = int.from_bytes(posix.pread(fd, _BYTES, 0), "little")
            self._blocks[key] = bits
        return bits

    def write(self, family: int, block: int, bits: int, first: int, last: int) -> None:
        """Put the bytes from the `first` to the `last` of a block of `bits` into its file."""
        key = (family, block)
        if key not in self._files:
            self._make_room()
        part = bits >> (first * 8) & (1 << (last - first + 1) * 8) - 1
        fd = self._file(key).open(posix.O_RDWR | posix.O_CREAT)
        posix.pwrite(fd, part.to_bytes(last - first + 1, "little"), first)
        self._blocks[key] = bits

    def _file(self, key: tuple[int, int]) -> KeptFile:
        if key not in self._files:
            self._files[key] = KeptFile(_file_name(*key), self._directory)
        return self._files[key]

    def _make_room(self) -> None:
        if max(len(self._blocks), len(self._files)) >= _MOST_KNOWN:
            self.close()

    def forget(self) -> None:
        """Read the files again when they are needed."""
        self._blocks.clear()

    def close(self) -> None:
        """Let go of the files."""
        self.forget()
        while self._files:
            self._files.popitem()[1].close()


class Taken:
    """The bitmaps with one change's marks on top."""

    def __init__(self, bitmaps: Bitmaps) -> None:
        self._bitmaps = bitmaps
        self._blocks: dict[tuple[int, int], int] = {}
        self._marked: set[Address] = set()

    def _block(self, family: int, block: int) -> int:
        bits = self._blocks.get((family, block))
        return self._bitmaps.block(family, block) if bits is None else bits

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
            bits = self._block(family, block) >> place
            found = first + (~bits & (bits + 1)).bit_length() - 1  # the lowest bit that is not set
            if found >> _SHIFT == block:
                return found if found <= last else None
            first = (block + 1) << _SHIFT
        return None

    def save(self) -> None:
        """Write the marks, the bytes from the first to the last that have one in each file."""
        bytes_of: dict[tuple[int, int], list[int]] = {}
        for family, value in sorted(self._marked):
            bytes_of.setdefault((family, value >> _SHIFT), []).append((value & (_BITS - 1)) >> 3)
        for key, numbers in bytes_of.items():
            self._bitmaps.write(*key, self._blocks[key], numbers[0], numbers[-1])
        self._marked.clear()


def addresses(directory: int) -> Iterator[Address]:
    """Every address that is marked in the files of a directory. Needs read access alone."""
    for name in sorted(posix.listdir(directory)):
        family, dash, block = name.partition("-")
        if family not in ("4", "6") or not dash or not _HEX.issuperset(block):
            continue
        data = read_small(name_bytes(name), directory) or b""
        bits, value = int.from_bytes(data, "little"), int(block, 16) << _SHIFT
        while bits:
            skipped = (bits & -bits).bit_length()
            bits, value = bits >> skipped, value + skipped
            yield Address(int(family), value - 1)


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
