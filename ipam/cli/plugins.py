"""What stands in a CNI bin directory, and whose it is."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import NamedTuple

from ipam.launcher import protocol_of

RECORDS = ".ipam"
"""Beside the plugins: the one-shot behind the launcher, its bundle, and what a plugin of ours replaced."""

DEFAULT_DIR = Path("/opt/cni/bin")
USUAL_DIRS = (DEFAULT_DIR, Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
DEFAULT_NAME = "host-local"

LAUNCHER, ONE_SHOT, GO, OTHER = "launcher", "one-shot", "Go", "other"

_GO_MARK = b"\xff Go buildinf:"
_LONGEST_SCRIPT = 1 << 14
_VERSION = re.compile(rb"^# Written by `ipam install`: the one-shot IPAM plugin, version (\S+)\. ", re.MULTILINE)
_BUNDLE = re.compile(r"^(?:bundle|fd) = posix\.open\((['\"].+?['\"]), ", re.MULTILINE)
_RECORD = re.compile(r"([^.].*?)(?:\.[0-9a-f]{16})?\.(?:oneshot|bundle|replaced)")


class Plugin(NamedTuple):
    """A file that is called as a plugin. `version` is that of our one-shot: itself, or the one behind the launcher."""

    path: Path
    kind: str
    protocol: int | None = None
    version: str | None = None
    problems: tuple[str, ...] = ()


class Records:
    """The paths of all that belongs to the plugin `name` in `directory`."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory / RECORDS
        self.plugin = directory / name
        self.one_shot = self.directory / f"{name}.oneshot"
        self.replaced = self.directory / f"{name}.replaced"

    def bundle(self, digest: str) -> Path:
        """A bundle's place. Its name tells its content, so that no script ever meets another one's bundle."""
        return self.directory / f"{self.plugin.name}.{digest[:16]}.bundle"

    def bundles(self) -> set[Path]:
        """The bundles that are there."""
        pattern = re.compile(rf"{re.escape(self.plugin.name)}(\.[0-9a-f]{{16}})?\.bundle")
        return {path for path in self._all() if pattern.fullmatch(path.name)}

    def bundles_in_use(self) -> set[Path]:
        """Those that the scripts of now load."""
        return {path for path in (bundle_of(self.plugin), bundle_of(self.one_shot)) if path is not None}

    def unfinished(self) -> list[Path]:
        """What an interrupted install left."""
        first = f".{self.plugin.name}."
        inside = [path for path in self._all() if path.name.startswith(first) and path.name.endswith(".new")]
        return [path for path in (*inside, temporary(self.plugin)) if is_there(path)]

    def _all(self) -> list[Path]:
        return list(self.directory.iterdir()) if self.directory.is_dir() else []


def temporary(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.new")


def is_there(path: Path) -> bool:
    """Whether anything has that name, be it a link to nowhere."""
    return path.is_symlink() or path.exists()


def is_ours(path: Path) -> bool:
    """Whether `ipam install` put that file there, in this version or another. It never puts a link."""
    return not path.is_symlink() and path.is_file() and inspect(path).kind in {LAUNCHER, ONE_SHOT}


def inspect(path: Path) -> Plugin:
    """What kind of plugin a file is, and what it lacks; of a link, what it leads to. Raises OSError."""
    version = _version(path)
    if version is not None:
        return Plugin(path, ONE_SHOT, version=version, problems=_lacking(path))
    protocol = protocol_of(path)
    if protocol is not None:
        real = path.resolve()
        one_shot = Records(real.parent, real.name).one_shot
        return Plugin(path, LAUNCHER, protocol, _version(one_shot), _lacking(one_shot))
    return Plugin(path, GO if _GO_MARK in path.read_bytes() else OTHER)


def survey(directory: Path, name: str = DEFAULT_NAME) -> list[Plugin]:
    """Our plugins in a CNI bin directory, and whatever is called `name` there. Raises OSError."""
    records = directory / RECORDS
    known = [_RECORD.fullmatch(path.name) for path in records.iterdir()] if records.is_dir() else []
    names = sorted({name, *(match[1] for match in known if match)})
    return [inspect(directory / each) for each in names if (directory / each).is_file()]


def bundle_of(script: Path) -> Path | None:
    """The bundle that a one-shot's script loads; None for anything else."""
    found = _BUNDLE.search(_head(script).decode("utf-8", "replace"))
    return Path(ast.literal_eval(found[1])) if found else None


def _lacking(script: Path) -> tuple[str, ...]:
    first = _head(script).partition(b"\n")[0].removeprefix(b"#!").split()
    bundle = bundle_of(script)
    if not first or bundle is None:
        return ("no one-shot plugin to fall back to",)
    needed = [Path(first[0].decode()), bundle]
    return tuple(f"the one-shot plugin needs {path}, which is gone" for path in needed if not path.exists())


def _version(script: Path) -> str | None:
    found = _VERSION.search(_head(script))
    return found[1].decode() if found else None


def _head(script: Path) -> bytes:
    """The beginning of a script; nothing for what is none, or is not there."""
    try:
        with script.open("rb") as file:
            head = file.read(_LONGEST_SCRIPT)
    except (FileNotFoundError, IsADirectoryError):
        return b""
    return head if head.startswith(b"#!") else b""


def write(path: Path, data: bytes, *, mode: int) -> None:
    """Make or replace a file at once: who looks, even after a power cut, finds the old one or the new one, whole."""
    new = temporary(path)
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the disk know what was made, replaced or removed in a directory."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
