"""Waiting for a lock that is held: in the kernel's queue, not for ever, and saying who holds it."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself imports enum
import posix
from fcntl import flock
from sys import modules

from backends.directory.files import close
from ipam.errors import TryAgain
from ipam.jsontext import quote

_AGAIN = 0.1
"""Seconds after which the alarm comes again: the first one may come before flock(2) has begun to wait."""


class _Expired(Exception):
    pass


def wait_in_queue(fd: int, path: str, timeout: float, how: int) -> None:
    """Take the lock as soon as it is our turn. Raises TryAgain after `timeout` seconds, naming the holder."""
    try:
        _block(fd, timeout, how)
    except _Expired:
        raise TryAgain(
            f"{path} is still held after {timeout:g} s{_holders(fd)}",
            "try again later; if that process is stuck, end it",
        ) from None


def _block(fd: int, timeout: float, how: int) -> None:
    """Block in flock(2), where waiters are served in their order, until an alarm ends it."""
    if not _in_main_thread():
        from backends.directory import waiter

        try:
            if waiter.wait(fd, timeout, how):
                return
        except RuntimeError as error:
            raise TryAgain("nobody can wait for a lock that is held", f"{error}; try again later") from None
        raise _Expired

    def expire(_number: int, _frame: object) -> None:
        _signal.setitimer(_signal.ITIMER_REAL, 0)  # or the next one, on a machine that is slow, ends what follows
        raise _Expired

    before = _signal.signal(_signal.SIGALRM, expire)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM,))  # which a caller may have blocked for us too
    _signal.setitimer(_signal.ITIMER_REAL, timeout, _AGAIN)
    try:
        flock(fd, how)
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, before)


def _in_main_thread() -> bool:
    """Without importing threading: where nobody has imported it, there is one thread."""
    threading = modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def _holders(fd: int) -> str:
    """` by pid 123 (command …)`, from /proc/locks; empty where that cannot be read."""
    try:
        status = posix.fstat(fd)
        inode = f"{posix.major(status.st_dev):02x}:{posix.minor(status.st_dev):02x}:{status.st_ino}"
        holders = []
        for line in _read("/proc/locks").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5] == inode:
                holders.append(_process(words[4]))
        return f" by {', '.join(holders)}" if holders else ""
    except OSError:
        return ""


def _process(pid: str) -> str:
    try:
        command = _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    except OSError:
        command = ""
    return f"pid {pid} ({quote(command)[1:-1]})" if command else f"pid {pid}"


def _read(path: str) -> str:
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        data = b""
        while len(data) < 1 << 20:
            part = posix.read(fd, 1 << 16)
            if not part:
                break
            data += part
    finally:
        close(fd)
    return data.decode("utf-8", "replace")
