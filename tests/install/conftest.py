"""Environments with the package in them, and CNI bin directories to install it into."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipam.launcher.compile import find_compiler
from tests.conftest import missing
from tests.install.environment import PATIENCE, Environment

OLD = "0.0.9"
NAME = "host-local"
FOREIGN = b'#!/bin/sh\necho \'{"cniVersion": "1.0.0", "foreign": true}\'\n'


@pytest.fixture(scope="session")
def nowhere() -> Iterator[Path]:
    """A socket's path, short enough to be one, where nobody listens."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory:
        yield Path(directory, "ipam.sock")


@pytest.fixture(scope="session")
def native(nowhere: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The package with a launcher, which looks for its daemon at `nowhere`."""
    if find_compiler() is None:
        missing("a C compiler")
    return Environment(tmp_path_factory.mktemp("native") / "env", launcher=True, socket=str(nowhere))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The package as it is built without a C compiler."""
    return Environment(tmp_path_factory.mktemp("plain") / "env", launcher=False)


@pytest.fixture(scope="session")
def old(nowhere: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A version before this one, with a launcher."""
    if find_compiler() is None:
        missing("a C compiler")
    return Environment(tmp_path_factory.mktemp("old") / "env", launcher=True, socket=str(nowhere), version=OLD)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty CNI bin directory."""
    path = tmp_path / "bin"
    path.mkdir()
    return path


@pytest.fixture
def foreign(directory: Path) -> bytes:
    """Somebody else's plugin in our place: its content."""
    put_foreign(directory)
    return FOREIGN


def put_foreign(directory: Path) -> None:
    """Put somebody else's plugin in our place."""
    (directory / NAME).write_bytes(FOREIGN)
    (directory / NAME).chmod(0o751)


def call(plugin: Path) -> dict[str, Any]:
    """What the plugin answers to VERSION, which every plugin must."""
    done = subprocess.run(
        [plugin],
        env={"CNI_COMMAND": "VERSION"},
        input=b'{"cniVersion": "1.0.0"}',
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), (done.stdout, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def content(directory: Path) -> dict[str, bytes | str]:
    """Everything in a directory: each file's bytes, each link's target."""
    found: dict[str, bytes | str] = {}
    for path in directory.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(directory))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(directory))] = path.read_bytes()
        elif not any(path.iterdir()):
            found[str(path.relative_to(directory))] = "an empty directory"
    return found


def names(directory: Path) -> set[str]:
    """The names of all that is in there, with digests left out."""
    return {".".join(part for part in name.split(".") if len(part) != 16) for name in content(directory)}


def read_only(directory: Path, command: list[str]) -> list[str]:
    """The command, for which the directory is on a read-only file system."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        missing("root and unshare")
    script = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(directory), *command]
