"""Socket activation without a systemd that runs: systemd-socket-activate hands the socket over, a loop restarts."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.daemon.service import PATIENCE, until
from tests.install.burst import main as burst
from tests.install.conftest import NAME
from tests.install.environment import Environment

# sh execs the daemon of each round in a process of its own, whose number LISTEN_PID must be.
KEEP_SERVING = """\
echo "$$" >"$0"
while [ -e "$0" ]; do
  (export LISTEN_PID=$(exec sh -c 'echo "$PPID"'); exec "$@" serve)
done
"""


@pytest.fixture
def launcher(native: Environment, tmp_path: Path) -> Path:
    """A launcher with nothing to fall back to."""
    native.run("install", "--cni-bin-dir", tmp_path / "bin", "--launcher-only")
    return tmp_path / "bin" / NAME


@pytest.fixture
def activated(native: Environment, nowhere: Path, tmp_path: Path) -> Iterator[Path]:
    """A socket that starts a daemon at the first call, and another one after each; the file that keeps this going."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        missing("systemd-socket-activate (Debian: systemd)")
    going = tmp_path / "going"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), f"--listen={nowhere}", "sh", "-c", KEEP_SERVING, str(going), str(native.ipam)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        until("it listens", nowhere.exists)
        yield going
    finally:
        going.unlink(missing_ok=True)
        for pid in (*children(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        process.wait(PATIENCE)
        nowhere.unlink(missing_ok=True)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def config(tmp_path: Path) -> str:
    ipam = {"type": NAME, "subnet": "10.0.0.0/16", "dataDir": str(tmp_path / "leases")}
    return json.dumps({"cniVersion": "1.0.0", "name": "net", "ipam": ipam})


def status(native: Environment, nowhere: Path) -> Any:
    return json.loads(native.run("status", "--socket", nowhere, "-o", "json").stdout)["daemon"]


def add(launcher: Path, tmp_path: Path) -> subprocess.CompletedProcess[bytes]:
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0"}
    stdin = config(tmp_path).encode()
    return subprocess.run([launcher], env=env, input=stdin, capture_output=True, timeout=PATIENCE, check=False)


def test_the_first_call_starts_the_daemon(
    native: Environment, nowhere: Path, launcher: Path, activated: Path, tmp_path: Path
) -> None:
    assert not activated.exists()
    assert add(launcher, tmp_path).returncode == 0
    assert activated.exists()
    assert status(native, nowhere)["requests"] == {"ADD ok": 1}


def test_restarts_in_a_burst_of_1000_calls_lose_none(
    native: Environment, nowhere: Path, launcher: Path, activated: Path, tmp_path: Path
) -> None:
    add(launcher, tmp_path)
    (tmp_path / "burst").mkdir()
    stop = [
        sys.executable,
        "-c",
        f"""
import os, signal
shell = open({str(activated)!r}).read().strip()
for child in open(f"/proc/{{shell}}/task/{{shell}}/children").read().split():
    os.kill(int(child), signal.SIGTERM)
""",
    ]
    done = burst(str(launcher), 1000, tmp_path / "burst", config(tmp_path), 250, stop)
    assert done["commands"] == [0, 0, 0, 0]
    assert [answer for status, answer in done["calls"] if status != 0] == []
    assert len({json.loads(answer)["ips"][0]["address"] for _, answer in done["calls"]}) == 1000
    assert status(native, nowhere)["requests"].get("ADD ok", 0) < 1000
