"""Whether an ADD could be served now: what STATUS asks."""

from __future__ import annotations

import posix

from backends.directory.files import close, name_bytes, open_directory, storage_error, unavailable
from ipam.errors import InputOutput, StoreUnavailable


def check(root: str) -> None:
    """Whether the data directory, or the nearest one above it that exists, takes new files. Raises StoreUnavailable."""
    path = root
    try:
        while True:
            try:
                space = posix.statvfs(name_bytes(path))
            except FileNotFoundError:
                path = path.rstrip("/").rpartition("/")[0] or "/"
            else:
                break
        if path == root:  # those above it may be anybody's, /tmp for one: ADD makes it, for us alone
            close(open_directory(name_bytes(root), link=True))
        writable = posix.access(name_bytes(path), posix.W_OK | posix.X_OK)
    except OSError as error:
        raise unavailable(storage_error(error, path)) from None
    except InputOutput as error:
        raise unavailable(error) from None
    if not writable:
        raise StoreUnavailable(f"{path} cannot be written", "the file system is read-only, or not ours")
    if not space.f_bavail or (space.f_files and not space.f_favail):
        raise StoreUnavailable(f"the file system of {path} is full", "make room on it")
