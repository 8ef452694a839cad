"""Starting, stopping, reopening: one daemon a socket, and no call lost on the way."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from ipam import frame
from tests.daemon.calls import address, config, environment, leases
from tests.daemon.conftest import Serve
from tests.daemon.service import PATIENCE, Client, Service, ask, listens, start_call, until
from tests.faults.calls import held_lock, release


def serve_in_vain(place: Path) -> str:
    """What a daemon says that cannot serve."""
    done = subprocess.run(
        [sys.executable, "-m", "ipam.cli", "serve", "--socket", place],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_second_daemon_on_one_socket_is_refused_and_the_first_goes_on(service: Service, tmp_path: Path) -> None:
    said = serve_in_vain(service.socket)
    assert said == f"ipam serve: another daemon serves {service.socket}; see `ipam status`\n"
    assert ask(service.socket, environment("ADD"), config(tmp_path))[0] == 0


def test_the_lock_is_the_one_that_filelock_takes(serve: Serve, place: Path) -> None:
    lock = FileLock(f"{place}.lock", timeout=0)
    with lock:
        assert "another daemon serves" in serve_in_vain(place)
    serve()
    with pytest.raises(Timeout):
        lock.acquire()


def test_a_daemon_that_was_started_with_nothing_open_serves_and_logs_to_nowhere(serve: Serve, tmp_path: Path) -> None:
    service = serve(prefix=["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'])
    for container in ("first", "second"):
        answer = ask(service.socket, environment("ADD", container), config(tmp_path, logLevel="debug"))
        assert answer[0] == 0
    assert {Path(f"/proc/{service.pid}/fd/{fd}").readlink() for fd in range(3)} == {Path(os.devnull)}


def test_a_socket_that_a_killed_daemon_left_is_replaced(serve: Serve, place: Path, tmp_path: Path) -> None:
    first = serve()
    first.kill()
    assert place.is_socket()
    with pytest.raises(ConnectionRefusedError):
        ask(place, environment("VERSION"))
    serve()
    assert ask(place, environment("ADD"), config(tmp_path))[0] == 0


def test_nothing_but_the_lock_is_left_of_a_daemon_that_was_told_to_stop(service: Service, place: Path) -> None:
    assert service.stop() == 0
    assert service.said() == ""
    assert {path.name for path in place.parent.iterdir() if path.suffix not in (".log", ".notify")} <= {
        "ipam.sock.lock"
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_was_begun_and_answers_it(
    number: signal.Signals, service: Service, tmp_path: Path
) -> None:
    stuck, stdin = config(tmp_path, "stuck", lockTimeout=60), config(tmp_path)
    with held_lock(tmp_path / "stuck" / "lock") as holder, ExitStack() as callers:
        clients = [callers.enter_context(Client(service.socket)) for _ in range(5)]
        for client in clients[:3]:
            client.send(environment("ADD", f"c{client.socket.fileno()}"), stuck)
        clients[3].send(environment("ADD", "done"), stdin)
        assert clients[3].receive()[0] == 0
        until("the three wait", lambda: len(list(Path(f"/proc/{service.pid}/task").iterdir())) > 1)
        os.kill(service.pid, number)
        until("it has withdrawn its socket", lambda: not service.socket.exists())
        clients[4].send(environment("ADD", "late"), stdin)  # connected before, sent after
        assert clients[4].receive()[0] == 0
        release(holder)
        assert [client.receive()[0] for client in clients[:3]] == [0, 0, 0]
    assert service.process is not None and service.process.wait(PATIENCE) == 0
    assert len(leases(tmp_path, "stuck")) == 3


def test_who_is_in_the_backlog_when_it_is_told_to_stop_is_served(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path)
    with ExitStack() as callers:
        os.kill(service.pid, signal.SIGSTOP)
        clients = [callers.enter_context(Client(service.socket)) for _ in range(200)]
        for client in clients:
            client.send(environment("ADD", f"c{client.socket.fileno()}"), stdin)
        os.kill(service.pid, signal.SIGTERM)
        os.kill(service.pid, signal.SIGCONT)
        assert [client.receive()[0] for client in clients] == [0] * 200
    assert service.process is not None and service.process.wait(PATIENCE) == 0


def test_who_hangs_does_not_keep_it_from_stopping(serve: Serve, tmp_path: Path) -> None:
    service = serve(settings={"ipam.daemon.connection.READ_DEADLINE": 0.3, "ipam.daemon.server._SWEEP": 0.05})
    with Client(service.socket), Client(service.socket) as deaf:
        deaf.send(environment("ADD", "deaf"), config(tmp_path, routes=[{"dst": "0.0.0.0/0"}] * 40_000))
        until("the answer is on its way", lambda: leases(tmp_path) != {})
        assert service.stop() == 0
        assert leases(tmp_path) == {}


def test_told_to_reopen_it_goes_on_serving(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path)
    for number in range(20):
        assert ask(service.socket, environment("ADD", f"c{number}"), stdin)[0] == 0
        os.kill(service.pid, signal.SIGHUP)
    assert ask(service.socket, environment("DEL", "c0"), stdin)[0] == 0
    assert len(leases(tmp_path)) == 19


def test_told_to_reopen_it_lets_go_of_the_directories(service: Service, tmp_path: Path) -> None:
    def held() -> list[Path]:
        files = [link.readlink() for link in Path(f"/proc/{service.pid}/fd").iterdir() if link.is_symlink()]
        return [file for file in files if file.is_relative_to(tmp_path)]

    ask(service.socket, environment("ADD"), config(tmp_path))
    assert held()
    os.kill(service.pid, signal.SIGHUP)
    until("nothing is open", lambda: not held())


@pytest.fixture
def manager(place: Path) -> Iterator[socket.socket]:
    """Where a service manager would be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.with_name("manager")))
        manager.settimeout(PATIENCE)
        yield manager


