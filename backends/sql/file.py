"""The file of a SQLite database: whose it is, the lock beside it, and a connection that keeps what it is told."""

from __future__ import annotations

import _sqlite3
import posix
from fcntl import LOCK_EX, LOCK_NB, flock
from stat import S_ISREG, S_IWOTH

from backends.directory.files import NotRegular, close, name_bytes, open_directory, open_regular
from ipam.errors import InputOutput, StoreUnavailable, TryAgain
from ipam.store import Busy

_FULL_SYNC = 2  # as SQLite's documentation of PRAGMA synchronous numbers them
_TRIES = 100
_FORMATS, _WITHOUT_LOG = slice(18, 20), b"\1\1"
"""Where a file says that it has a write-ahead log, and what says that it has none (SQLite's file format, 1.3.3)."""


Identity = tuple[int, int]


class Lock:
    """The lock beside the file, held within `with`: flock(2), so that waiters are served in their order."""

    def __init__(self, path: str, timeout: float) -> None:
        """`timeout` is in seconds; with 0, Busy rather than wait."""
        self._path = f"{path}.lock"
        self._timeout = timeout
        self._fd = -1

    def __enter__(self) -> None:
        directory, _, name = self._path.rpartition("/")
        try:
            parent = open_directory(name_bytes(directory or "/"), create=True, link=True)
            try:
                self._fd = self._acquire(name_bytes(name), parent)
            finally:
                close(parent)
        except NotRegular:
            raise InputOutput(f"{self._path} is no regular file", "remove it; it is made again when needed") from None
        except OSError as error:
            raise InputOutput(f"{self._path}: {error.strerror}", "see to the directory") from None

    def __exit__(self, *_: object) -> None:
        close(self._fd)

    def _acquire(self, name: bytes, parent: int) -> int:
        for _ in range(_TRIES):
            fd = open_regular(name, parent, posix.O_RDWR | posix.O_CREAT)
            try:
                self._wait(fd)
                if posix.fstat(fd).st_nlink:
                    return fd
            except BaseException:
                close(fd)
                raise
            close(fd)  # somebody removed the file while we waited: our lock is on nothing
        raise TryAgain(f"{self._path} is removed again and again", "something deletes it while it is in use")

    def _wait(self, fd: int) -> None:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if not self._timeout:
                raise Busy from None
            from backends.directory.waiting import wait_in_queue

            wait_in_queue(fd, self._path, self._timeout, LOCK_EX)


def identity(path: str) -> Identity | None:
    """Which file has that name, None where none has. Raises InputOutput where it cannot be trusted."""
    try:
        status = posix.stat(name_bytes(path), follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputOutput(f"{path}: {error.strerror}", "see to the file") from None
    if not S_ISREG(status.st_mode) or status.st_mode & S_IWOTH or status.st_uid not in (0, posix.geteuid()):
        raise InputOutput(
            f"{path} is no regular file of ours, so its leases cannot be trusted",
            "it must be a file of this user's that others cannot write",
        )
    return status.st_dev, status.st_ino


def connect(path: str, timeout: float, log_pages: int) -> _sqlite3.Connection:
    """A connection that commits to the disk, or, where the file cannot be written, one that reads.

    A commit that makes the log longer than `log_pages` copies it into the file, unless that is 0. Raises
    StoreUnavailable where the file has another journal than SQLite's write-ahead log; an error of the driver's.
    """
    mode = "rw" if posix.access(name_bytes(path), posix.W_OK) else "ro"
    still = mode == "ro" and not exists(f"{path}-wal")  # all is in the file, and SQLite would want to make a log
    if still and not _stays_as_it_is(path):
        return _copy(path)
    if still:
        mode = "ro&immutable=1"
    connection = _sqlite3.connect(
        f"file:{_quoted(path)}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    if still:
        return connection
    connection.execute(f"PRAGMA wal_autocheckpoint={log_pages}")
    connection.execute("PRAGMA synchronous=FULL")
    told = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    if told != ["wal", _FULL_SYNC]:
        connection.close()
        if not posix.stat(name_bytes(path)).st_size:
            raise StoreUnavailable(f"{path} is empty, no database", "remove it; the next ADD makes it anew")
        raise StoreUnavailable(
            f"{path} does not keep what it is told: journal_mode is {told[0]}, synchronous {told[1]}",
            "journal_mode must be wal; a file system that several hosts share cannot do that",
        )
    return connection


def _stays_as_it_is(path: str) -> bool:
    """Whether nobody can write to the file, because its file system is read-only."""
    try:
        return bool(posix.statvfs(name_bytes(path)).f_flag & posix.ST_RDONLY)
    except OSError:
        return False


def _copy(path: str) -> _sqlite3.Connection:
    """A database in memory, as the file was a moment ago; for who may read it, but not make the log beside it.

    Raises TryAgain where somebody writes all the time.
    """
    for _ in range(_TRIES):
        before = posix.stat(name_bytes(path))
        fd = posix.open(name_bytes(path), posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            data = bytearray(posix.read(fd, before.st_size))
        finally:
            posix.close(fd)
        after = posix.stat(name_bytes(path))
        if not exists(f"{path}-wal") and (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, len(data)):
            data[_FORMATS] = _WITHOUT_LOG
            connection = _sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            connection.deserialize(bytes(data))
            return connection
    raise TryAgain(f"{path} is being written all the time", "look again later, or as a user who may write there")


def _quoted(path: str) -> str:
    """A path within a URI."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def check_writable(path: str) -> None:
    """Return where the file, or one of that name, can be written. Raises StoreUnavailable."""
    directory = path.rpartition("/")[0]
    while directory and not exists(directory):
        directory = directory.rpartition("/")[0]
    directory = directory or "/"
    for place, how in ((directory, posix.W_OK | posix.X_OK), (path, posix.W_OK)):
        if exists(place) and not posix.access(name_bytes(place), how):
            raise StoreUnavailable(f"{place} cannot be written", "the file system is read-only, or not ours")
    if not posix.statvfs(name_bytes(directory)).f_bavail:
        raise StoreUnavailable(f"the file system of {directory} is full", "make room on it")


def exists(path: str) -> bool:
    """Whether there is something of that name that can be seen."""
    try:
        posix.stat(name_bytes(path))
    except OSError:
        return False
    return True
