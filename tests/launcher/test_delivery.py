"""When the answer cannot reach the caller, the daemon learns it and can give back what was leased."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from ipam import frame
from tests.launcher.conftest import CONFIG, ENV, environment, run
from tests.launcher.daemon import PATIENCE, Caller, Daemon, answering
from tests.launcher.processes import started, until

REPLY = frame.encode_reply(0, b'{"ips": []}', b"a line\n")
REQUEST = (frame.PROTOCOL, ENV, CONFIG)


def run_to(launcher: Path, place: Path, stdout: int) -> tuple[int, bytes]:
    """One call with that stdout. Returns the exit status and what went to stderr."""
    done = subprocess.run(
        [launcher],
        env=environment(place),
        input=CONFIG,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stderr


def test_after_a_delivered_answer_the_daemon_sees_the_end_alone(launcher: Path, place: Path) -> None:
    with Daemon(place, answering(REPLY)) as daemon:
        assert run(launcher, place).returncode == 0
    assert daemon.seen == [(REQUEST, b"")]


@pytest.mark.parametrize("stdout", ["no reader", "full", "read-only"])
def test_an_answer_that_cannot_be_written_is_reported_to_the_daemon(launcher: Path, place: Path, stdout: str) -> None:
    reading, writing = os.pipe()
    if stdout == "no reader":
        os.close(reading)
    elif stdout == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writing)
    else:
        os.dup2(os.open("/dev/null", os.O_RDONLY), writing)
    with Daemon(place, answering(REPLY)) as daemon:
        status, errors = run_to(launcher, place, writing)
    assert (status, errors) == (1, b"the answer could not be delivered; the ipam daemon gives back what it leased\n")
    assert daemon.seen == [(REQUEST, frame.UNDELIVERED)]
    os.close(writing)


@pytest.mark.parametrize("full", [True, False])
def test_a_stdout_that_nobody_reads_is_given_up(hasty: Path, place: Path, full: bool) -> None:
    reading, writing = os.pipe()
    if full:
        os.set_blocking(writing, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        os.set_blocking(writing, True)
    with Daemon(place, answering(frame.encode_reply(0, bytes(1 << 20)))) as daemon:
        assert run_to(hasty, place, writing)[0] == 1
    assert daemon.seen == [(REQUEST, frame.UNDELIVERED)]
    os.close(reading)
    os.close(writing)


def test_the_launcher_waits_until_the_daemon_has_given_back(launcher: Path, place: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    running: list[subprocess.Popen[bytes]] = []

    def behave(caller: Caller) -> bool:
        caller.request()
        caller.send(REPLY)
        assert caller.connection.recv(1) == frame.UNDELIVERED
        until(lambda: bool(running))
        return running[0].poll() is None

    with (
        Daemon(place, behave) as daemon,
        started(
            [launcher], env=environment(place), stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.DEVNULL
        ) as process,
    ):
        running.append(process)
        assert process.wait(PATIENCE) == 1
    assert daemon.seen == [True]
    os.close(writing)


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_with_stdout_closed_from_the_start_no_address_is_asked_for(launcher: Path, place: Path, closed: str) -> None:
    with Daemon(place, answering(REPLY)) as daemon:
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" {closed}', launcher],
            env=environment(place),
            input=CONFIG,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    assert daemon.seen == []


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("status", [0, 1])
def test_what_needs_no_answer_is_done_though_stdout_is_closed(
    launcher: Path, place: Path, status: int, closed: str
) -> None:
    with Daemon(place, answering(frame.encode_reply(status, b"{}"))) as daemon:
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" {closed}', launcher],
            env=environment(place, CNI_COMMAND="DEL"),
            input=CONFIG,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")
    stdin = b"" if "<" in closed else CONFIG
    assert daemon.seen == [((frame.PROTOCOL, ENV | {"CNI_COMMAND": "DEL"}, stdin), b"")]


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_other_closed_descriptors_are_not_taken_by_the_socket(launcher: Path, place: Path, closed: str) -> None:
    with Daemon(place, answering(REPLY)) as daemon:
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" {closed}', launcher],
            env=environment(place),
            input=CONFIG,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b'{"ips": []}')
    assert daemon.seen == [((frame.PROTOCOL, ENV, b"" if "<" in closed else CONFIG), b"")]


def test_a_stderr_that_cannot_be_written_does_not_matter(launcher: Path, place: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with Daemon(place, answering(REPLY)) as daemon:
        done = subprocess.run(
            [launcher],
            env=environment(place),
            input=CONFIG,
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b'{"ips": []}')
    assert daemon.seen == [(REQUEST, b"")]
    os.close(full)


def test_a_launcher_killed_before_it_reads_the_answer_is_a_reset_to_the_daemon(launcher: Path, place: Path) -> None:
    # ipam.frame says so; a plain end of file would mean that the answer was delivered.
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(place))
    listener.listen()
    with (
        listener,
        started([launcher], env=environment(place), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process,
    ):
        connection, _ = listener.accept()
        caller = Caller(connection)
        caller.request()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        caller.send(REPLY)
        process.kill()
        process.wait(PATIENCE)
        with connection, pytest.raises(ConnectionResetError):
            caller.rest()
