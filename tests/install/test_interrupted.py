"""Killed before any of its changes, `ipam install` leaves a plugin that works, and so does `ipam uninstall`."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.install.conftest import FOREIGN, NAME, call, content, put_foreign
from tests.install.environment import PATIENCE, Environment

# Arguments: which change not to live to see, below which directory, then the command. Exits as the command does.
KILLER = """\
import os, signal, sys
from ipam.cli import main
latest, directory = int(sys.argv[1]), sys.argv[2]
count = 0
def watch(event, arguments):
    global count
    if event not in CHANGES or (event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    path = os.readlink(f"/proc/self/fd/{arguments[0]}") if isinstance(arguments[0], int) else os.fspath(arguments[0])
    if path.startswith(directory):
        count += 1
        if count == latest:
            os.kill(os.getpid(), signal.SIGKILL)
CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.utime", "os.symlink"}
sys.addaudithook(watch)
main(sys.argv[3:])
"""
MOST = 60
"""More changes than any command makes."""


def dies(environment: Environment, directory: Path, change: int, *command: str) -> bool:
    """Run a command that is killed before its `change`th change; False where it makes fewer, and has succeeded."""
    done = subprocess.run(
        [
            environment.prefix / "bin/python3",
            *("-c", KILLER, str(change), str(directory)),
            *(*command, "--cni-bin-dir", str(directory)),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={"PATH": os.defpath},
    )
    assert done.returncode in {0, -signal.SIGKILL}, done
    return done.returncode != 0


@pytest.mark.parametrize("first", ["none", "an older one"])
def test_a_killed_install_leaves_a_plugin_that_works_and_nothing_that_stays(
    native: Environment, old: Environment, tmp_path: Path, first: str
) -> None:
    for change in range(1, MOST):
        directory = tmp_path / str(change)
        directory.mkdir()
        put_foreign(directory)
        if first == "an older one":
            old.run("install", "--cni-bin-dir", directory, "--one-shot")
        died = dies(native, directory, change, "install")
        assert call(directory / NAME), change
        if change % 2:
            native.run("install", "--cni-bin-dir", directory)
            assert "supportedVersions" in call(directory / NAME), change
        native.run("uninstall", "--cni-bin-dir", directory, check=False)
        assert content(directory) == {NAME: FOREIGN}, change
        if not died:
            return
    raise AssertionError("it never ends")


def test_a_killed_uninstall_leaves_a_plugin_that_works_and_can_be_run_again(
    native: Environment, tmp_path: Path
) -> None:
    for change in range(1, MOST):
        directory = tmp_path / str(change)
        directory.mkdir()
        put_foreign(directory)
        native.run("install", "--cni-bin-dir", directory)
        died = dies(native, directory, change, "uninstall")
        assert call(directory / NAME), change
        native.run("uninstall", "--cni-bin-dir", directory, check=False)
        assert content(directory) == {NAME: FOREIGN}, change
        if not died:
            return
    raise AssertionError("it never ends")
