"""The network's lock: flock(2) on the file that Go locks."""

from __future__ import annotations

import posix
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

from backends.directory.files import NotRegular, close, open_regular
from ipam.errors import InputOutput, TryAgain
from ipam.store import Busy

LOCK = b"lock"
_TRIES = 100


def acquire(directory: int, place: str, timeout: float, *, shared: bool = False) -> int:
    """A descriptor that holds the lock of the network whose directory is given; closing it lets go.

    Raises TryAgain after `timeout` seconds, naming who holds the lock where that can be read (Busy at once where
    `timeout` is 0); InputOutput where something else stands in the lock's place.
    """
    for _ in range(_TRIES):
        try:
            fd = _open(directory, shared=shared)
        except NotRegular:
            raise InputOutput(
                f"{place}/lock is not a regular file", f"remove {place}/lock; it is made again when needed"
            ) from None
        try:
            _wait(fd, place, timeout, LOCK_SH if shared else LOCK_EX)
            if posix.fstat(fd).st_nlink:
                return fd
        except BaseException:
            close(fd)
            raise
        close(fd)  # somebody removed the file while we waited: our lock is on nothing
    raise TryAgain(f"{place}/lock is removed again and again", "something deletes it while it is in use")


def _open(directory: int, *, shared: bool) -> int:
    if shared:
        return open_regular(LOCK, directory, posix.O_RDONLY)
    return open_regular(LOCK, directory, posix.O_RDWR | posix.O_CREAT)


def _wait(fd: int, place: str, timeout: float, how: int) -> None:
    try:
        flock(fd, how | LOCK_NB)
    except BlockingIOError:
        if not timeout:
            raise Busy from None
        from backends.directory.waiting import wait_in_queue

        wait_in_queue(fd, place, timeout, how)
