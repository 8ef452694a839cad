"""A client that hangs, babbles or may not call costs the others nothing, and is let go of in time."""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from ipam import frame
from tests.daemon.calls import address, code, config, environment, leases
from tests.daemon.conftest import Serve
from tests.daemon.service import Client, Service, ask, until

SOON = {
    "ipam.daemon.connection.SILENCE_DEADLINE": 0.3,
    "ipam.daemon.connection.READ_DEADLINE": 0.2,
    "ipam.daemon.connection.LINGER_DEADLINE": 0.4,
    "ipam.daemon.server._SWEEP": 0.05,
}
"""Deadlines that a test can wait for. A client that behaves has to be quick: no launcher is used with them."""

REQUEST = frame.encode_request(environment("ADD", "bad"), b"{}")
LONGEST = (frame.REQUEST_LIMIT).to_bytes(4, "big")
BEGINNINGS = {
    "nothing": b"",
    "one byte": b"\0",
    "a length alone": REQUEST[:4],
    "half a frame": REQUEST[: len(REQUEST) // 2],
    "all but one byte": REQUEST[:-1],
    "the longest frame, begun": LONGEST + bytes(100_000),
}
NONSENSE = {
    "a length of nothing": bytes(4),
    "a length beyond the limit": (frame.REQUEST_LIMIT + 1).to_bytes(4, "big"),
    "the longest length there is": b"\xff\xff\xff\xff",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a frame of one byte": b"\0\0\0\1\1",
    "variables without an end": b"\0\0\0\5\1A=1\0",
}


def answers_others(place: Path, data_dir: Path, who: str) -> None:
    """An ADD and a DEL of somebody else are served."""
    stdin = config(data_dir)
    status, stdout, _ = ask(place, environment("ADD", who), stdin)
    assert (status, address(stdout)[:6]) == (0, "10.20.")
    assert ask(place, environment("DEL", who), stdin)[0] == 0


def test_a_log_that_nobody_reads_keeps_no_caller_waiting(serve: Serve, place: Path, tmp_path: Path) -> None:
    log = place.with_name(f"{place.name}.log")
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    room = fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    service = serve()
    for number in range(3 * room // 100):  # each of them has a line of more than a hundred characters
        stdin = config(tmp_path, logLevel="debug")
        assert ask(place, environment("ADD", f"c{number:0100}"), stdin)[0] == 0
    assert service.stop() == 0
    assert 0 < len(os.read(reader, 3 * room)) <= room
    os.close(reader)


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=list(BEGINNINGS))
def test_who_says_half_a_request_is_dropped_in_time_and_delays_nobody(
    beginning: bytes, serve: Serve, tmp_path: Path
) -> None:
    service = serve(settings=SOON)
    with Client(service.socket) as client:
        client.socket.sendall(beginning)
        for number in range(5):
            answers_others(service.socket, tmp_path, f"other{number}")
        assert client.is_dropped()
    answers_others(service.socket, tmp_path, "later")


def test_who_is_slow_but_goes_on_within_the_deadline_is_served(service: Service, tmp_path: Path) -> None:
    request = frame.encode_request(environment("ADD"), config(tmp_path))
    with Client(service.socket) as client:
        for byte in request:
            client.socket.sendall(bytes([byte]))
        assert client.receive()[0] == 0


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=list(NONSENSE))
def test_nonsense_is_dropped_at_once(nonsense: bytes, service: Service, tmp_path: Path) -> None:
    with Client(service.socket) as client:
        client.socket.sendall(nonsense)
        assert client.is_dropped()
    answers_others(service.socket, tmp_path, "other")


def test_endless_babble_behind_a_request_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    service = serve(settings=SOON)
    with Client(service.socket) as client:
        client.send(environment("ADD", "babbler"), config(tmp_path))
        assert client.receive()[0] == 0
        with pytest.raises(OSError):
            while True:
                client.socket.sendall(b"x" * 4096)
    assert leases(tmp_path) == {"10.20.0.2": "babbler"}
    answers_others(service.socket, tmp_path, "other")


def huge_answer(data_dir: Path) -> bytes:
    """A config whose answer does not fit into any socket's buffer."""
    return config(data_dir, routes=[{"dst": "0.0.0.0/0"}] * 40_000)


def test_who_never_reads_an_answer_is_dropped_and_its_lease_given_back(serve: Serve, tmp_path: Path) -> None:
    service = serve(settings=SOON)
    with Client(service.socket) as client:
        client.send(environment("ADD", "deaf"), huge_answer(tmp_path))
        until("the lease is made", lambda: "deaf" in leases(tmp_path).values())
        answers_others(service.socket, tmp_path, "other")
        until("the lease is given back", lambda: leases(tmp_path) == {})


def test_who_takes_its_answer_and_does_not_close_is_dropped_and_keeps_its_lease(serve: Serve, tmp_path: Path) -> None:
    service = serve(settings=SOON)
    with Client(service.socket) as client:
        client.send(environment("ADD", "clinger"), config(tmp_path))
        assert client.receive()[0] == 0
        assert client.is_dropped()
    assert leases(tmp_path) == {"10.20.0.2": "clinger"}


