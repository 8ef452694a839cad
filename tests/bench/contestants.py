"""Who takes part: a name, a command, an environment, and what has to run in the background meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ipam.launcher.compile import compile_launcher, find_compiler
from tests.bench import leases
from tests.daemon.service import Service

GO_PLUGIN_DIRS = [Path("/usr/lib/cni"), Path("/opt/cni/bin")]

PEER = "Go"

Background = Callable[[Path], AbstractContextManager[list[int]]]
Fill = Callable[[Path, str, int, Iterable[int]], None]


@contextmanager
def nothing(scratch: Path) -> Iterator[list[int]]:
    """The background of a contestant that is only there while it is called."""
    yield []


@dataclass(frozen=True)
class Contestant:
    """One way to answer a call.

    `ipam` is added to the config's ipam section (another store, another durability). `background` is
    entered once before all measuring, with a directory of its own, and yields the ids of the processes
    whose CPU time counts as the calls'. `fill(data_dir, network, cursor, addresses)` puts leases where this
    contestant will look for them.
    """

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ipam: dict[str, object] = field(default_factory=dict)
    background: Background = nothing
    fill: Fill = leases.write

    @property
    def is_peer(self) -> bool:
        """Whether this is what the others are compared with."""
        return self.name == PEER


def go_host_local() -> Contestant:
    """The peer that all others are compared with."""
    for directory in GO_PLUGIN_DIRS:
        if (directory / "host-local").exists():
            return Contestant(PEER, [str(directory / "host-local")])
    sys.exit("no Go host-local to compare with (Debian: apt-get install containernetworking-plugins)")


def one_shot(scratch: Path) -> Contestant:
    """Our plugin as `ipam install` puts it into a CNI bin directory."""
    override = os.environ.get("IPAM_TEST_PLUGIN")
    if override:
        return Contestant("one-shot", [override])
    directory = scratch / "cni-bin"
    directory.mkdir()
    subprocess.run(
        [sys.executable, "-m", "ipam.cli", "install", "--one-shot", "--cni-bin-dir", str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Contestant("one-shot", [str(directory / "host-local")])


def through_daemon(scratch: Path) -> Contestant:
    """The launcher, and the daemon behind it, with the CPU time of both."""
    directory = scratch / "daemon-bin"
    directory.mkdir()
    compile_launcher(directory / "host-local", socket=str(scratch / "ipam.sock"))

    @contextmanager
    def serving(_: Path) -> Iterator[list[int]]:
        with Service(scratch / "ipam.sock") as service:
            yield [service.pid]

    return Contestant("daemon", [str(directory / "host-local")], background=serving)


def challengers(scratch: Path) -> list[Contestant]:
    """Everyone who is measured against Go; a further door or store is one more entry here."""
    found = [one_shot(scratch)]
    if find_compiler() is not None:
        found.append(through_daemon(scratch))
    return found
