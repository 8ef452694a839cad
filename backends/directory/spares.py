"""Lease files that are not needed any more, kept for the next leases.

ext4 takes ten times as long to make a file when many have been removed in the last minutes, and a daemon that
attaches and detaches does just that. A file of which there is another name is in use, and is never written to.
"""

from __future__ import annotations

import posix
from _stat import S_IFREG

from backends.directory.files import SAFE, close, name_bytes, open_directory, remove
from ipam.errors import InputOutput

SPARES = b"spares"

_MOST = 1024
"""A thousand calls at once, made and ended again and again, find a spare each; 4 MiB of disk at most."""

_PRIVATE = S_IFREG | 0o600


class Spares:
    """The spare files of one network, in a directory of their own; where that cannot be had there are none."""

    def __init__(self, records: int) -> None:
        """`records` is the directory of our records of the network."""
        self._directory = -1
        self._names: list[bytes] = []
        self._made = 0
        self._user, self._process = posix.geteuid(), posix.getpid()
        try:
            self._directory = open_directory(SPARES, records, create=True)
            self._names = [name_bytes(name) for name in posix.listdir(self._directory)]
        except (OSError, InputOutput):
            return

    def close(self) -> None:
        """Let go of the directory; the files stay for the next process."""
        if self._directory >= 0:
            close(self._directory)
            self._directory = -1
            self._names = []

    def take_away(self, name: bytes, directory: int) -> None:
        """Remove a lease file, to the spares if it can go there. One that is not there is no error. Raises OSError."""
        if self._directory < 0 or len(self._names) >= _MOST:
            remove(name, directory)
            return
        self._made += 1
        spare = b"%d.%d" % (self._process, self._made)
        try:
            posix.rename(name, spare, src_dir_fd=directory, dst_dir_fd=self._directory)
        except OSError:  # the spares are gone, or on another file system: the network's directory may be a mount
            remove(name, directory)
        else:
            self._names.append(spare)

    def open_one(self) -> tuple[int, bytes, int] | None:
        """A descriptor of a spare, to be written, its name and its size; None where there is none."""
        while self._names:
            name = self._names.pop()
            try:
                fd = posix.open(name, posix.O_WRONLY | SAFE, dir_fd=self._directory)
            except OSError:
                continue
            status = posix.fstat(fd)
            if (status.st_mode, status.st_uid, status.st_nlink) == (_PRIVATE, self._user, 1):
                return fd, name, status.st_size
            close(fd)
            remove(name, self._directory)
        return None

    def give(self, spare: bytes, name: bytes, directory: int) -> None:
        """Put a spare under `name`. Raises FileExistsError, OSError; then it is a spare as before."""
        try:
            posix.link(spare, name, src_dir_fd=self._directory, dst_dir_fd=directory, follow_symlinks=False)
        except OSError:
            self._names.append(spare)
            raise
        remove(spare, self._directory)
