"""Reading without changing: snapshots of the leases, and history line by line."""

from __future__ import annotations

import posix
from errno import ENXIO
from itertools import islice

from backends.directory import journal, leasefile, resting
from backends.directory.files import MOST_BYTES, SAFE, close, name_bytes, open_regular
from backends.directory.index import checksum
from backends.directory.seal import parse_seal
from ipam.address import format_address
from ipam.model import CLAIM, Address, Attachment, Event, Lease
from ipam.store import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from backends.directory.place import Place

_CHUNK = 1 << 20
_FEW = 16  # addresses, which it is quicker to look for in a line than to decode it
_TIME = b'{"time":'
_SEEK_DATA = 3  # os.SEEK_DATA, without the import


class Scan:
    """What the lease files say: who holds which address, what is blocked by junk, what a crash left empty."""

    def __init__(self, directory: int, known: Collection[Address] = ()) -> None:
        """`known` addresses are not looked at."""
        self.holders: dict[Address, Attachment] = {}
        self.blocked: list[Address] = []
        self.debris: list[Address] = []
        with posix.scandir(directory) as entries:
            for entry in entries:
                address = leasefile.address_of(entry.name)
                if address is not None and address not in known:
                    self._look(address, entry, directory)

    def _look(self, address: Address, entry: posix.DirEntry[str], directory: int) -> None:
        """Without fstat(2): the listing has told the type, and there may be very many."""
        if not entry.is_file(follow_symlinks=False):
            self.blocked.append(address)
            return
        try:
            fd = posix.open(name_bytes(entry.name), posix.O_RDONLY | SAFE, dir_fd=directory)
        except FileNotFoundError:
            return
        data = posix.read(fd, MOST_BYTES + 1)
        close(fd)
        who = leasefile.parse(data) if len(data) <= MOST_BYTES else leasefile.UNREADABLE
        if not data:
            self.debris.append(address)
        elif who == leasefile.UNREADABLE:
            self.blocked.append(address)
        else:
            self.holders[address] = who


def snapshot(place: Place) -> list[Lease]:
    """What the lease files say, with what history knows of each, in address order. Call it under the lock."""
    # A change that was killed may have left an entry whose place in history another line has by now.
    wanted = {(where[0], mark, address) for mark, address, where in place.index.entries(write=False)}
    starts = {start for start, _, _ in wanted}
    known = {}
    for (start, _end), line in read_lines(place.records):
        event = journal.decode(line) if start in starts else None
        if event is not None and event.what == CLAIM:
            lease = event.lease
            if (start, checksum(lease.attachment), lease.address) in wanted:
                known[lease.address, lease.attachment] = lease
    if place.index.is_current(posix.fstat(place.leases), write=False):
        told = {(checksum(who), address) for address, who in known}
        holders = dict(known.keys())
        for mark, address in {(mark, address) for _, mark, address in wanted} - told:
            who = leasefile.read(address, place.leases)
            if who is not None and checksum(who) == mark:
                holders[address] = who
    else:
        holders = Scan(place.leases).holders
        for mark, address in _uncommitted(place):
            if address in holders and checksum(holders[address]) == mark:
                del holders[address]
    if any((address, who) not in known for address, who in holders.items()):
        for (mark, address), where in last_claims(place.records).items():
            event = place.journal.event_at(where) if address in holders else None
            if event is not None and checksum(holders[address]) == mark:
                known.setdefault((address, holders[address]), event.lease)
    return [known.get((address, holders[address])) or _unrecorded(address, holders[address], place.leases)
            for address in sorted(holders)]  # fmt: skip


def unusable(place: Place) -> list[Address]:
    """Where something stands that is no lease. See Store."""
    known = {address for _, address, _ in place.index.entries(write=False)}
    return sorted(Scan(place.leases, known).blocked)


def _unrecorded(address: Address, who: Attachment, directory: int) -> Lease:
    """A lease of which nothing is known but its file."""
    try:
        status = posix.stat(leasefile.file_name(address), dir_fd=directory, follow_symlinks=False)
    except OSError:
        return Lease(address, who, None)
    return Lease(address, who, None, since=round(status.st_mtime, 6))


