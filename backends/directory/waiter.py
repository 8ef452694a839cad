"""Waiting for a lock in the kernel's queue, in a process with threads: alarms reach its main thread only."""

from __future__ import annotations

import posix
from fcntl import F_DUPFD_CLOEXEC, fcntl, flock
from threading import Condition, Thread

from backends.directory.files import close

_guard = Condition()
_abandoned: list[Waiter] = []
"""Who still stands in a queue, though nobody waits for that lock any more.

Nothing but the lock itself gets a thread out of flock(2). So the next who wants the lock takes over the place in its
queue, and there are never more such threads than locks that were waited for at once.
"""


def wait(fd: int, timeout: float, how: int) -> bool:
    """Have `fd` hold the lock as soon as it is our turn; False where that is not so after `timeout` seconds.

    Then `fd` MUST be closed: what comes out of the queue too late would belong to it as well.
    """
    with _guard:
        waiter = next((one for one in _abandoned if one.stands_for(fd, how)), None)
        if waiter is None:
            waiter = Waiter(fd, how)
        else:
            _abandoned.remove(waiter)
        if not _guard.wait_for(waiter.is_done, timeout):
            _abandoned.append(waiter)
            return False
    waiter.hand_over(fd)
    return True


class Waiter:
    """A thread in the queue. What it gets belongs to a descriptor of its own until that is handed over."""

    def __init__(self, fd: int, how: int) -> None:
        self._fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        self._how = how
        self._done = False
        self._error: OSError | None = None
        try:
            Thread(target=self._stand, daemon=True).start()
        except BaseException:
            close(self._fd)
            raise

    def stands_for(self, fd: int, how: int) -> bool:
        """Whether this is the queue for the lock on the file behind `fd`."""
        mine, wanted = posix.fstat(self._fd), posix.fstat(fd)
        return how == self._how and (mine.st_dev, mine.st_ino) == (wanted.st_dev, wanted.st_ino)

    def is_done(self) -> bool:
        """Whether it came out of the queue: with the lock, or with an error."""
        return self._done

    def hand_over(self, fd: int) -> None:
        """Give the lock to `fd`, which then stands for the file as this one opened it. Raises OSError."""
        try:
            if self._error is not None:
                raise self._error
            posix.dup2(self._fd, fd, inheritable=False)
        finally:
            close(self._fd)

    def _stand(self) -> None:
        try:
            flock(self._fd, self._how)
        except OSError as error:
            self._error = error
        with _guard:
            self._done = True
            if self in _abandoned:  # nobody wants it: let go at once
                _abandoned.remove(self)
                close(self._fd)
            else:
                _guard.notify_all()