def test_a_caller_may_be_slow_with_its_config(serve: Serve, own_launcher: Path, tmp_path: Path) -> None:
    # The launcher is connected meanwhile, and has said nothing: READ_DEADLINE must not have begun.
    serve(settings={"ipam.daemon.connection.READ_DEADLINE": 0.5, "ipam.daemon.server._SWEEP": 0.05})
    launcher = subprocess.Popen(
        [own_launcher], env=environment("ADD"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with pytest.raises(subprocess.TimeoutExpired):
        launcher.wait(1.5)
    stdout, _ = launcher.communicate(config(tmp_path), timeout=60)
    assert (launcher.returncode, address(stdout)) == (0, "10.20.0.2")


def test_more_clients_than_there_is_room_for_wait_their_turn(serve: Serve, tmp_path: Path) -> None:
    service = serve(settings={"ipam.daemon.limits.MOST_CONNECTIONS": 20, **SOON})
    with ExitStack() as silent:
        for _ in range(200):
            silent.enter_context(Client(service.socket))
        answers_others(service.socket, tmp_path, "late")


def test_a_limit_on_open_files_is_no_end(serve: Serve, tmp_path: Path) -> None:
    service = serve(prefix=["prlimit", "--nofile=64:64"], settings=SOON)
    with ExitStack() as silent:
        for _ in range(300):
            silent.enter_context(Client(service.socket))
        answers_others(service.socket, tmp_path, "late")


def test_more_networks_than_a_limit_on_open_files_has_room_for_are_served_all(serve: Serve, tmp_path: Path) -> None:
    service = serve(prefix=["prlimit", "--nofile=128:128"])
    for container in ("first", "second"):
        for number in range(30):
            stdin = config(tmp_path, f"net{number}")
            assert ask(service.socket, environment("ADD", container), stdin)[0] == 0, (container, number)


def test_a_thousand_callers_at_once_are_all_answered_under_the_usual_limit(serve: Serve, tmp_path: Path) -> None:
    service = serve(prefix=["prlimit", "--nofile=1024:"])
    stdin = config(tmp_path)
    with ExitStack() as callers:
        clients = [callers.enter_context(Client(service.socket)) for _ in range(1000)]
        for number, client in enumerate(clients):
            client.send(environment("ADD", f"c{number}"), stdin)
        given = [client.receive() for client in clients]
    assert [status for status, _, _ in given] == [0] * 1000
    assert len({address(stdout) for _, stdout, _ in given}) == len(leases(tmp_path)) == 1000


def test_a_newer_protocol_is_refused_and_nothing_is_done(service: Service, tmp_path: Path) -> None:
    with Client(service.socket) as client:
        client.socket.sendall(frame.encode_request(environment("ADD"), config(tmp_path), frame.PROTOCOL + 1))
        prefix = client.socket.recv(4, socket.MSG_WAITALL)
        reply = client.socket.recv(int.from_bytes(prefix, "big"), socket.MSG_WAITALL)
        assert reply[:2] == bytes([frame.PROTOCOL, frame.REFUSED])
    assert leases(tmp_path) == {}


STRANGER = """\
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect(sys.argv[1])
try:
    client.sendall(sys.stdin.buffer.read())
    print(len(client.recv(100)))
except (BrokenPipeError, ConnectionResetError):
    print(0)
"""


def by_a_stranger(place: Path, request: bytes) -> bytes:
    """What another user's process gets for a request: how many bytes; an error where it cannot even connect."""
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(place)], input=request, capture_output=True, check=False, timeout=60
    )
    return done.stdout or done.stderr.splitlines()[-1]


@pytest.mark.usefixtures("as_root")
def test_another_user_is_not_let_in_and_not_answered(service: Service, tmp_path: Path) -> None:
    request = frame.encode_request(environment("ADD", "stranger"), config(tmp_path))
    assert service.socket.stat().st_mode & 0o777 == 0o600
    service.socket.parent.chmod(0o755)
    assert by_a_stranger(service.socket, request).startswith(b"PermissionError")
    service.socket.chmod(0o666)
    assert by_a_stranger(service.socket, request) == b"0\n"
    assert leases(tmp_path) == {}
    answers_others(service.socket, tmp_path, "other")


def kill_in_the_middle(client: Client) -> None:
    client.socket.sendall(REQUEST[:20])


def reset(client: Client) -> None:
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def shut(client: Client) -> None:
    client.socket.sendall(REQUEST[:20])
    client.socket.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("how", [kill_in_the_middle, reset, shut], ids=lambda how: how.__name__)
def test_who_goes_away_in_the_middle_leaves_nothing_open(
    how: Callable[[Client], None], service: Service, tmp_path: Path
) -> None:
    files = Path(f"/proc/{service.pid}/fd")
    answers_others(service.socket, tmp_path, "first")
    with Client(service.socket) as client:
        client.send({}).receive()
        before = len(list(files.iterdir()))  # with one connection, so at least with none
    for _ in range(50):
        with Client(service.socket) as client:
            how(client)
    until("all are closed", lambda: len(list(files.iterdir())) <= before)
    assert code(ask(service.socket, environment("BAD"))[1]) == 4
