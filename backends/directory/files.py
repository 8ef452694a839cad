"""Files without surprises: everything by directory descriptor, no link followed, no device opened by mistake."""

from __future__ import annotations

import posix
from _stat import S_ISREG, S_IWOTH
from errno import EDQUOT, EINVAL, EISDIR, ELOOP, EMFILE, ENFILE, ENOENT, ENOSPC, ENOTDIR, EOPNOTSUPP

from ipam.errors import CniError, InputOutput, NotSynced, StoreUnavailable
from ipam.jsontext import quote

MOST_BYTES = 1 << 14
"""A lease or cursor file longer than this is none."""

NO_DESCRIPTORS = (EMFILE, ENFILE)
"""Errors of who may open no more files."""

SAFE = posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK
"""Flags for every open: no link, no leaking into a child, no waiting for a FIFO's other end."""

_DIRECTORY = posix.O_RDONLY | posix.O_DIRECTORY | SAFE
_NO_TMPFILE = frozenset({EOPNOTSUPP, EISDIR, EINVAL, ENOENT})


class NotRegular(OSError):
    """Something else stands where a small regular file is wanted."""

    def __init__(self, name: bytes) -> None:
        super().__init__(EINVAL, "not a regular file", name)


class SyncFailed(OSError):
    """fsync(2) failed. The kernel may have dropped what was written: a second one would succeed, and prove nothing."""


def sync(fd: int) -> None:
    """Have the disk take what was written to the file. Raises SyncFailed."""
    try:
        posix.fsync(fd)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror) from None


def close(fd: int) -> None:
    """Close a descriptor. Whatever close(2) says, it is closed, and what was written has been written."""
    try:
        posix.close(fd)
    except OSError:
        return


def name_bytes(text: str) -> bytes:
    """A name for the kernel, whatever the locale."""
    return text.encode("utf-8", "surrogateescape")


def open_directory(name: bytes, parent: int | None = None, *, create: bool = False, link: bool = False) -> int:
    """A descriptor of the directory, made (0700) where `create`; a symbolic link counts only where `link`.

    Raises InputOutput where others than root and we ourselves may write in it; OSError otherwise.
    """
    flags = _DIRECTORY & ~posix.O_NOFOLLOW if link else _DIRECTORY
    try:
        fd = posix.open(name, flags, dir_fd=parent)
    except OSError as error:
        if error.errno != ENOENT or not create:
            raise
        _make_directory(name, parent)
        fd = posix.open(name, flags, dir_fd=parent)
    try:
        _refuse_writable_by_others(fd)
    except BaseException:
        close(fd)
        raise
    return fd


def _make_directory(name: bytes, parent: int | None) -> None:
    """Make a directory, and those above it that are missing."""
    missing = [name]
    while (above := missing[-1].rstrip(b"/").rpartition(b"/")[0]) and not _exists(above, parent):
        missing.append(above)
    for directory in reversed(missing):
        try:
            posix.mkdir(directory, 0o700, dir_fd=parent)
        except FileExistsError:
            continue


