"""Snapshot files: compressed by extension, written whole or not at all, read a piece at a time."""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from ipam.audit.snapshot import LONGEST_LINE, Damaged, Reader

_PIECE = 1 << 16
_MOST_INFLATED = 1 << 20  # bytes that one step of a decompressor may yield
_MOST_XZ_MEMORY = 1 << 27  # an xz file says itself how much it wants


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The reader of a snapshot file, plain, .gz or .xz. Raises OSError, Damaged."""
    with path.open("rb") as file:
        yield Reader(lines(inflated(file, path.suffix)))


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their ends, whatever pieces they come in; none longer than LONGEST_LINE."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > LONGEST_LINE:
            raise Damaged(0, "a line is longer than any of a snapshot")
    if rest:
        yield rest


def inflated(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    """The content in pieces of bounded size. Raises Damaged where it cannot be decompressed."""
    pieces = iter(lambda: file.read(_PIECE), b"")
    try:
        if suffix == ".gz":
            yield from _gunzip(pieces)
        elif suffix == ".xz":
            yield from _unxz(pieces)
        else:
            yield from pieces
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise Damaged(0, f"cannot be decompressed: {error}") from None


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(wbits=31)  # gzip's header and trailer
    for piece in pieces:
        rest = piece
        while rest:
            if inflate.eof:
                inflate = zlib.decompressobj(wbits=31)
            yield inflate.decompress(rest, _MOST_INFLATED)
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if not inflate.eof:
        raise EOFError("it ends in the middle")


def _unxz(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflate = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_XZ_MEMORY)
    for piece in pieces:
        data = piece
        while data or not (inflate.needs_input or inflate.eof):
            if inflate.eof:
                inflate = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_XZ_MEMORY)
            yield inflate.decompress(data, _MOST_INFLATED)
            data = inflate.unused_data if inflate.eof else b""
    if not inflate.eof:
        raise EOFError("it ends in the middle")


def write(path: Path, content: Iterable[bytes], mode: int = 0o600) -> None:
    """Write a file at once: who looks finds the old one or the whole new one. For its owner alone, on the disk.

    Of a link the file that it leads to is replaced. What is no regular file (a device, a FIFO), or is our own stdout,
    is written to as it stands, and nothing takes its place.
    """
    fd = _standing(path)
    if fd is not None:
        with os.fdopen(fd, "wb") as file:
            deflate(file, path.suffix, content)
        return
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            deflate(file, path.suffix, content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except BaseException as error:
        new.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(new):  # of which nobody has heard
            error.filename = str(path)
        raise


def _standing(path: Path) -> int | None:
    """What is to be written to and not replaced, open; None for a file, or for nothing at all."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    if os.path.samestat(there, os.fstat(1)):  # opened anew, a file would be written from its beginning on
        return os.dup(1)
    return None if S_ISREG(there.st_mode) else os.open(path, os.O_WRONLY | os.O_CLOEXEC)


def deflate(file: BinaryIO, suffix: str, content: Iterable[bytes]) -> None:
    """Write content, compressed as the extension says. A file of the same content is the same, byte for byte."""
    if suffix == ".gz":
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            packed.writelines(content)
    elif suffix == ".xz":
        with lzma.LZMAFile(file, "wb", preset=3) as packed:
            packed.writelines(content)
    else:
        file.writelines(content)
