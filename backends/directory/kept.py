"""Files that stay open between transactions."""

from __future__ import annotations

import posix

from backends.directory.files import close, open_regular


class KeptFile:
    """A file that may stay open. Whether it is still the one under its name, is for the Place to know."""

    __slots__ = ("_name", "_parent", "fd")

    def __init__(self, name: bytes, parent: int) -> None:
        self._name = name
        self._parent = parent
        self.fd = -1

    def open(self, flags: int) -> int:
        """A descriptor of it, opened with `flags` where it is not open. Raises NotRegular, OSError."""
        if self.fd < 0:
            self.fd = open_regular(self._name, self._parent, flags)
        return self.fd

    def is_under_its_name(self) -> bool:
        """Whether the open file is the one that others would open."""
        return same(self._name, self._parent, self.fd)

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            close(self.fd)
            self.fd = -1


def identity(status: posix.stat_result) -> tuple[int, int]:
    """What tells a file from every other one that exists."""
    return status.st_ino, status.st_dev


def same(name: bytes, parent: int, fd: int) -> bool:
    """Whether the open file is the one under that name."""
    try:
        return identity(posix.stat(name, dir_fd=parent, follow_symlinks=False)) == identity(posix.fstat(fd))
    except FileNotFoundError:
        return False
