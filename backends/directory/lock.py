"""The network's lock: flock(2) on the file that Go locks."""

from __future__ import annotations

import posix
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock

from backends.directory.files import NotRegular
from ipam.errors import InputOutput
from ipam.store import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.kept import KeptFile

LOCK = b"lock"


def acquire(lock: KeptFile, place: str, timeout: float, *, shared: bool = False) -> None:
    """Take the lock of the network whose directory is `place`: of the file that is open, or of that under the name.

    Raises TryAgain after `timeout` seconds, naming who holds the lock where that can be read (Busy at once where
    `timeout` is 0); InputOutput where something else stands in the lock's place; FileNotFoundError where it is to
    be `shared` and there is none.
    """
    try:
        fd = lock.open(posix.O_RDONLY if shared else posix.O_RDWR | posix.O_CREAT)
    except NotRegular:
        raise InputOutput(
            f"{place}/lock is not a regular file", f"remove {place}/lock; it is made again when needed"
        ) from None
    try:
        _wait(fd, place, timeout, LOCK_SH if shared else LOCK_EX)
    except BaseException:
        lock.close()
        raise


def release(lock: KeptFile) -> None:
    """Let go of the lock; the file stays open."""
    try:
        flock(lock.fd, LOCK_UN)
    except OSError:  # what was done is done: closing lets go as well
        lock.close()


def _wait(fd: int, place: str, timeout: float, how: int) -> None:
    try:
        flock(fd, how | LOCK_NB)
    except BlockingIOError:
        if not timeout:
            raise Busy from None
        from backends.directory.waiting import wait_in_queue

        wait_in_queue(fd, f"{place}/lock", timeout, how)
