"""A daemon that is lost after the request was sent: CNI error 11, and never the one-shot as well."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ipam import frame
from tests.launcher.conftest import CONFIG, environment, error, run
from tests.launcher.daemon import PATIENCE, Caller, Daemon
from tests.launcher.processes import fill, started

REPLY = frame.encode_reply(0, b'{"ips": []}', b"a line\n")
CLOSED = "it closed the connection"
GARBLED = "its answer cannot be understood"


def lost(why: str) -> dict[str, object]:
    return {
        "cniVersion": "1.1.0",
        "code": 11,
        "msg": "the ipam daemon went away before it answered",
        "details": f"{why}; see systemctl status ipam",
    }


def closing_after(part: bytes) -> Callable[[Caller], object]:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.send(part)

    return behave


@pytest.mark.parametrize("length", [0, 1, 4, 5, 6, 9, 10, 15, len(REPLY) - 1])
def test_a_daemon_that_closes_before_its_answer_is_whole(launcher: Path, place: Path, length: int) -> None:
    with Daemon(place, closing_after(REPLY[:length])):
        assert error(run(launcher, place)) == lost(CLOSED)


def test_a_daemon_that_closes_at_once(launcher: Path, place: Path) -> None:
    with Daemon(place, lambda _caller: None):
        assert error(run(launcher, place)) == lost(CLOSED)


def test_a_daemon_that_closes_amid_a_large_request(launcher: Path, place: Path) -> None:
    with Daemon(place, lambda caller: caller.connection.recv(100)):
        assert error(run(launcher, place, bytes(frame.STDIN_LIMIT))) == lost(CLOSED)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame.encode_reply(0, b"{}", protocol=frame.PROTOCOL + 1),
        (frame.REPLY_LIMIT + 1).to_bytes(4, "big") + REPLY[4:],
        b"\xff\xff\xff\xff" + REPLY[4:],
        (0).to_bytes(4, "big") + REPLY[4:],
        (5).to_bytes(4, "big") + REPLY[4:],
        REPLY[:6] + (len(REPLY) - 10 + 1).to_bytes(4, "big") + REPLY[10:],
        REPLY[:6] + b"\xff\xff\xff\xff" + REPLY[10:],
    ],
    ids=["http", "other protocol", "too long", "huge", "empty", "short", "stderr too long", "stderr huge"],
)
def test_an_answer_that_is_no_frame_is_not_shown(launcher: Path, place: Path, reply: bytes) -> None:
    with Daemon(place, closing_after(reply)):
        assert error(run(launcher, place)) == lost(GARBLED)


def test_a_daemon_that_never_answers_is_given_up_and_told_so(hasty: Path, place: Path) -> None:
    with Daemon(place, lambda caller: (caller.request()[2], caller.rest())) as daemon:
        assert error(run(hasty, place)) == lost("it did not answer within 1 s")
    assert daemon.seen == [(CONFIG, frame.UNDELIVERED)]


def test_a_daemon_that_stops_amid_its_answer_is_given_up_and_told_so(hasty: Path, place: Path) -> None:
    def behave(caller: Caller) -> bytes:
        caller.request()
        caller.send(REPLY[:-1])
        return caller.rest()

    with Daemon(place, behave) as daemon:
        assert error(run(hasty, place)) == lost("it did not answer within 1 s")
    assert daemon.seen == [frame.UNDELIVERED]


def test_a_daemon_that_reads_nothing_is_given_up(hasty: Path, place: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(place))
        listener.listen()
        done = run(hasty, place, bytes(frame.STDIN_LIMIT))
    assert error(done) == lost("it did not read the request")


def test_a_queue_without_room_ends_in_an_error_not_in_the_one_shot(hasty: Path, place: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, fill(listener, place):
        answer = error(run(hasty, place))
    assert (answer["code"], answer["msg"]) == (11, "cannot connect to the ipam daemon")
    assert answer["details"] == f"{place}: its queue was full for 1 s; see systemctl status ipam"


def test_a_connection_that_cannot_be_tried_is_an_error_that_says_why(launcher: Path, place: Path) -> None:
    place.touch()
    answer = error(run(launcher, place / "below-a-file"))
    assert (answer["code"], answer["msg"]) == (11, "cannot connect to the ipam daemon")
    assert answer["details"] == f"{place}/below-a-file: error number 0020; see systemctl status ipam"


def test_a_socket_of_another_kind_is_an_error(launcher: Path, place: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(place))
        assert error(run(launcher, place))["code"] == 11


def test_a_daemon_killed_with_the_connection_in_its_queue_is_an_error(launcher: Path, place: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(place))
    listener.listen()
    with started([launcher], env=environment(place), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        connection, _ = listener.accept()  # it is connected, and waits for its stdin
        listener.close()
        connection.close()
        stdout, _ = process.communicate(CONFIG, PATIENCE)
    assert (process.returncode, b"went away" in stdout) == (1, True)
