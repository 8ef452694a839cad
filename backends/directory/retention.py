"""Forgetting old history without losing a lease: rewrite the file, then say anew where each claim is."""

from __future__ import annotations

import posix

from backends.directory import journal
from backends.directory.files import close, readlink, remove, symlink, sync, write_all
from backends.directory.reading import last_claims, read_lines
from backends.directory.seal import encode_seal, parse_seal
from ipam import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.place import Place

_CHUNK = 1 << 20
_FORGETTING = b"forgetting"
"""Stands in the records while history is being rewritten: until it is gone, the index's places are wrong."""


def forget(place: Place, before: float, now: float, behind: int = 0) -> int:
    """Remove events older than `before` but for claims of leases still held; how many. Call it under the lock.

    Those that begin before the byte `behind` are old too, whatever their time. All events from the first on that is
    not old stay as they are, for they are links of a chain; a seal takes the place of those before it. The file does
    not get shorter (a hole takes the place of what is forgotten), so that the place of a claim that is not committed
    yet is still behind the end of the file.
    """
    held = {where[0] for _, _, where in place.index.entries()}
    old = _Old(held, before, behind)
    size = place.journal.size()
    kept = next((start for (start, _end), line in read_lines(place.records) if not old.take(start, line)), size)
    if old.removed:
        place.index.distrust()
        symlink(b"-", _FORGETTING, place.records, place.records)
        seal = encode_seal(now, old.sealed + old.removed, old.carried, old.head)
        _replace(place, b"".join([seal, *old.carried]), kept, size)
        place.journal.close()
        finish_forgetting(place)
        place.stamp(place.journal.size(), place.index.mark(place.leases, now))
    return old.removed


def shorten(place: Place, age: float, size: int, now: float) -> int:
    """Forget what is older than `age` seconds, and of more than `size` bytes the oldest quarter; 0: no limit.

    Not before an eighth of the file can go at once, since the rest of it has to be written anew. What was carried on
    behind the seal is not counted: leases that are held keep their claims.
    """
    end = place.journal.size()
    begin = _behind_the_seal(place)
    before = 0.0
    if age:
        oldest = place.journal.event_behind(begin + (end - begin) // 8)
        before = now - age if oldest is not None and oldest.time < now - age else 0.0
    behind = end - size * 3 // 4 if size and end - begin > size else 0
    return forget(place, before, now, behind) if before or behind else 0


def _behind_the_seal(place: Place) -> int:
    """Where in the file the events begin that no seal stands for."""
    for (_start, end), line in read_lines(place.records):
        seal = parse_seal(line)
        return end + seal["bytes"] if seal is not None else end - len(line) - 1
    return 0


class _Old:
    """The beginning of a history: which of its lines are forgotten, and which carried on as claims of leases."""

    def __init__(self, held: set[int], before: float, behind: int) -> None:
        self.carried: list[bytes] = []
        self.removed = self.sealed = 0
        self.head = chain.START
        self._held = held
        self._before = before
        self._behind = behind
        self._carried_before = 0  # lines to come that an earlier seal stands for: their links lead nowhere

    def take(self, start: int, line: bytes) -> bool:
        """Look at the next line, which begins at the byte `start`; False where from it on all stays as it is."""
        seal = parse_seal(line)
        if seal is not None:
            self.sealed, self._carried_before = seal["removed"], seal["carried"]
            self.head = chain.parse(seal["head"].encode("ascii", "replace")) or self.head
            return True
        event = journal.decode(line)
        recent = event is not None and event.time >= self._before and start >= self._behind
        if recent and not self._carried_before:
            return False
        parts = chain.split(line)
        if self._carried_before:
            self._carried_before -= 1
        elif parts is not None:
            self.head = parts[1]
        if recent or start in self._held:
            self.carried.append(line + b"\n")
        else:
            self.removed += 1
        return True


def _replace(place: Place, head: bytes, kept: int, size: int) -> None:
    """Put a file that ends with `head` and what stands from the byte `kept` on in place of the history of that `size`.

    It is as long as the old one at least, so that what is kept stays where it is.
    """
    temporary = b"history.new"
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    new = max(size, len(head) + size - kept)
    fd = posix.open(temporary, flags, 0o600, dir_fd=place.records)
    try:
        posix.lseek(fd, new - (size - kept) - len(head), 0)
        write_all(fd, head)
        while kept < size:
            part = place.journal.read(kept, min(_CHUNK, size - kept))
            write_all(fd, part)
            kept += len(part)
        posix.ftruncate(fd, new)
        sync(fd)
    except BaseException:
        remove(temporary, place.records)  # the disk may be full
        raise
    finally:
        close(fd)
    posix.rename(temporary, journal.HISTORY, src_dir_fd=place.records, dst_dir_fd=place.records)


def finish_forgetting(place: Place) -> None:
    """Where history is being rewritten: find the claims that the index knows of again, and say where they are."""
    if readlink(_FORGETTING, place.records) is None:
        return
    claims = last_claims(place.records)
    entries = [(mark, address, claims.get((mark, address), old)) for mark, address, old in place.index.entries()]
    place.index.rewrite(entries)
    remove(_FORGETTING, place.records)
