"""History on disk: one JSON object a line, appended under the lock; an event's place in the file is its name."""

# A lease's entry in the index points at the line of its claim, so places never change: forgetting leaves
# a hole (a sparse file) where old lines were, and readers skip the NULs.
from __future__ import annotations

import posix
from errno import EIO

from backends.directory.files import sync, write_all
from backends.directory.kept import KeptFile
from ipam import chain, jsontext
from ipam.address import parse_address
from ipam.errors import CniError
from ipam.model import CLAIM, DROP, Attachment, Event, Lease, Pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ipam.model import Address

HISTORY = b"history"

LONGEST = 1 << 17
"""Bytes of a line: names in it are bounded, so what is longer is damaged."""

_MOST_KNOWN = 256

Place = tuple[int, int]
"""Where a line begins and ends, in bytes from the start of the file."""


def encode_chained(events: list[Event], before: bytes | None) -> tuple[list[bytes], bytes]:
    """The lines of events that follow the link `before` (None: the first of all), and the last one's own link."""
    lines, link = [], before or chain.START
    for event in events:
        line, link = chain.chained(link, chain.body(event))
        lines.append(line)
    return lines, link


def decode(line: bytes) -> Event | None:
    """The event of one line, or None for a torn or foreign one: readers go on behind it."""
    try:
        value = jsontext.decode(line)
    except CniError:
        return None
    if not isinstance(value, dict):
        return None
    get = value.get
    address = parse_address(get("address", "") if isinstance(get("address"), str) else "")
    time, what = get("time"), get("what")
    if address is None or what not in (CLAIM, DROP) or not isinstance(time, int | float):
        return None
    boot, network = str(get("boot", "")), str(get("network", ""))
    return Event(time, boot, network, what, lease_of(value, address), str(get("cause", "")), str(get("note", "")))


def lease_of(value: dict[str, Any], address: Address) -> Lease:
    """The lease in the object of a line, `address` being its own."""
    get = value.get
    time, range_set = value["time"], get("range_set")
    since = get("since", time)
    return Lease(
        address,
        Attachment(str(get("container", "")), str(get("ifname", ""))),
        range_set if isinstance(range_set, int) else None,
        Pod(str(get("namespace", "")), str(get("pod", "")), str(get("uid", ""))),
        since if isinstance(since, int | float) else time,
        str(get("claimed_in", get("boot", ""))),
        str(get("node", "")),
    )


class Journal:
    """The history file of one network, opened when it is needed."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._file = KeptFile(HISTORY, records)
        self._known: dict[Place, Event] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._known.clear()

    def know(self, events: list[Event], lines: list[bytes], at: int) -> None:
        """Remember the claims whose lines begin at `at`: a lease often ends in the process that made it."""
        for event, line in zip(events, lines, strict=True):
            if event.what == CLAIM:
                if len(self._known) >= _MOST_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[at, at + len(line)] = event
            at += len(line)

    def _open(self) -> int:
        return self._file.open(posix.O_RDWR | posix.O_CREAT | posix.O_APPEND)

    def descriptor(self) -> int | None:
        """One to read the file with, closed with the journal; None where there is no file."""
        try:
            return self._file.open(posix.O_RDONLY)
        except FileNotFoundError:
            return None

    def size(self) -> int:
        """How long the file is: the place of the next event."""
        return posix.fstat(self._open()).st_size

    def append(self, lines: list[bytes], at: int, *, durable: bool) -> None:
        """Write lines at the end, which is `at`; what a failure left of them is cut off again."""
        fd = self._open()
        try:
            write_all(fd, b"".join(lines))
            if durable:
                sync(fd)
        except OSError:
            posix.ftruncate(fd, at)
            raise

    def cut(self, size: int) -> None:
        """Cut off what lies behind `size`: events of a change that was never done."""
        self._known.clear()
        posix.ftruncate(self._open(), size)

    def file_size(self) -> int:
        """The same without making the file where there is none: 0."""
        if self._file.fd >= 0:
            return self.size()
        try:
            return posix.stat(HISTORY, dir_fd=self._records, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def event_at(self, place: Place) -> Event | None:
        """The event of that place, None where there is none."""
        if place in self._known:
            return self._known[place]
        start, end = place
        if not 0 < end - start <= LONGEST:
            return None
        return decode(posix.pread(self._open(), end - start, start))

    def read(self, start: int, count: int) -> bytes:
        """Bytes of the file, some of them at least. Raises OSError where it ends before."""
        data = posix.pread(self._open(), count, start)
        if not data:
            raise OSError(EIO, "the file is shorter than it was", HISTORY)
        return data

    def events_from(self, start: int) -> list[Event] | None:
        """The events from a place to the end; None where the last line is torn."""
        *lines, rest = posix.pread(self._open(), max(0, self.size() - start), start).split(b"\n")
        return None if rest else [event for event in map(decode, lines) if event is not None]

    def event_behind(self, offset: int) -> Event | None:
        """The first event whose line begins behind that byte."""
        _, _, rest = posix.pread(self._open(), 2 * LONGEST, offset).partition(b"\n")
        return next((event for event in map(decode, rest.split(b"\n")[:-1]) if event is not None), None)

    def end_line(self) -> None:
        """Let the next line begin a line, where the last one was torn."""
        size = self.size()
        if size and posix.pread(self._open(), 1, size - 1) != b"\n":
            self.append([b"\n"], size, durable=False)

    def last_link(self) -> bytes | None:
        """The link of the last line, None where there is none, or the line has none."""
        size = self.size()
        return chain.last(posix.pread(self._open(), chain.TAIL + 1, max(0, size - chain.TAIL - 1)))
