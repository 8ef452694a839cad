"""Who takes part: a name, a command, an environment, and what has to run in the background meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipam.bundle import interpreter
from ipam.frame import encode_reply
from ipam.launcher.compile import compile_launcher, find_compiler
from tests.bench import leases
from tests.daemon.service import Service, listens, until

GO_PLUGIN_DIRS = [Path("/usr/lib/cni"), Path("/opt/cni/bin")]

PEER, ONE_SHOT, DAEMON, FULL = "Go", "one-shot", "daemon", "daemon full"
LIMIT, BARE = "limit", "bare Python"

RESULT = b"""{
    "cniVersion": "1.0.0",
    "ips": [
        {
            "address": "10.1.0.2/16",
            "gateway": "10.1.0.1"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        }
    ],
    "dns": {}
}"""

Background = Callable[[Path], AbstractContextManager[list[int]]]
Fill = Callable[[Path, str, int, Iterable[int]], None]


@contextmanager
def nothing(scratch: Path) -> Iterator[list[int]]:
    """The background of a contestant that is only there while it is called."""
    yield []


@dataclass(frozen=True)
class Contestant:
    """One way to answer a call.

    `ipam` is added to the config's ipam section (another durability); `store` takes the place of its dataDir, with
    `{data_dir}` for the directory of the contestant's own. `background` is
    entered once before all measuring, with a directory of its own, and yields the ids of the processes
    whose CPU time counts as the calls'. `fill(data_dir, network, cursor, addresses)` puts leases where this
    contestant will look for them. It is measured at `sizes` leases only, unless that is None, on nearly full
    ranges where `ranges`, and in bursts where `bursts`. One that does not `allocate` gives everybody the same answer.
    """

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ipam: dict[str, object] = field(default_factory=dict)
    background: Background = nothing
    fill: Fill = leases.write
    sizes: frozenset[int] | None = None
    ranges: bool = True
    bursts: bool = True
    allocates: bool = True
    store: str = ""

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
        return Contestant(ONE_SHOT, [override])
    directory = scratch / "cni-bin"
    directory.mkdir()
    subprocess.run(
        [sys.executable, "-m", "ipam.cli", "install", "--one-shot", "--cni-bin-dir", str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Contestant(ONE_SHOT, [str(directory / "host-local")])


def bare_python() -> Contestant:
    """The interpreter that the one-shot runs in, started as that is, and ended at once."""
    program = [interpreter(), "-IS", "-c", "import posix; posix._exit(0)"]
    options = {"sizes": frozenset({0}), "ranges": False, "bursts": False, "allocates": False, "fill": fill_nothing}
    return Contestant(BARE, program, **options)


def through_daemon(scratch: Path, name: str, **options: Any) -> Contestant:
    """The launcher, and a daemon of this contestant's own behind it, with the CPU time of both."""
    place = scratch / f"{name.replace(' ', '-')}.sock"

    @contextmanager
    def serving(_: Path) -> Iterator[list[int]]:
        with Service(place) as service:
            yield [service.pid]

    return Contestant(name, [_launcher(place)], background=serving, **options)


def limit(scratch: Path) -> Contestant:
    """The launcher, and behind it the least that there can be."""
    place, reply = scratch / "echo.sock", scratch / "reply"
    reply.write_bytes(encode_reply(0, RESULT))
    compiler = find_compiler() or []
    source = Path(__file__).with_name("echo.c")
    subprocess.run([*compiler, "-O2", "-o", scratch / "echo", source], check=True)

    @contextmanager
    def echoing(_: Path) -> Iterator[list[int]]:
        with subprocess.Popen([scratch / "echo", place, reply]) as echo:
            try:
                until("it listens", lambda: listens(place))
                yield [echo.pid]
            finally:
                echo.kill()

    options = {"sizes": frozenset({0}), "ranges": False, "allocates": False, "fill": fill_nothing}
    return Contestant(LIMIT, [_launcher(place)], background=echoing, **options)


def fill_nothing(_data_dir: Path, _network: str, _cursor: int, _addresses: Iterable[int]) -> None:
    """For who does not look."""


def _launcher(place: Path) -> str:
    directory = place.with_suffix(".bin")
    directory.mkdir()
    compile_launcher(directory / "host-local", socket=str(place))
    return str(directory / "host-local")


def challengers(scratch: Path) -> list[Contestant]:
    """Everyone who is measured against Go; a further door or store is one more entry here."""
    found = [one_shot(scratch), bare_python()]
    if find_compiler() is not None:
        full = {"ipam": {"durability": "full"}, "sizes": frozenset({0, 1_000}), "ranges": False}
        found += [through_daemon(scratch, DAEMON), through_daemon(scratch, FULL, **full), limit(scratch)]
    return found
