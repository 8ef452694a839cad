"""Where no daemon listens, or it speaks another protocol, the launcher becomes the one-shot plugin."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from ipam import frame
from tests.launcher.conftest import (
    CONFIG,
    NAME,
    ONE_SHOT_STATUS,
    Build,
    as_environ,
    environment,
    error,
    fallback,
    run,
)
from tests.launcher.daemon import PATIENCE, Caller, Daemon, answering
from tests.launcher.processes import fill, is_asleep, started, until

NEWER = frame.encode_reply(frame.REFUSED, b"", b"", protocol=frame.PROTOCOL + 1)


def leave_a_dead_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(place))


@pytest.mark.parametrize("listener", ["none", "dead", "a file"])
def test_without_a_listener_the_one_shot_gets_the_whole_call(launcher: Path, place: Path, listener: str) -> None:
    if listener == "dead":
        leave_a_dead_socket(place)
    elif listener == "a file":
        place.touch()
    stdin = os.urandom(frame.STDIN_LIMIT + 1)
    changes = {"PATH": "/usr/bin", "TRACEPARENT": "x", "CNI_ARGS": "\udcff", "LD_LIBRARY_PATH": "/opt/lib"}
    given = fallback(run(launcher, place, stdin, **changes))
    assert given.stdin == stdin
    assert given.environ == as_environ(environment(place, **changes))


def test_the_one_shot_reads_the_very_stdin_of_the_caller(launcher: Path, place: Path, tmp_path: Path) -> None:
    # From where the caller stands in it: nothing was read, nothing put back.
    config = tmp_path / "config"
    config.write_bytes(b"skipped" + CONFIG)
    with config.open("rb") as stdin:
        stdin.seek(len("skipped"))
        done = subprocess.run(
            [launcher], env=environment(place), stdin=stdin, capture_output=True, timeout=PATIENCE, check=False
        )
    assert fallback(done).stdin == CONFIG


def test_a_launcher_behind_links_finds_the_one_shot_beside_itself(launcher: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "other-name").symlink_to(launcher)
    (tmp_path / "bin").symlink_to(tmp_path)
    fallback(run(tmp_path / "bin" / "other-name", place))


@pytest.mark.parametrize("directory", ["plain", 'quotes " and \\', "ümlaut <&>", "\udcff", "new\nline"])
def test_without_a_one_shot_the_error_names_its_path(
    launcher: Path, place: Path, tmp_path: Path, directory: str
) -> None:
    (tmp_path / directory).mkdir()
    copy = Path(shutil.copy(launcher, tmp_path / directory / NAME))
    answer = error(run(copy, place))
    # A byte that is not ASCII is shown as the character of its number.
    shown = os.fsencode(copy.parent / ".ipam" / f"{NAME}.oneshot").decode("latin-1")
    assert answer == {
        "cniVersion": "1.1.0",
        "code": 5,
        "msg": "the ipam daemon is not running, and the one-shot plugin cannot be run",
        "details": f"{shown}: no such file or directory (the file, or the interpreter that it names); "
        "run ipam install again",
    }


def test_a_one_shot_that_cannot_be_run_is_an_error_that_says_why(build: Build, place: Path) -> None:
    launcher = build()
    one_shot = launcher.parent / ".ipam" / f"{NAME}.oneshot"
    one_shot.chmod(0o644)
    assert error(run(launcher, place))["details"].startswith(f"{one_shot}: permission denied")
    one_shot.chmod(0o755)
    one_shot.write_text("no program")
    assert error(run(launcher, place))["details"].startswith(f"{one_shot}: not an executable")


def test_a_launcher_that_was_replaced_meanwhile_finds_the_one_shot(build: Build, place: Path) -> None:
    # As in an upgrade: it waits in a full queue, its file is replaced, and the daemon stops.
    launcher = build()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with (
        listener,
        fill(listener, place),
        started([launcher], env=environment(place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process,
    ):
        until(lambda: is_asleep(process.pid))
        shutil.copy(launcher, launcher.with_name("new"))
        launcher.with_name("new").replace(launcher)
        listener.close()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == ONE_SHOT_STATUS


@pytest.mark.parametrize("length", [0, 1000, frame.STDIN_LIMIT])
def test_a_daemon_of_another_protocol_makes_the_one_shot_answer(launcher: Path, place: Path, length: int) -> None:
    stdin = os.urandom(length)
    with Daemon(place, answering(NEWER)) as daemon:
        given = fallback(run(launcher, place, stdin))
    assert given.stdin == stdin
    assert given.environ == as_environ(environment(place))
    assert [rest for _, rest in daemon.seen] == [b""]


def test_a_refusal_may_come_before_the_request_was_read(launcher: Path, place: Path) -> None:
    with Daemon(place, lambda caller: caller.send(NEWER)):
        assert fallback(run(launcher, place, bytes(frame.STDIN_LIMIT))).stdin == bytes(frame.STDIN_LIMIT)


def test_a_refusal_of_another_protocol_may_have_any_form_after_its_two_bytes(launcher: Path, place: Path) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.send(b"\xff\xff\xff\xff" + bytes([9, frame.REFUSED]) + b"whatever")

    with Daemon(place, behave):
        fallback(run(launcher, place))
