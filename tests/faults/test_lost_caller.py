"""A result that cannot be delivered: what the call took is given back, and nothing else."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import Run, missing
from tests.faults.calls import (
    NETWORK,
    await_waiters,
    config,
    environment,
    held_lock,
    leases,
    release,
    waiters,
)

# What stands between containerd and the IPAM: a main plugin that waits for the address.
MAIN_PLUGIN = """
import subprocess, sys
subprocess.run([sys.argv[1]], input=sys.stdin.buffer.read(), stdout=subprocess.PIPE)
"""
LOST = ("closed", "reader gone", "full")


def run_lost(
    plugin: Path, way: str, who: str, stdin: bytes, *, command: str = "ADD"
) -> subprocess.CompletedProcess[bytes]:
    """A call whose stdout is closed, or a pipe that nobody reads, or a full device."""
    argv = [str(plugin)]
    stdout: int | IO[bytes]
    if way == "closed":
        argv = ["/bin/sh", "-c", 'exec "$0" >&-', str(plugin)]
        stdout = subprocess.DEVNULL
    elif way == "reader gone":
        reader, stdout = os.pipe()
        os.close(reader)
    else:
        stdout = os.open("/dev/full", os.O_WRONLY)
    try:
        return subprocess.run(
            argv,
            env=environment(command, who),
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        if stdout != subprocess.DEVNULL:
            os.close(stdout)


@pytest.fixture
def directory(plugin: Path, run_plugin: Run, tmp_path: Path) -> Path:
    """A data directory in which another container holds an address of each family."""
    path = tmp_path / "networks"
    done = run_plugin(plugin, environment("ADD", "other"), config(path, dual=True))
    assert done.returncode == 0, done.stdout
    return path


OTHERS = {"10.89.0.2": b"other\r\neth0", "fd00:89::2": b"other\r\neth0"}


@pytest.mark.parametrize("way", LOST)
def test_an_add_without_a_reader_leaves_no_lease(plugin: Path, directory: Path, way: str) -> None:
    done = run_lost(plugin, way, "lost", config(directory, dual=True))
    assert done.returncode != 0
    assert leases(directory) == OTHERS


@pytest.mark.parametrize("way", LOST)
def test_the_first_add_of_a_network_without_a_reader_leaves_no_lease(plugin: Path, tmp_path: Path, way: str) -> None:
    done = run_lost(plugin, way, "lost", config(tmp_path / "networks"))
    assert done.returncode != 0
    assert leases(tmp_path / "networks") == {}


def test_what_could_not_be_given_back_is_not_said_to_be(one_shot: Path, run_plugin: Run, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        missing("strace")
    assert run_plugin(one_shot, environment("ADD", "other"), config(tmp_path)).returncode == 0
    inject = ["-e", "inject=unlinkat,renameat:error=EROFS", "-o", os.devnull]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            ["strace", *inject, one_shot], env=environment("ADD", "lost"), input=config(tmp_path), stdout=full,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"what was leased could not be given back" in done.stderr
    assert len(leases(tmp_path)) == 2


def test_a_result_is_never_written_into_a_file_that_got_the_number_of_a_closed_stdout(
    plugin: Path, directory: Path
) -> None:
    run_lost(plugin, "closed", "lost", config(directory, dual=True))
    written = [path for path in directory.rglob("*") if path.is_file() and b'"ips"' in path.read_bytes()]
    assert written == []
    assert (directory / NETWORK / "lock").read_bytes() == b""


@pytest.mark.parametrize("way", LOST)
def test_the_address_of_a_lost_caller_can_be_had_by_the_next(
    plugin: Path, run_plugin: Run, directory: Path, way: str
) -> None:
    run_lost(plugin, way, "lost", config(directory, dual=True))
    done = run_plugin(plugin, environment("ADD", "lost"), config(directory, dual=True))
    assert done.returncode == 0, done.stdout
    assert len(json.loads(done.stdout)["ips"]) == 2
    done = run_plugin(plugin, environment("DEL", "lost"), config(directory, dual=True))
    assert done.returncode == 0, done.stdout
    assert leases(directory) == OTHERS


@pytest.mark.parametrize("way", LOST)
def test_a_second_add_without_a_reader_keeps_what_the_first_took(plugin: Path, directory: Path, way: str) -> None:
    done = run_lost(plugin, way, "other", config(directory, dual=True))
    assert done.returncode != 0
    assert leases(directory) == OTHERS


@pytest.mark.parametrize("way", LOST)
def test_a_del_without_a_reader_still_releases(plugin: Path, run_plugin: Run, directory: Path, way: str) -> None:
    run_plugin(plugin, environment("ADD", "gone"), config(directory, dual=True))
    done = run_lost(plugin, way, "gone", config(directory, dual=True), command="DEL")
    assert done.returncode == 0, done.stderr
    assert leases(directory) == OTHERS


@pytest.mark.parametrize("deletes", [False, True], ids=["no DEL", "a DEL in between"])
def test_a_caller_killed_while_its_add_waits_for_the_lock_leaves_no_lease(
    plugin: Path, directory: Path, *, deletes: bool
) -> None:
    lock = directory / NETWORK / "lock"
    stdin = config(directory, dual=True)
    # The orphan keeps this pipe as its stderr: end of file there says that it has ended.
    ended, stderr = os.pipe()
    with held_lock(lock) as holder, os.fdopen(ended, "rb") as orphan:
        main = subprocess.Popen(
            [sys.executable, "-c", MAIN_PLUGIN, str(plugin)],
            env=environment("ADD", "lost"),
            stdin=subprocess.PIPE,
            stderr=stderr,
        )
        os.close(stderr)
        try:
            assert main.stdin is not None
            main.stdin.write(stdin)
            main.stdin.close()
            await_waiters(lock, 1)
        except AssertionError:
            for process in waiters(lock):
                os.kill(process, signal.SIGKILL)
            raise
        finally:
            main.kill()
            main.wait()
        delete = None
        if deletes:
            delete = subprocess.Popen([str(plugin)], env=environment("DEL", "lost"), stdin=subprocess.PIPE)
            assert delete.stdin is not None
            delete.stdin.write(stdin)
            delete.stdin.close()
            await_waiters(lock, 2)
        release(holder)
        orphan.read()
        assert delete is None or delete.wait(60) == 0
    assert leases(directory) == OTHERS
