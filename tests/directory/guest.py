"""Another program in the network's directory: what Go host-local does there, file for file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Guest:
    """Changes lease files under the lock as Go does, and knows nothing of an index or a history."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(self.directory / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o750)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def add(self, address: str, name: str, ifname: str = "eth0", *, cursor: int = 0) -> None:
        """Reserve: create the file, then write it, then move the cursor."""
        with self._locked():
            fd = os.open(self.directory / address, os.O_RDWR | os.O_EXCL | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.write(fd, f"{name}\r\n{ifname}".encode())
            os.close(fd)
            (self.directory / f"last_reserved_ip.{cursor}").write_text(address)

    def add_of_old(self, address: str, name: str) -> None:
        """Reserve as releases before 0.7 did: the container id alone."""
        with self._locked():
            (self.directory / address).write_text(name)

    def crash(self, address: str) -> None:
        """Reserve, killed between creating the file and writing it."""
        with self._locked():
            (self.directory / address).touch(0o644)

    def delete(self, name: str, ifname: str = "eth0") -> None:
        """Release: remove each file that says it is this attachment's."""
        with self._locked():
            for path in self.directory.iterdir():
                if path.is_file() and path.read_bytes() == f"{name}\r\n{ifname}".encode():
                    path.unlink()

    def rename(self, old: str, new: str) -> None:
        """Not Go's, but what an operator may do by hand: move a lease to another address."""
        with self._locked():
            (self.directory / old).rename(self.directory / new)
