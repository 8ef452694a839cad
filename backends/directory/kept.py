"""Files that stay open between transactions, and what is remembered of them: both only as long as they are true."""

from __future__ import annotations

import posix

from backends.directory.files import close, open_regular


class KeptFile:
    """A file that may stay open for as long as it is the one under its name."""

    __slots__ = ("_name", "_parent", "fd")

    def __init__(self, name: bytes, parent: int) -> None:
        self._name = name
        self._parent = parent
        self.fd = -1

    def look(self) -> posix.stat_result | None:
        """What stands under the name now, None for nothing; closes the file that stood there before."""
        try:
            status = posix.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
        except FileNotFoundError:
            self.close()
            return None
        if self.fd >= 0:
            ours = posix.fstat(self.fd)
            if (ours.st_ino, ours.st_dev) != (status.st_ino, status.st_dev):
                self.close()
        return status

    def open(self, flags: int) -> int:
        """A descriptor of it, opened with `flags` where it is not open. Raises NotRegular, OSError."""
        if self.fd < 0:
            self.fd = open_regular(self._name, self._parent, flags)
        return self.fd

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            close(self.fd)
            self.fd = -1


class Known:
    """What a transaction learned of our own records. It counts until the index carries another stamp than then."""

    __slots__ = ("_stamp", "bitmaps", "nothing_rests")

    def __init__(self) -> None:
        self._stamp: object = None
        self.bitmaps: dict[tuple[int, int], int] = {}
        self.nothing_rests = False

    def begin(self, stamp: object) -> None:
        """Forget what somebody else may have changed: the index carries `stamp` now."""
        if stamp != self._stamp:
            self._stamp = stamp
            self.bitmaps = {}
            self.nothing_rests = False

    def end(self, stamp: object) -> None:
        """What is known now is true at `stamp`, which we have just given."""
        self._stamp = stamp
