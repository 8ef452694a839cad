"""What can be audited: anything that yields a header and records, as often as it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from ipam.audit import files
from ipam.audit.snapshot import Damaged, Header, Reader, Record
from ipam.errors import CniError


class Reading(Protocol):
    """A source that is open: its header, and its records, once."""

    header: Header

    def records(self) -> Iterator[Record]:
        """Every record. Raises Damaged."""


class Source(Protocol):
    """A snapshot file, or a store that is looked at directly."""

    name: str

    def open(self) -> AbstractContextManager[Reading]:
        """Begin to read. Raises Damaged, OSError, CniError."""


class SnapshotFile:
    """A snapshot in a file."""

    def __init__(self, path: Path, trusted: str | None = None) -> None:
        """`trusted` is the public key that it must be signed with, as ipam.audit.signing has it; None: none."""
        self.name = str(path)
        self._path = path
        self._trusted = trusted

    @contextmanager
    def open(self) -> Iterator[Reading]:
        """See Source."""
        with files.reading(self._path) as reader:
            yield reader if self._trusted is None else Trusted(reader, self._trusted)


class Trusted:
    """A snapshot that must be signed; whether it is shows at its end."""

    def __init__(self, reader: Reader, key: str) -> None:
        self.header = reader.header
        self._reader = reader
        self._key = key

    def records(self) -> Iterator[Record]:
        """See Reading. Raises Damaged at the end where the signature is not good."""
        from ipam.audit import signing

        yield from self._reader.records()
        try:
            signing.verify(self._reader.signature, self._key)
        except signing.BadSignature as error:
            raise Damaged(0, str(error)) from None


class Taken:
    """A snapshot in memory: its header, and its records."""

    def __init__(self, name: str, header: Header, records: list[Record]) -> None:
        self.name = name
        self.header = header
        self._records = records

    @contextmanager
    def open(self) -> Iterator[Taken]:
        """See Source."""
        yield self

    def records(self) -> Iterator[Record]:
        """See Reading."""
        return iter(self._records)


def header_of(source: Source) -> Header:
    """The header alone. Raises Damaged with line 0 for what cannot be opened at all."""
    try:
        with source.open() as reading:
            return reading.header
    except OSError as error:
        raise Damaged(0, f"cannot be read: {error.strerror or error}") from None


def damage_of(source: Source) -> Damaged | None:
    """What is wrong with it, which reading all of it tells; None where nothing is."""
    try:
        with source.open() as reading:
            for _ in reading.records():
                pass
    except Damaged as damage:
        return damage
    except (OSError, CniError) as error:
        return Damaged(0, f"cannot be read: {error}")
    return None
