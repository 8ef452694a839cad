"""Things that stand where a file or a directory should be, and what lies outside that must not be touched."""

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

Make = Callable[[Path, Path], object]


def _device(minor: int) -> Make:
    def make(path: Path, _outside: Path) -> None:
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        except PermissionError:
            pytest.skip("device nodes cannot be made here")

    return make


def _socket(path: Path, _outside: Path) -> None:
    """Bound under a short name first: an address of a socket has room for 107 bytes only."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


def _full_directory(path: Path, _outside: Path) -> None:
    path.mkdir()
    (path / "10.70.0.9").write_bytes(b"one\r\neth0")


def _link_to_a_directory(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "directory")


def _huge(path: Path, _outside: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


ODDITIES: dict[str, Make] = {
    "a directory": lambda path, _outside: path.mkdir(),
    "a full directory": _full_directory,
    "a FIFO": lambda path, _outside: os.mkfifo(path),
    "a socket": _socket,
    "the null device": _device(3),
    "the zero device": _device(5),
    "a link to the zero device": lambda path, _outside: path.symlink_to("/dev/zero"),
    "a link to a file outside": lambda path, outside: path.symlink_to(outside / "file"),
    "a link to a directory outside": _link_to_a_directory,
    "a dangling link": lambda path, outside: path.symlink_to(outside / "missing"),
    "a link to itself": lambda path, _outside: path.symlink_to(path.name),
    "an empty file": lambda path, _outside: path.touch(),
    "a binary file": lambda path, _outside: path.write_bytes(bytes(range(256)) * 8),
    "a file of a gibibyte": _huge,
}
EVERY_ODDITY = pytest.mark.parametrize("oddity", ODDITIES)


class Outside:
    """A directory beside the data directory, with what nobody may touch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "directory").mkdir(parents=True)
        (path / "file").write_bytes(b"one\r\neth0")
        (path / "directory" / "10.70.0.2").write_bytes(b"one\r\neth0")
        self._before = self._state()

    def _state(self) -> dict[str, object]:
        return {
            str(path): path.read_bytes() if path.is_file() else path.stat().st_mtime_ns
            for path in [self.path, *self.path.rglob("*")]
        }

    def assert_untouched(self) -> None:
        """Nothing was added, removed or written."""
        assert self._state() == self._before

    def put(self, oddity: str, path: Path) -> None:
        """Put an oddity in the place of whatever is there."""
        remove(path)
        ODDITIES[oddity](path, self.path)


def remove(path: Path) -> None:
    """Remove anything."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
