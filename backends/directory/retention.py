"""Forgetting old history without losing a lease: rewrite the file, then say anew where each claim is."""

from __future__ import annotations

import posix

from backends.directory import journal
from backends.directory.files import close, readlink, remove, symlink, write_all
from backends.directory.reading import last_claims, read_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.place import Place

_FORGETTING = b"forgetting"
"""Stands in the records while history is being rewritten: until it is gone, the index's places are wrong."""


def forget(place: Place, before: float, now: float) -> int:
    """Remove events older than `before` but for claims of leases still held; how many. Call it under the lock.

    The file keeps its length (a hole takes the place of what is forgotten), so that the place of a claim
    that is not committed yet is still behind the end of the file.
    """
    held = {where[0] for _, _, where in place.index.entries()}
    kept, removed = [], 0
    for (start, _end), line in read_lines(place.records):
        event = journal.decode(line)
        if start in held or (event is not None and event.time >= before):
            kept.append(line + b"\n")
        else:
            removed += 1
    if removed:
        place.index.distrust()
        symlink(b"-", _FORGETTING, place.records, place.records)
        _replace(place.records, b"".join(kept), place.journal.size())
        place.journal.close()
        finish_forgetting(place)
        place.stamp(place.journal.size(), now)
    return removed


def _replace(records: int, data: bytes, size: int) -> None:
    """Put a file with `data` at its end in place of the history; it is `size` long, as the old one was."""
    temporary = b"history.new"
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    fd = posix.open(temporary, flags, 0o600, dir_fd=records)
    try:
        posix.lseek(fd, size - len(data), 0)
        write_all(fd, data)
        posix.ftruncate(fd, size)
        posix.fsync(fd)
    finally:
        close(fd)
    posix.rename(temporary, journal.HISTORY, src_dir_fd=records, dst_dir_fd=records)


def finish_forgetting(place: Place) -> None:
    """Where history is being rewritten: find the claims that the index knows of again, and say where they are."""
    if readlink(_FORGETTING, place.records) is None:
        return
    claims = last_claims(place.records)
    entries = [(mark, address, claims.get((mark, address), old)) for mark, address, old in place.index.entries()]
    place.index.rewrite(entries)
    remove(_FORGETTING, place.records)
