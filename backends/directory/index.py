"""The index by attachment: one file, a hash table of fixed slots, so that a look costs one read at any size.

A slot says: the attachment with this checksum holds this address, and its claim is the line from `start` to
`end` of the history file. The checksum may be another's too, so readers ask the lease file who it belongs to.

The header carries the modification time that the last change set on the network's directory, a moment that
the kernel did not give it, and the change time that this had. While the directory still has both, nobody else has
created or removed a file there, nor unpacked a backup over it, and the index counts. Otherwise recover() makes it anew.
"""

from __future__ import annotations

import posix
from _struct import Struct
from binascii import crc32

from backends.directory.files import SAFE, NotRegular, name_bytes, remove, write_all
from backends.directory.kept import KeptFile
from ipam import chain
from ipam.model import IPV4, IPV6, Address, Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backends.directory.journal import Place

    Entry = tuple[int, Address, Place]

INDEX = b"index"

_MAGIC = b"ipam index 3\n".ljust(32)
_NUMBERS = Struct(">7Q")  # slots, those in use, stamp, begun, history's size, change time, bare entries
_BEGUN = len(_MAGIC) + 3 * 8
_LINK = len(_MAGIC) + _NUMBERS.size  # where the link of the last event stands, see ipam.chain
_HEADER = _LINK + len(chain.START)
_SLOT = 40  # checksum 4, family 1, address 16, start 8, end 8, unused 3
TABLE = ">IB16sQQ3x"
"""A slot in the words of struct, which few need: checksum, family, address, start, end."""

_KEY = 21  # checksum, family, address
_UNUSED = bytes(3)
_WINDOW = 16 * _SLOT
_LEAST = 256
_GONE = 255  # in place of the family: deleted, but the search goes on behind it
_PAST = 2_000_000_000  # nanoseconds: a time that no file system stamps on a change made now


def checksum(who: Attachment) -> int:
    """Where the search for an attachment begins."""
    return crc32(name_bytes(f"{who.container_id}:{who.ifname}"))


def _key(mark: int, address: Address) -> bytes:
    """What a slot begins with."""
    family, value = address
    return mark.to_bytes(4, "big") + bytes((family,)) + value.to_bytes(16, "big")


def _pack(mark: int, address: Address, place: Place) -> bytes:
    start, end = place
    return _key(mark, address) + start.to_bytes(8, "big") + end.to_bytes(8, "big") + _UNUSED


def _unpack(slot: bytes) -> Entry:
    number = int.from_bytes
    address = Address(slot[4], number(slot[5:21], "big"))
    return number(slot[:4], "big"), address, (number(slot[21:29], "big"), number(slot[29:37], "big"))


