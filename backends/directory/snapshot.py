"""All leases at one moment, quickly: only what must be one moment's is taken under the lock."""

from __future__ import annotations

import posix
from binascii import crc32
from struct import iter_unpack

from backends.directory import journal
from backends.directory.files import close, name_bytes
from backends.directory.index import TABLE
from ipam import jsontext
from ipam.address import format_address
from ipam.errors import CniError
from ipam.model import CLAIM, IPV4, IPV6, Address, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backends.directory.place import Place

    Entry = tuple[int, int, int, int, int]  # start and end in history, checksum, family, value

_CHUNK = 1 << 19
_MOST_JOINED = jsontext.LIMIT - 2


class Snapshot:
    """The index's table and the history file, as they were under the lock; history only ever grows, or is replaced."""

    def __init__(self, table: bytes, history: int) -> None:
        """`history` is a descriptor, to be closed by leases()."""
        self._table = table
        self._history = history

    def leases(self) -> list[Lease] | None:
        """The leases in address order; None where history does not have them all. Call it once, without the lock."""
        try:
            entries = sorted(
                (start, end, mark, family, int.from_bytes(value, "big"))
                for mark, family, value, start, end in iter_unpack(TABLE, self._table)
                if family in (IPV4, IPV6)
            )
            found = [lease for group, lines in self._lines(entries) for lease in _leases(group, lines)]
        except (CniError, OSError, LookupError, TypeError, ValueError):
            return None  # the slow way has better words, or finds a way round
        finally:
            close(self._history)
        found.sort(key=_address)
        return found if len({lease.address for lease in found}) == len(entries) else None

    def _lines(self, entries: list[Entry]) -> Iterator[tuple[list[Entry], list[bytes]]]:
        """The entries in groups, each with the lines of their claims; reads only where there are any."""
        place = 0
        while place < len(entries):
            base = entries[place][0]
            chunk = posix.pread(self._history, _CHUNK, base)
            group = []
            while place < len(entries) and entries[place][1] <= base + len(chunk):
                group.append(entries[place])
                place += 1
            if not group:
                raise ValueError("a line that is longer than any")
            yield group, [chunk[start - base : end - base - 1] for start, end, *_ in group]


def take(place: Place) -> Snapshot | None:
    """What leases() needs, read under the lock; None where index and history are not in order."""
    index = place.index
    if not index.is_current(posix.fstat(place.leases), write=False) or index.begun(write=False) is not None:
        return None
    history = place.journal.descriptor()
    if history is None or not index.knows_history(posix.fstat(history).st_size):
        return None
    return Snapshot(index.table(), posix.dup(history))


def _leases(group: list[Entry], lines: list[bytes]) -> Iterator[Lease]:
    joined = b",".join(lines)
    if len(joined) > _MOST_JOINED:
        raise ValueError("lines that are longer than any")
    values = jsontext.decode(b"[" + joined + b"]")
    if not isinstance(values, list):
        raise TypeError
    for (_, _, mark, family, number), value in zip(group, values, strict=True):
        address = Address(family, number)
        lease = journal.lease_of(value, address)
        who = lease.attachment
        told = value["what"], value["address"], crc32(name_bytes(f"{who.container_id}:{who.ifname}"))
        if told != (CLAIM, format_address(address), mark):
            raise ValueError("another line by now")
        yield lease


def _address(lease: Lease) -> Address:
    return lease.address
