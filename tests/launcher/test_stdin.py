"""How the launcher reads the config, and that it never waits for one which is not needed."""

import json
import os
import subprocess
from pathlib import Path
from typing import IO

import pytest

from ipam import cni, frame
from ipam.errors import TryAgain, Undecodable
from tests.launcher.conftest import CONFIG, ENV, Done, environment, error, run
from tests.launcher.daemon import PATIENCE, Caller, Daemon, answering
from tests.launcher.processes import started

EMPTY = frame.encode_reply(0, b"{}")


def run_with(launcher: Path, place: Path, stdin: IO[bytes] | int, env: dict[str, str] | None = None) -> Done:
    env = environment(place) if env is None else env
    return subprocess.run([launcher], env=env, stdin=stdin, capture_output=True, timeout=PATIENCE, check=False)


def test_an_endless_stdin_is_an_error_and_the_daemon_is_not_asked(launcher: Path, place: Path) -> None:
    with Path("/dev/zero").open("rb") as zeros, Daemon(place, Caller.rest) as daemon:
        answer = error(run_with(launcher, place, zeros))
    assert (answer["code"], answer["msg"]) == (6, "error unmarshall network config: input is longer than 1 MiB")
    assert daemon.seen == [b""]


def test_one_byte_more_than_1_mib_is_an_error(launcher: Path, place: Path) -> None:
    with Daemon(place, Caller.rest) as daemon:
        done = run(launcher, place, bytes(frame.STDIN_LIMIT + 1))
    expected = Undecodable("error unmarshall network config: input is longer than 1 MiB", "nothing was done")
    assert (done.returncode, done.stdout) == (1, cni.error_json(cni.NEWEST, expected))
    assert daemon.seen == [b""]


def test_a_stdin_that_stays_open_is_an_error_as_in_the_one_shot(hasty: Path, place: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, CONFIG)
    with Daemon(place, Caller.rest) as daemon:
        done = run_with(hasty, place, reading)
    expected = TryAgain("stdin was not closed within 1 s", "the caller must send the config")
    assert (done.returncode, done.stdout) == (1, cni.error_json(cni.NEWEST, expected))
    assert daemon.seen == [b""]
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("sent", [b"", b'{"cniVersion": "0.4.0"}'])
def test_version_takes_what_is_there_and_does_not_wait(launcher: Path, place: Path, sent: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, sent)
    with Daemon(place, answering(EMPTY)) as daemon:
        done = run_with(launcher, place, reading, environment(place, CNI_COMMAND="VERSION"))
    assert done.stdout == b"{}"
    assert daemon.seen == [((frame.PROTOCOL, {**ENV, "CNI_COMMAND": "VERSION"}, sent), b"")]
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("command", ["VERSIONS", "VERSIO", ""])
def test_only_version_goes_without_a_config(hasty: Path, place: Path, command: str) -> None:
    reading, writing = os.pipe()
    with Daemon(place, Caller.rest):
        done = run_with(hasty, place, reading, environment(place, CNI_COMMAND=command))
    assert error(done)["msg"] == "stdin was not closed within 1 s"
    os.close(reading)
    os.close(writing)


def test_without_a_command_nothing_is_read(launcher: Path, place: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, CONFIG)
    with Daemon(place, answering(frame.encode_reply(0, b"", b"about us\n"))) as daemon:
        done = run_with(launcher, place, reading, {"IPAM_SOCKET": str(place)})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"about us\n")
    assert daemon.seen == [((frame.PROTOCOL, {}, b""), b"")]
    assert os.read(reading, 1000) == CONFIG
    os.close(reading)
    os.close(writing)


def test_a_closed_stdin_is_an_empty_one(launcher: Path, place: Path) -> None:
    with Daemon(place, answering(EMPTY)) as daemon:
        done = subprocess.run(
            ["sh", "-c", 'exec "$0" <&-', launcher],
            env=environment(place),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.stdout == b"{}"
    assert daemon.seen == [((frame.PROTOCOL, ENV, b""), b"")]


def test_a_stdin_that_cannot_be_read_is_an_error(launcher: Path, place: Path) -> None:
    directory = os.open("/", os.O_RDONLY)
    with Daemon(place, Caller.rest):
        answer = error(run_with(launcher, place, directory))
    assert (answer["code"], answer["msg"], answer["details"]) == (6, "cannot read stdin", "error number 0021")
    os.close(directory)


def test_a_config_that_comes_in_pieces_through_a_pipe_that_does_not_block(launcher: Path, place: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        Daemon(place, answering(EMPTY)) as daemon,
        started([launcher], env=environment(place), stdin=reading, stdout=subprocess.PIPE) as process,
    ):
        for byte in CONFIG:
            os.write(writing, bytes([byte]))
        os.close(writing)
        assert process.communicate(timeout=PATIENCE)[0] == b"{}"
    assert daemon.seen == [((frame.PROTOCOL, ENV, CONFIG), b"")]
    os.close(reading)


def test_variables_beyond_256_kib_are_an_error(launcher: Path, place: Path) -> None:
    with Daemon(place, Caller.rest) as daemon:
        done = run(launcher, place, **{f"CNI_{i}": "a" * 100_000 for i in range(3)})
    assert json.loads(done.stdout)["code"] == 4
    assert error(done)["msg"] == "the CNI_ variables are too long"
    assert daemon.seen == [b""]
