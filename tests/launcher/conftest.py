"""Launchers, compiled for tests and for production, and the places where they stand."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ipam.launcher.compile import compile_launcher, find_compiler
from tests.conftest import missing
from tests.launcher.daemon import PATIENCE

ENV = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "c1",
    "CNI_NETNS": "/var/run/netns/c1",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/opt/cni/bin",
}
CONFIG = b'{"cniVersion": "1.0.0", "name": "net", "ipam": {"type": "host-local"}}\n'
NAME = "host-local"
# Says what it was given, as latin-1, so that no byte is lost.
ONE_SHOT = """\
#!{python} -IS
import json, os, sys
with open("/proc/self/environ", "rb") as file:
    environ = file.read().decode("latin-1").split("\\0")[:-1]
stdin = sys.stdin.buffer.read().decode("latin-1")
open_files = len(os.listdir("/proc/self/fd")) - 1
print(json.dumps({{"environ": environ, "stdin": stdin, "open": open_files}}), end="")
print("one-shot", file=sys.stderr)
sys.exit(3)
"""
ONE_SHOT_STATUS = 3

Build = Callable[..., Path]
Done = subprocess.CompletedProcess[bytes]


class Fallback(NamedTuple):
    """What the one-shot says that it was given."""

    environ: list[bytes]
    stdin: bytes


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile a launcher into a CNI bin directory of its own, with a one-shot that reports; returns its path."""
    if find_compiler() is None:
        missing("a C compiler")

    def build(*, for_tests: bool = True, **options: Any) -> Path:
        directory = tmp_path_factory.mktemp("cni-bin")
        (directory / ".ipam").mkdir()
        one_shot = directory / ".ipam" / f"{NAME}.oneshot"
        one_shot.write_text(ONE_SHOT.format(python=Path(sys.executable).resolve()))
        one_shot.chmod(0o755)
        compile_launcher(directory / NAME, for_tests=for_tests, **options)
        return directory / NAME

    return build


@pytest.fixture(scope="session")
def launcher(build: Build) -> Path:
    """A launcher with its usual deadlines, which takes IPAM_SOCKET from its environment."""
    return build()


@pytest.fixture(scope="session")
def hasty(build: Build) -> Path:
    """The same, with deadlines of one second."""
    return build(defines={"DEADLINE": 1, "STDIN_DEADLINE": 1})


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a socket can be: a socket's path is short, and pytest's directories need not be."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory:
        yield Path(directory) / "ipam.sock"


def environment(place: Path, **changes: str) -> dict[str, str]:
    """What a runtime gives a plugin, and where the launcher is to find its daemon."""
    return ENV | {"IPAM_SOCKET": str(place)} | changes


def run(launcher: Path, place: Path, stdin: bytes = CONFIG, /, **changes: str) -> Done:
    """One call through the launcher."""
    return subprocess.run(
        [launcher], env=environment(place, **changes), input=stdin, capture_output=True, timeout=PATIENCE, check=False
    )


def error(done: Done) -> dict[str, Any]:
    """The CNI error object of a call that failed without any other output."""
    assert (done.returncode, done.stderr) == (1, b"")
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["cniVersion"] == "1.1.0"
    return answer


def fallback(done: Done) -> Fallback:
    """What the one-shot was given, where it was the one-shot that answered."""
    assert (done.returncode, done.stderr) == (ONE_SHOT_STATUS, b"one-shot\n"), done.stdout
    answer = json.loads(done.stdout)
    assert answer["open"] == 3, "besides stdin, stdout and stderr it inherits nothing"
    return Fallback([text.encode("latin-1") for text in answer["environ"]], answer["stdin"].encode("latin-1"))


def as_environ(env: dict[str, str]) -> list[bytes]:
    """The variables as they stand in /proc/self/environ, in order."""
    return [os.fsencode(f"{name}={value}") for name, value in env.items()]