class Index:
    """The table of one network, opened when it is needed."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._file = KeptFile(INDEX, records)
        self._read = False
        self._slots = 0
        self._used = 0
        self._stamp = 0
        self._begun = 0
        self._history = 0
        self._changed = 0
        self._bare = 0
        self._link: bytes | None = None
        self._header = b""  # as it is in the file, where these numbers are what it says

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._read = False

    def begin_transaction(self) -> None:
        """Believe nothing of what was read before: others may have changed the file."""
        self._read = False

    def _open(self, *, write: bool = True) -> bool:
        """Whether there is a table to read."""
        if self._read:
            return True
        known = self._slots if self._file.fd >= 0 else 0
        try:
            fd = self._file.open(posix.O_RDWR if write else posix.O_RDONLY)
        except (FileNotFoundError, NotRegular):
            return False
        header = posix.pread(fd, _HEADER, 0)
        if known and header == self._header:
            self._read = True
            return True
        sound = len(header) == _HEADER and header.startswith(_MAGIC)
        numbers = _NUMBERS.unpack_from(header, len(_MAGIC)) if sound else (0,)
        slots = numbers[0]
        if slots < _LEAST or (slots != known and posix.fstat(fd).st_size != _HEADER + slots * _SLOT):
            self._file.close()
            return False
        self._read = True
        self._slots, self._used, self._stamp, self._begun, self._history, self._changed, self._bare = numbers
        self._link, self._header = header[_LINK:], header
        return True

    def is_current(self, network: posix.stat_result, *, write: bool = True) -> bool:
        """Whether nobody else has changed the network's directory since the last stamp()."""
        if not self._open(write=write):
            return False
        return (network.st_mtime_ns, network.st_ctime_ns) == (self._stamp, self._changed)

    def is_settled(self, network: posix.stat_result, history: int) -> bool:
        """Whether all is as the last stamp() left it: the network's directory, history's length, no change begun."""
        times = network.st_mtime_ns, network.st_ctime_ns
        return self._open() and times == (self._stamp, self._changed) and (0, history) == (self._begun, self._history)

    def chained(self) -> tuple[int, bytes | None]:
        """How long history was at the last stamp(), and the link of its last event; None without a table."""
        return (self._history, self._link) if self._open(write=False) else (0, None)

    def history_size(self) -> int:
        """How long history was at the last stamp()."""
        return self.chained()[0]

    def follow(self, link: bytes) -> None:
        """Say which link the next event follows; it is written with the next stamp()."""
        self._link, self._header = link, b""

    def identity(self) -> tuple[int, int, int]:
        """What tells one stamp() from every other: the moment, the kernel's, and how much history there was."""
        return self._stamp, self._changed, self._history

    def knows_history(self, size: int) -> bool:
        """Whether the history file is as long as the last stamp() left it. If not, its places mean nothing."""
        return self._open() and size == self._history

    def mark(self, network: int, now: float) -> tuple[int, int]:
        """Give the network's directory a time that only we give: what anybody changes from now on will show.

        The times that it has then, of modification and of change, in nanoseconds; `now` is in seconds.
        """
        moment = max(1, int(now * 1e9) - _PAST)
        posix.utime(network, ns=(moment, moment))
        status = posix.fstat(network)  # a file system may keep whole seconds alone
        return status.st_mtime_ns, status.st_ctime_ns

    def stamp(self, times: tuple[int, int], history: int) -> None:
        """Declare the table current for a directory with these times: call it last, under the lock."""
        self._stamp, self._changed = times
        self._begun, self._history = 0, history
        self._write_header()

    def distrust(self) -> None:
        """Declare the table not current: until the next stamp(), every call recovers first."""
        if self._open():
            self._stamp = 0
            self._write_header()

    def begin(self, end: int) -> None:
        """Note that claims are put whose lines in history will begin at `end`, and are not written yet."""
        if self._open():
            self._begun, self._header = end + 1, b""
            posix.pwrite(self._file.fd, self._begun.to_bytes(8, "big"), _BEGUN)

    def begun(self, *, write: bool = True) -> int | None:
        """Where the lines of the change begin that was begun last and not brought to its end; None without one."""
        return self._begun - 1 if self._open(write=write) and self._begun else None

    def _write_header(self) -> None:
        numbers = (self._slots, self._used, self._stamp, self._begun, self._history, self._changed, self._bare)
        header, self._header = _MAGIC + _NUMBERS.pack(*numbers) + (self._link or chain.START), b""
        posix.pwrite(self._file.fd, header, 0)
        self._header = header

    def find(self, who: Attachment) -> dict[Address, Place]:
        """The addresses that may be held by `who`, each with the place of its claim."""
        found: dict[Address, Place] = {}
        if self._open() and (who.ifname or self._bare):
            mark = checksum(who)
            wanted = mark.to_bytes(4, "big")
            for _, slot in self._probe(mark):
                if slot[:4] == wanted and slot[4] in (IPV4, IPV6):
                    _, address, place = _unpack(slot)
                    found[address] = place
        return found

    def _probe(self, mark: int) -> Iterator[tuple[int, bytes]]:
        """(number, content) of the slots from a checksum's own to the next empty one, that one included."""
        first = mark % self._slots
        for number in range(first, first + self._slots):
            place = number % self._slots
            if number == first or (number - first) % (_WINDOW // _SLOT) == 0 or place == 0:
                base, window = place, posix.pread(self._file.fd, _WINDOW, _HEADER + place * _SLOT)
            slot = window[(place - base) * _SLOT : (place - base + 1) * _SLOT]
            yield place, slot
            if not slot[4]:
                return

    def put(self, who: Attachment, address: Address, place: Place) -> Place | None:
        """Say that `who` holds `address`; the place that was told before, None where it is new."""
        if not self._open() or self._used * 4 >= self._slots * 3:
            self.rewrite(list(self.entries()))
        if not who.ifname:
            self._bare += 1
        mark = checksum(who)
        key = _key(mark, address)
        free, before = -1, None
        for number, slot in self._probe(mark):
            if slot[4] in (0, _GONE):
                free = number if free < 0 else free
                self._used += not slot[4] and free == number
            elif slot[:_KEY] == key:
                free, before = number, _unpack(slot)[2]
                break
        posix.pwrite(self._file.fd, _pack(mark, address, place), _HEADER + free * _SLOT)
        return before

    def remove(self, who: Attachment, address: Address) -> None:
        """Say no longer that `who` holds `address`."""
        mark = checksum(who)
        key = _key(mark, address)
        slots = self._probe(mark) if self._open() else iter(())
        for number, slot in slots:
            if slot[:_KEY] == key:
                _, behind = next(slots, (0, slot))
                ends_here = not behind[4]  # then no search needs to go on, and the slot is as good as new
                posix.pwrite(self._file.fd, bytes((0 if ends_here else _GONE,)), _HEADER + number * _SLOT + 4)
                self._used -= ends_here
                return

    def entries(self, *, write: bool = True) -> Iterator[Entry]:
        """Every (checksum, address, place), in no order."""
        if not self._open(write=write):
            return
        data = posix.pread(self._file.fd, self._slots * _SLOT, _HEADER)
        for start in range(0, len(data), _SLOT):
            if data[start + 4] in (IPV4, IPV6):
                yield _unpack(data[start : start + _SLOT])

    def table(self) -> bytes:
        """All slots, see TABLE, of an index that is open."""
        return posix.pread(self._file.fd, self._slots * _SLOT, _HEADER)

    def rewrite(self, entries: Iterable[Entry], bare: int | None = None) -> None:
        """Put a new table, with these entries only, in place of the old one; it is as current as that was.

        `bare` of them are of containers without an interface's name; None where that is as before.
        """
        entries = list(entries)
        self._bare = self._bare if bare is None else bare
        slots = _LEAST
        while slots < 4 * len(entries):
            slots *= 2
        table = bytearray(slots * _SLOT)
        for mark, address, place in entries:
            at = mark % slots
            while table[at * _SLOT + 4]:
                at = (at + 1) % slots
            table[at * _SLOT : (at + 1) * _SLOT] = _pack(mark, address, place)
        self.close()
        self._slots, self._used = slots, len(entries)
        temporary = b"index.new"
        flags = posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC | SAFE
        self._file.fd = posix.open(temporary, flags, 0o600, dir_fd=self._records)
        try:
            self._write_header()
            posix.lseek(self._file.fd, _HEADER, 0)
            write_all(self._file.fd, table)
            posix.rename(temporary, INDEX, src_dir_fd=self._records, dst_dir_fd=self._records)
            self._read = True
        except BaseException:
            self.close()
            remove(temporary, self._records)  # the disk may be full
            raise