def _exists(name: bytes, parent: int | None) -> bool:
    try:
        posix.stat(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True


def _refuse_writable_by_others(fd: int) -> None:
    status = posix.fstat(fd)
    if status.st_mode & S_IWOTH:
        shown = _path_of(fd)
        raise InputOutput(f"{shown} is writable by everybody, so its leases cannot be trusted", f"chmod o-w {shown}")
    if status.st_uid and status.st_uid != posix.geteuid():
        shown = _path_of(fd)
        raise InputOutput(
            f"{shown} belongs to user {status.st_uid}, so its leases cannot be trusted",
            f"chown {posix.geteuid()} {shown}",
        )


def _path_of(fd: int) -> str:
    return quote(posix.readlink(f"/proc/self/fd/{fd}"), 200)[1:-1]


def open_regular(name: bytes, parent: int, flags: int) -> int:
    """A descriptor of a regular file. Raises NotRegular for anything else, OSError (ENOENT …) otherwise."""
    try:
        fd = posix.open(name, flags | SAFE, 0o600, dir_fd=parent)
    except OSError as error:
        if error.errno in (ELOOP, EISDIR, ENOTDIR):
            raise NotRegular(name) from None
        # ENXIO: a FIFO without a reader, or a socket.
        if error.errno != ENOENT and not _is_regular(name, parent):
            raise NotRegular(name) from None
        raise
    if not S_ISREG(posix.fstat(fd).st_mode):
        close(fd)
        raise NotRegular(name)
    return fd


def _is_regular(name: bytes, parent: int) -> bool:
    return S_ISREG(posix.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def read_small(name: bytes, parent: int) -> bytes | None:
    """The content of a small regular file, None where there is none. Raises NotRegular, OSError."""
    try:
        fd = open_regular(name, parent, posix.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        data = posix.read(fd, MOST_BYTES + 1)
    finally:
        close(fd)
    if len(data) > MOST_BYTES:
        raise NotRegular(name)
    return data


def write_all(fd: int, data: bytes | bytearray) -> None:
    """Write every byte."""
    written = posix.write(fd, data)
    while written < len(data):
        written += posix.write(fd, memoryview(data)[written:])


def create_whole(name: bytes, parent: int, data: bytes, scratch: int, *, moment: int, durable: bool) -> None:
    """Make a file that appears with all its content or not at all. Raises FileExistsError, OSError.

    `scratch` is a directory on the same file system, for kernels or file systems without O_TMPFILE; `moment`
    the modification time to give it, in nanoseconds.
    """
    try:
        fd = posix.open(b".", posix.O_TMPFILE | posix.O_WRONLY | posix.O_CLOEXEC, 0o600, dir_fd=parent)
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise
        _create_by_name(name, parent, data, scratch, moment=moment, durable=durable)
        return
    try:
        write_all(fd, data)
        posix.utime(fd, ns=(moment, moment))
        if durable:
            sync(fd)
        posix.link(b"/proc/self/fd/%d" % fd, name, dst_dir_fd=parent, follow_symlinks=True)
    except FileNotFoundError:  # no /proc here
        _create_by_name(name, parent, data, scratch, moment=moment, durable=durable)
    finally:
        close(fd)


def _create_by_name(name: bytes, parent: int, data: bytes, scratch: int, *, moment: int, durable: bool) -> None:
    temporary = b"new.%d" % posix.getpid()
    fd = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | SAFE, 0o600, dir_fd=scratch)
    try:
        write_all(fd, data)
        posix.utime(fd, ns=(moment, moment))
        if durable:
            sync(fd)
        posix.link(temporary, name, src_dir_fd=scratch, dst_dir_fd=parent, follow_symlinks=False)
    finally:
        close(fd)
        posix.unlink(temporary, dir_fd=scratch)


def remove(name: bytes, parent: int) -> bool:
    """Remove a file; whether it was there. Raises OSError for any other reason it may still be there."""
    try:
        posix.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True


def remove_anything(name: bytes, parent: int) -> None:
    """Remove what stands in the place of a file of ours, be it an empty directory."""
    try:
        posix.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        posix.rmdir(name, dir_fd=parent)


def symlink(target: bytes, name: bytes, parent: int, scratch: int) -> None:
    """Make or replace a symbolic link: the smallest file whose content appears at once."""
    try:
        posix.symlink(target, name, dir_fd=parent)
    except FileExistsError:
        temporary = b"new.%d" % posix.getpid()
        remove(temporary, scratch)
        posix.symlink(target, temporary, dir_fd=scratch)
        posix.rename(temporary, name, src_dir_fd=scratch, dst_dir_fd=parent)


def readlink(name: bytes, parent: int) -> bytes | None:
    """Where a symbolic link points, None where there is none."""
    try:
        return posix.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno in (ENOENT, EINVAL):
            return None
        raise


class NoSpace(InputOutput):
    """The disk is full, or the quota is used up."""


def storage_error(error: OSError, path: str) -> CniError:
    """The error that a person sees for a failed operation on the file of that path."""
    reason = error.strerror or str(error)
    kind = NoSpace if error.errno in (ENOSPC, EDQUOT) else InputOutput
    if isinstance(error, SyncFailed):
        kind = NotSynced
    return kind(f"{quote(path, 200)[1:-1]}: {reason}", "the leases are as they were; see to the file first")


def reading_error(error: OSError, path: str) -> CniError:
    """The same for who only looks."""
    return InputOutput(f"{quote(path, 200)[1:-1]}: {error.strerror or error}", "see to the file, and who may read it")


def unavailable(error: CniError) -> StoreUnavailable:
    """The same trouble, said of the store as a whole (STATUS)."""
    return StoreUnavailable(error.msg, error.details)
