"""Fixtures that every suite shares: the plugin as installed, the Go plugins beside it, one call through each door."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ipam.handler import handle
from ipam.launcher.compile import find_compiler
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Request
from tests.daemon.service import Service, put_launcher
from tests.sql.cluster import Cluster, is_installed

GO_PLUGIN_DIRS = [Path("/usr/lib/cni"), Path("/opt/cni/bin")]


def missing(what: str) -> None:
    """Skip for want of a part; in CI, where every part is installed, that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def go_plugins() -> Path:
    """The directory with Debian's Go CNI plugins (package containernetworking-plugins)."""
    for directory in GO_PLUGIN_DIRS:
        if (directory / "host-local").exists():
            return directory
    missing("the Go CNI plugins (Debian: containernetworking-plugins)")
    raise AssertionError


@pytest.fixture(scope="session")
def go_host_local(go_plugins: Path) -> Path:
    """Debian's Go host-local, the peer that every comparison is made with."""
    return go_plugins / "host-local"


@pytest.fixture(scope="session")
def one_shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our plugin as `ipam install` puts it into a CNI bin directory, under the name host-local."""
    override = os.environ.get("IPAM_TEST_PLUGIN")
    if override:
        return Path(override)
    directory = tmp_path_factory.mktemp("cni-bin")
    subprocess.run(
        [sys.executable, "-m", "ipam.cli", "install", "--one-shot", "--cni-bin-dir", str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return directory / "host-local"


@pytest.fixture(scope="session")
def daemon() -> Iterator[Service]:
    """A daemon for everybody, on a socket whose path is short enough to be one."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory, Service(Path(directory, "ipam.sock")) as service:
        yield service


@pytest.fixture(scope="session")
def launcher(daemon: Service, one_shot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher as `ipam install` puts it into a CNI bin directory; `daemon` answers its calls."""
    if find_compiler() is None:
        missing("a C compiler")
    return put_launcher(tmp_path_factory.mktemp("cni-bin"), daemon.socket, one_shot)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server for everybody; each test has a database of its own in it."""
    if not is_installed():
        missing("PostgreSQL's server (Debian: postgresql)")
    with Cluster("fsync = off", "max_connections = 200") as cluster:
        yield cluster


DOORS = {"one-shot": "one_shot", "daemon": "launcher"}
"""The ways into the plugin that an executable can be, and the fixture of each."""


@pytest.fixture(scope="session")
def door(request: pytest.FixtureRequest) -> str:
    """The key of DOORS that `plugin` stands for: the one-shot, where a suite is not parametrized with it."""
    return str(getattr(request, "param", "one-shot"))


@pytest.fixture(scope="session")
def plugin(door: str, request: pytest.FixtureRequest) -> Path:
    """Our plugin as it stands in a CNI bin directory."""
    path: Path = request.getfixturevalue(DOORS[door])
    return path


@pytest.fixture(scope="session")
def cni_bin(plugin: Path, go_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CNI bin directory as on a node: Go's main plugins, and our plugin in host-local's place."""
    directory = tmp_path_factory.mktemp("node-cni-bin")
    for binary in go_plugins.iterdir():
        if binary.name != "host-local":
            (directory / binary.name).symlink_to(binary)
    (directory / "host-local").symlink_to(plugin)
    return directory


@pytest.fixture(scope="session")
def as_root() -> None:
    """Network namespaces need root and iproute2."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        missing("root and iproute2")


Call = Callable[[dict[str, str], bytes], "Answer"]


class Answer(NamedTuple):
    """What came back from a call, whichever door it went through."""

    code: int
    stdout: bytes
    stderr: bytes

    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.stdout)


@pytest.fixture(params=["direct", *DOORS])
def call(request: pytest.FixtureRequest) -> Call:
    """Call the plugin with CNI_* variables and stdin: in this process, or as one of the executables."""
    if request.param in DOORS:
        path = request.getfixturevalue(DOORS[request.param])

        def as_process(env: dict[str, str], stdin: bytes) -> Answer:
            done = subprocess.run([str(path)], env=env, input=stdin, capture_output=True, timeout=60, check=False)
            return Answer(done.returncode, done.stdout, done.stderr)

        return as_process
    host = this_host()

    def direct(env: dict[str, str], stdin: bytes) -> Answer:
        stores = Stores(host)
        reply = handle(Request(env, stdin), host, stores)
        stores.close()
        return Answer(reply.exit_code, reply.stdout, reply.stderr.encode())

    return direct


Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="session")
def run_plugin() -> Run:
    """Run one plugin executable as libcni does: a bare environment, the config on stdin."""

    def run(
        path: Path, env: dict[str, str], stdin: bytes, *, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([str(path)], env=env, input=stdin, capture_output=True, timeout=timeout, check=False)

    return run