def _uncommitted(place: Place) -> list[tuple[int, Address]]:
    """What a change that was cut short had begun to claim: recover() will undo it."""
    begun, size = place.index.begun(), place.journal.file_size()
    if begun is None or size < begun:
        return []
    entries = place.index.entries(write=False)
    found = [(mark, address) for mark, address, (start, end) in entries if start >= begun and end > size]
    held = last_claims(place.records, {address for _, address in found}, begun) if found else {}
    return [key for key in found if key not in held]


def foreign_leases(directory: int) -> list[Lease]:
    """The leases in a directory that only Go has used so far, in address order."""
    holders = Scan(directory).holders
    return [_unrecorded(address, holders[address], directory) for address in sorted(holders)]


def rests(place: Place, now: float) -> list[tuple[Address, float]]:
    """The free addresses that rest at `now`, in order, and until when. Call it under the lock."""
    found = sorted(resting.read(place.records, now).items())
    return [(address, until) for address, until in found if leasefile.read(address, place.leases) is None]


def read_events(records: int, of: Collection[Address] = (), since: float | None = None) -> Iterator[Event]:
    """Every event that can be read, oldest first.

    Where they are to be `of` a few addresses, other lines are passed over at little cost, and so are those that begin
    with a time before `since`.
    """
    marks = _marks(of)
    for _, line in read_lines(records):
        if not _has(line, marks) or (since is not None and _time_of(line, since) < since):
            continue
        event = journal.decode(line)
        if event is not None:
            yield event


def _marks(of: Collection[Address]) -> list[bytes]:
    """What lines about these addresses have in them; nothing to look for where they are many."""
    return [b'"address":"%b"' % format_address(each).encode() for each in of] if len(of) <= _FEW else []


def _has(line: bytes, marks: list[bytes]) -> bool:
    return not marks or any(map(line.__contains__, marks))


def _time_of(line: bytes, otherwise: float) -> float:
    """The time that our lines begin with."""
    if not line.startswith(_TIME):
        return otherwise
    try:
        return float(line[len(_TIME) : line.find(b",")])
    except ValueError:
        return otherwise


def last_claims(
    records: int, of: Collection[Address] = (), end: int | None = None
) -> dict[tuple[int, Address], journal.Place]:
    """Where history has the claim of each lease that it does not know the end of, by checksum and address.

    For leases `of` these addresses alone, where they are few; as history was when it ended at the byte `end`.
    """
    claims: dict[tuple[int, Address], journal.Place] = {}
    marks = _marks(of)
    for where, line in read_lines(records):
        if end is not None and where[0] >= end:
            break
        event = journal.decode(line) if _has(line, marks) else None
        if event is not None and event.what == CLAIM:
            claims[checksum(event.lease.attachment), event.lease.address] = where
        elif event is not None:
            claims.pop((checksum(event.lease.attachment), event.lease.address), None)
    return claims


def read_lines(records: int) -> Iterator[tuple[journal.Place, bytes]]:
    """Every line of the history file with its place, oldest first; none where there is no file.

    Holes cost nothing, and what is longer than any line comes in pieces.
    """
    try:
        fd = open_regular(journal.HISTORY, records, posix.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        offset, rest = _next_data(fd, 0), b""
        while data := posix.pread(fd, _CHUNK, offset):
            start = offset - len(rest)
            offset += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                end = start + len(line) + 1
                stripped = line.lstrip(b"\0")
                yield (end - 1 - len(stripped), end), stripped
                start = end
            rest = rest.lstrip(b"\0")
            if len(rest) > journal.LONGEST:
                yield (offset - len(rest), offset), rest
                rest = b""
            if not rest:
                offset = _next_data(fd, offset)
    finally:
        close(fd)


def whole_since(records: int) -> float:
    """The time of the first event behind all that was forgotten. See Store."""
    lines = read_lines(records)
    _, first = next(lines, (None, b""))
    seal = parse_seal(first)
    if seal is None:
        return 0.0
    events = (journal.decode(line) for _, line in islice(lines, seal["carried"], None))
    return next((event.time for event in events if event is not None), NEVER)


def _next_data(fd: int, offset: int) -> int:
    """Where, from `offset` on, something else begins than a hole."""
    try:
        return posix.lseek(fd, offset, _SEEK_DATA)
    except OSError as error:
        if error.errno != ENXIO:
            raise
        return posix.fstat(fd).st_size