def told(manager: socket.socket) -> str:
    """The next that a manager is told."""
    return manager.recv(4096).decode()


def test_the_manager_is_told_of_readiness_and_kept_informed(
    manager: socket.socket, serve: Serve, place: Path, tmp_path: Path
) -> None:
    service = serve(env={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "300000"})
    assert told(manager) == "READY=1"
    assert ask(place, environment("ADD"), config(tmp_path))[0] == 0
    assert [told(manager) for _ in range(3)] == ["WATCHDOG=1"] * 3
    with held_lock(tmp_path / "stuck" / "lock"), Client(place) as client:
        client.send(environment("ADD"), config(tmp_path, "stuck", lockTimeout=60))
        assert [told(manager) for _ in range(5)] == ["WATCHDOG=1"] * 5  # a stuck network is no stuck daemon
    assert service.stop() == 0
    while (said := told(manager)) == "WATCHDOG=1":
        pass
    assert said == "STOPPING=1"


def test_a_watchdog_meant_for_another_process_is_left_alone(manager: socket.socket, serve: Serve, place: Path) -> None:
    service = serve(env={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"})
    assert told(manager) == "READY=1"
    assert ask(place, environment("VERSION"))[0] == 0
    assert service.stop() == 0
    assert told(manager) == "STOPPING=1"


def test_a_manager_that_cannot_be_told_does_not_matter(serve: Serve, place: Path, tmp_path: Path) -> None:
    service = serve(env={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    until("it listens", lambda: listens(place))
    assert ask(place, environment("ADD"), config(tmp_path))[0] == 0
    assert service.stop() == 0


# What systemd does for a socket unit: the listening socket is descriptor 3, and the variables say for whom.
ACTIVATE = """\
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
os.dup2(listener.fileno(), 3)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "ipam.cli", "serve"])
"""


class Activated:
    """A socket that is there all the time, and daemons that come and go behind it, one at a time."""

    def __init__(self, place: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(place))
        self.listener.listen(4096)
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        number = self.listener.fileno()
        self._daemon = subprocess.Popen([sys.executable, "-c", ACTIVATE, str(number)], pass_fds=[number])

    def stop(self) -> int:
        assert self._daemon is not None
        self._daemon.terminate()
        return self._daemon.wait(PATIENCE)


@pytest.fixture
def activated(place: Path) -> Iterator[Activated]:
    activated = Activated(place)
    with activated.listener:
        yield activated
        activated.stop()


def test_a_daemon_serves_on_the_socket_that_systemd_hands_over(
    activated: Activated, place: Path, tmp_path: Path
) -> None:
    with Client(place) as first:
        first.send(environment("ADD", "first"), config(tmp_path))
        activated.start()
        assert address(first.receive()[1]) == "10.20.0.2"
    assert activated.stop() == 0
    assert place.is_socket()


def test_restarts_behind_a_kept_socket_lose_no_call(activated: Activated, own_launcher: Path, tmp_path: Path) -> None:
    stdin = config(tmp_path / "data")
    own_launcher.with_name(".ipam").joinpath("host-local.oneshot").unlink()  # nobody falls back unnoticed
    activated.start()
    callers = []
    for number in range(200):
        if number % 50 == 25:
            assert activated.stop() in (0, -signal.SIGTERM)  # the latter where it had not yet begun to serve
            activated.start()
        callers.append(start_call(own_launcher, environment("ADD", f"c{number}"), stdin))
    answers = [caller.communicate(timeout=PATIENCE)[0] for caller in callers]
    assert [caller.returncode for caller in callers] == [0] * len(callers)
    assert {address(answer) for answer in answers} == set(leases(tmp_path / "data"))
    assert len(leases(tmp_path / "data")) == 200


def test_a_socket_meant_for_another_process_is_not_taken(serve: Serve, place: Path) -> None:
    serve(env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert ask(place, environment("VERSION"))[0] == 0


def test_a_path_that_cannot_be_a_socket_is_told_in_one_line(tmp_path: Path) -> None:
    said = serve_in_vain(tmp_path / ("x" * 200))
    assert said.startswith("ipam serve: ") and said.count("\n") == 1
    (tmp_path / "directory").mkdir()
    said = serve_in_vain(tmp_path / "directory")
    assert said.startswith("ipam serve: ") and said.count("\n") == 1


def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "s"
    precious.write_text("precious")
    with subprocess.Popen(
        [sys.executable, "-m", "ipam.cli", "serve", "--socket", precious], stderr=subprocess.PIPE
    ) as it:
        try:
            until("it has ended or serves", lambda: it.poll() is not None or precious.is_socket())
        finally:
            it.kill()
    assert precious.read_text() == "precious"


def test_what_is_undone_after_sighup_leaves_no_file_open(tmp_path: Path, place: Path) -> None:
    conf = config(tmp_path / "networks")
    with Service(place) as service:
        assert ask(place, environment("ADD"), conf)[0] == 0
        files = Path(f"/proc/{service.pid}/fd")
        before = len(list(files.iterdir()))
        for number in range(5):
            with Client(place) as client:
                client.send(environment("ADD", f"lost{number}"), conf).receive()
                os.kill(service.pid, signal.SIGHUP)
                until("the stores are closed", lambda: len(list(files.iterdir())) < before)
                client.socket.sendall(frame.UNDELIVERED)
                assert client.is_dropped()
            assert ask(place, environment("DEL", "nobody"), conf)[0] == 0
        assert list(leases(tmp_path / "networks").values()) == ["c1"]
        until("no file is left open", lambda: len(list(files.iterdir())) <= before)
