"""The network's lock: held by a process that does not let go, contested by many, or not a file at all."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.faults.calls import (
    NETWORK,
    await_waiters,
    config,
    environment,
    held_lock,
    leases,
    release,
    snapshot,
)

TRY_AGAIN = 11
COMMANDS = ("ADD", "DEL", "CHECK")


@pytest.fixture
def directory(plugin: Path, run_plugin: Run, tmp_path: Path) -> Path:
    """A data directory with one lease in it."""
    done = run_plugin(plugin, environment("ADD", "first"), config(tmp_path / "networks"))
    assert done.returncode == 0, done.stdout
    return tmp_path / "networks"


def check_config(directory: Path, *, lock_timeout: int) -> bytes:
    """A configuration with the prevResult that CHECK wants to see."""
    content = json.loads(config(directory, lock_timeout=lock_timeout))
    content["prevResult"] = {"cniVersion": "1.0.0", "ips": [{"address": "10.89.0.2/24"}]}
    return json.dumps(content).encode()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_lock_that_stays_held_ends_in_try_again(plugin: Path, run_plugin: Run, directory: Path, command: str) -> None:
    with held_lock(directory / NETWORK / "lock") as holder:
        done = run_plugin(plugin, environment(command, "first"), check_config(directory, lock_timeout=1))
    error = json.loads(done.stdout)
    assert done.returncode != 0
    assert error["code"] == TRY_AGAIN
    said = f"{error['msg']} {error.get('details', '')}"
    assert str(holder.pid) in said
    assert "python" in said
    assert NETWORK in said
    assert "\n" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_lock_timeout_leaves_the_directory_as_it_was(
    plugin: Path, run_plugin: Run, directory: Path, command: str
) -> None:
    with held_lock(directory / NETWORK / "lock"):
        before = snapshot(directory)
        run_plugin(plugin, environment(command, "second"), check_config(directory, lock_timeout=1))
        assert snapshot(directory) == before


ALARMS_BLOCKED = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_caller_that_blocks_alarms_waits_no_longer_for_the_lock(plugin: Path, directory: Path) -> None:
    command = [sys.executable, "-c", ALARMS_BLOCKED, plugin]
    with held_lock(directory / NETWORK / "lock"):
        stdin = config(directory, lock_timeout=1)
        done = subprocess.run(
            command, env=environment("DEL", "first"), input=stdin, capture_output=True, timeout=60, check=False
        )
    assert json.loads(done.stdout)["code"] == TRY_AGAIN


def test_a_caller_that_blocks_alarms_waits_no_longer_for_a_config(plugin: Path) -> None:
    reader, writer = os.pipe()  # VERSION waits for a config the shortest time
    try:
        done = subprocess.run(
            [sys.executable, "-c", ALARMS_BLOCKED, plugin],
            env={"CNI_COMMAND": "VERSION"}, stdin=reader, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
    finally:
        os.close(reader)
        os.close(writer)
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]


def test_after_a_lock_timeout_the_next_call_succeeds(plugin: Path, run_plugin: Run, directory: Path) -> None:
    with held_lock(directory / NETWORK / "lock"):
        run_plugin(plugin, environment("ADD", "second"), config(directory, lock_timeout=1))
    done = run_plugin(plugin, environment("ADD", "second"), config(directory))
    assert done.returncode == 0, done.stdout
    assert leases(directory) == {"10.89.0.2": b"first\r\neth0", "10.89.0.3": b"second\r\neth0"}


def test_twenty_waiters_stand_in_the_kernels_queue_and_all_proceed(plugin: Path, directory: Path) -> None:
    stdin = config(directory)
    with held_lock(directory / NETWORK / "lock") as holder:
        calls = [
            subprocess.Popen(
                [str(plugin)],
                env=environment("ADD", f"waiter-{number}"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for number in range(20)
        ]
        try:
            for call in calls:
                assert call.stdin is not None
                call.stdin.write(stdin)
                call.stdin.close()
                call.stdin = None
            await_waiters(directory / NETWORK / "lock", len(calls))
            release(holder)
            answers = [call.communicate(timeout=60)[0] for call in calls]
        finally:
            for call in calls:
                call.kill()
                call.communicate()
    assert [call.returncode for call in calls] == [0] * len(calls)
    given = {json.loads(answer)["ips"][0]["address"] for answer in answers}
    assert given == {f"10.89.0.{last}/24" for last in range(3, 23)}


def make_lock(path: Path, kind: str) -> None:
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        (path.parent.parent.parent / "target").write_bytes(b"mine")
        path.symlink_to("../../target")
    elif kind == "dangling link":
        path.symlink_to("../../target")
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))


@pytest.mark.parametrize("command", ["ADD", "DEL"])
@pytest.mark.parametrize("kind", ["FIFO", "directory", "link", "dangling link", "socket"])
def test_a_lock_that_is_no_file_is_an_error_and_no_hang(
    plugin: Path, run_plugin: Run, directory: Path, kind: str, command: str
) -> None:
    lock = directory / NETWORK / "lock"
    lock.unlink()
    make_lock(lock, kind)
    target = directory.parent / "target"
    before = (leases(directory), target.read_bytes() if target.exists() else None)
    done = run_plugin(plugin, environment(command, "first"), config(directory), timeout=30)
    assert done.returncode != 0
    error = json.loads(done.stdout)
    assert error["code"] > 0
    assert "lock" in f"{error['msg']} {error.get('details', '')}"
    assert (leases(directory), target.read_bytes() if target.exists() else None) == before
