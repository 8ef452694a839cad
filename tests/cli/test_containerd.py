"""The witness among runtimes asks a real containerd, with containers that run, were killed, and never were."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipam.inspection.staleness import DEAD, ENDED, LIVE, SILENT
from ipam.witnesses import runtimes
from ipam.witnesses.runtimes import KINDS, Runtimes
from tests.cli.test_witnesses import lease
from tests.conftest import missing

PATIENCE = 60.0
CONFIG = """\
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{directory}/containerd.sock"
"""


class Containerd:
    """A containerd of the test's own, with a busybox to run."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "containerd.sock"
        self.rootfs = directory / "busybox"
        self._log = (directory / "log").open("wb")
        for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
            (self.rootfs / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.rootfs / "bin")
        config = directory / "config.toml"
        config.write_text(CONFIG.format(directory=directory))
        self.process = subprocess.Popen(["containerd", "--config", config], stdout=self._log, stderr=self._log)
        stuck = time.monotonic() + PATIENCE
        while subprocess.run([*self._ctr, "version"], capture_output=True, check=False).returncode:
            assert self.process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < stuck
            time.sleep(0.05)

    @property
    def _ctr(self) -> list[str]:
        return ["ctr", "--address", str(self.socket), "--namespace", "tests"]

    def ctr(self, *words: str) -> str:
        """One call of the client."""
        done = subprocess.run([*self._ctr, *words], stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
        return done.stdout

    def start(self, name: str) -> int:
        """A container that sleeps; its process, as the node numbers it."""
        self.ctr("run", "--detach", "--rootfs", str(self.rootfs), name, "/bin/busybox", "sleep", "1000")
        return next(int(row[1]) for row in map(str.split, self.ctr("tasks", "ls").splitlines()) if row[0] == name)

    def state(self, name: str) -> str:
        """What it says of a container's task."""
        return next(row[-1] for row in map(str.split, self.ctr("tasks", "ls").splitlines()) if row[0] == name)

    def remove(self) -> None:
        """End all containers, then it itself."""
        if self.process.poll() is None:
            for name in self.ctr("containers", "ls", "-q").split():
                self.ctr("tasks", "rm", "--force", name)
                self.ctr("containers", "rm", name)
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._log.close()


@pytest.fixture
def containerd(as_root: None) -> Iterator[Containerd]:
    programs = {"containerd": "containerd", "ctr": "containerd", "runc": "runc", "busybox": "busybox-static"}
    lacking = sorted({package for program, package in programs.items() if not shutil.which(program)})
    if lacking:
        missing(", ".join(lacking))
    with tempfile.TemporaryDirectory(prefix="ipam-cd-") as name:  # short enough for sockets
        made = Containerd(Path(name))
        try:
            yield made
        finally:
            made.remove()


def test_containerd_tells_which_of_its_containers_run(containerd: Containerd, monkeypatch: pytest.MonkeyPatch) -> None:
    containerd.start("alive")
    os.kill(containerd.start("killed"), signal.SIGKILL)
    stuck = time.monotonic() + PATIENCE
    while containerd.state("killed") != "STOPPED":
        assert time.monotonic() < stuck
        time.sleep(0.05)
    (kind,) = (each for each in KINDS if each.name == "containerd")
    kinds = (kind._replace(sockets=(containerd.socket,)),)
    seen = Runtimes(kinds)
    told = {name: seen.sign(lease(container=name)).says for name in ("alive", "tests-alive", "killed", "unknown")}
    assert told == {"alive": LIVE, "tests-alive": LIVE, "killed": ENDED, "unknown": DEAD}
    assert seen.sign(lease(container="alive")).text == "containerd says running (namespace tests)"
    os.kill(containerd.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(runtimes, "TIMEOUT", 0.5)
    try:
        assert Runtimes(kinds).sign(lease(container="unknown")).says == SILENT
    finally:
        os.kill(containerd.process.pid, signal.SIGCONT)
