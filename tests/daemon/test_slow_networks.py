"""A network whose lock somebody holds waits alone: others are answered at once, and its own order is kept."""

import json
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.daemon.calls import address, code, config, environment, history, leases
from tests.daemon.conftest import Serve
from tests.daemon.service import Client, Service, ask, until
from tests.faults.calls import await_waiters, held_lock, release

SLOW_DISK = "fsync,fdatasync:delay_exit=300000"
"""For strace's inject: microseconds that each wait for the disk takes longer."""

SLOW_CHECK = "statfs:delay_exit=2000000"
"""The same for asking a file system how it is."""

LONG = 120
"""A lockTimeout, in seconds, that no test waits for."""


def threads(service: Service) -> int:
    """How many threads the daemon has: two more for each network that waits, a lane and who stands in the queue."""
    return len(list(Path(f"/proc/{service.pid}/task").iterdir()))


def test_other_networks_are_answered_while_one_waits(service: Service, tmp_path: Path) -> None:
    stuck = config(tmp_path, "stuck", lockTimeout=LONG)
    with held_lock(tmp_path / "stuck" / "lock") as holder, Client(service.socket) as waiting:
        waiting.send(environment("ADD"), stuck)
        await_waiters(tmp_path / "stuck" / "lock", 1)
        for number in range(20):
            for command in ("ADD", "CHECK", "DEL"):
                who = environment(command, f"c{number}")
                assert ask(service.socket, who, config(tmp_path, f"net{number % 3}"))[0] == 0
        assert ask(service.socket, environment("VERSION"))[0] == 0
        release(holder)
        assert address(waiting.receive()[1]) == "10.20.0.2"


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK"])
def test_after_the_timeout_the_caller_is_told_to_try_again_and_who_holds_the_lock(
    command: str, service: Service, tmp_path: Path
) -> None:
    stdin = config(tmp_path, lockTimeout=1)
    with held_lock(tmp_path / "net" / "lock") as holder:
        begun = time.monotonic()
        status, stdout, stderr = ask(service.socket, environment(command), stdin)
        waited = time.monotonic() - begun
    error = json.loads(stdout)
    assert (status, error["code"], stderr) == (1, 11, b"")
    assert f"pid {holder.pid}" in error["msg"] and "python" in error["msg"] and "1 s" in error["msg"]
    assert waited >= 1
    assert leases(tmp_path) == {}
    assert ask(service.socket, environment("ADD"), stdin)[0] == 0


def test_who_waited_together_is_told_together(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path, lockTimeout=1)
    with held_lock(tmp_path / "net" / "lock"), ExitStack() as callers:
        clients = [callers.enter_context(Client(service.socket)) for _ in range(10)]
        for number, client in enumerate(clients):
            client.send(environment("ADD", f"c{number}"), stdin)
        assert [code(client.receive()[1]) for client in clients] == [11] * len(clients)
    assert leases(tmp_path) == {}


def test_the_order_of_a_network_is_kept_while_it_waits_and_after(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path, subnet="10.20.0.0/24", lockTimeout=LONG)
    with held_lock(tmp_path / "net" / "lock") as holder, ExitStack() as callers:
        clients = []
        for number in range(100):
            clients.append(callers.enter_context(Client(service.socket)))
            clients[-1].send(environment("ADD", f"c{number}"), stdin)
            if number == 50:
                await_waiters(tmp_path / "net" / "lock", 1)
        release(holder)
        given = [address(client.receive()[1]) for client in clients]
    assert given == [f"10.20.0.{number}" for number in range(2, 102)]
    assert [container for _, container, _ in history(tmp_path)] == [f"c{number}" for number in range(100)]


def test_two_stuck_networks_do_not_wait_for_each_other(service: Service, tmp_path: Path) -> None:
    one, other = (config(tmp_path, name, lockTimeout=LONG) for name in ("one", "other"))
    with (
        held_lock(tmp_path / "one" / "lock") as first,
        held_lock(tmp_path / "other" / "lock") as second,
        Client(service.socket) as early,
        Client(service.socket) as late,
    ):
        early.send(environment("ADD"), one)
        await_waiters(tmp_path / "one" / "lock", 1)
        late.send(environment("ADD"), other)
        await_waiters(tmp_path / "other" / "lock", 1)
        release(second)
        assert late.receive()[0] == 0
        release(first)
        assert early.receive()[0] == 0
    until("no thread is left", lambda: threads(service) == 1)


def test_who_waited_in_vain_leaves_one_place_in_the_queue_to_the_next(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path, lockTimeout=0.05)
    lock = tmp_path / "net" / "lock"
    with held_lock(lock) as holder:
        for number in range(10):
            assert code(ask(service.socket, environment("ADD", f"c{number}"), stdin)[1]) == 11
        until("the lane is closed", lambda: threads(service) == 2)
        await_waiters(lock, 1)
        with Client(service.socket) as waiting:
            waiting.send(environment("ADD", "late"), config(tmp_path, lockTimeout=LONG))
            until("it waits as well", lambda: threads(service) == 3)
            release(holder)
            assert waiting.receive()[0] == 0
    assert leases(tmp_path) == {"10.20.0.2": "late"}
    until("no thread is left", lambda: threads(service) == 1)


def test_a_lock_that_comes_too_late_is_let_go_at_once(service: Service, tmp_path: Path) -> None:
    lock = tmp_path / "net" / "lock"
    with held_lock(lock) as holder:
        assert code(ask(service.socket, environment("ADD"), config(tmp_path, lockTimeout=0.05))[1]) == 11
        await_waiters(lock, 1)
        release(holder)
    until("no thread is left", lambda: threads(service) == 1)
    with held_lock(lock):
        assert leases(tmp_path) == {}


def test_a_daemon_ends_though_one_still_stands_in_the_queue(service: Service, tmp_path: Path) -> None:
    lock = tmp_path / "net" / "lock"
    with held_lock(lock):
        assert code(ask(service.socket, environment("ADD"), config(tmp_path, lockTimeout=0.05))[1]) == 11
        await_waiters(lock, 1)
        assert service.stop() == 0


def test_other_networks_do_not_wait_for_the_disk_of_one(serve: Serve, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        missing("strace")
    strace = ["strace", "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"inject={SLOW_DISK}"]
    service = serve(prefix=[*strace, "-e", "trace=fsync,fdatasync", "--"])
    full, quick = config(tmp_path, "full", durability="full"), config(tmp_path, "quick")
    assert ask(service.socket, environment("ADD", "first"), full)[0] == 0
    with Client(service.socket) as waiting:
        waiting.send(environment("ADD", "second"), full)
        until("its lane has begun", lambda: threads(service) > 1)
        answered = 0
        while threads(service) > 1:  # as long as the disk lets it wait
            assert ask(service.socket, environment("ADD", f"c{answered}"), quick)[0] == 0
            answered += 1
        assert waiting.receive()[0] == 0
    assert answered > 10


def test_nobody_waits_for_the_health_of_a_store(serve: Serve, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        missing("strace")
    strace = ["strace", "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"inject={SLOW_CHECK}"]
    service = serve(prefix=[*strace, "-e", "trace=statfs", "--"])
    stdin = config(tmp_path, version="1.1.0")
    assert ask(service.socket, environment("ADD", "first"), stdin)[0] == 0
    with Client(service.socket) as runtime, Client(service.socket) as operator:
        runtime.send(environment("STATUS"), stdin)
        operator.send({"IPAM_QUERY": "status"})
        until("both are asked aside", lambda: threads(service) > 2)
        for number in range(5):
            assert ask(service.socket, environment("ADD", f"c{number}"), stdin)[0] == 0
        assert threads(service) > 1
        assert runtime.receive() == (0, b"", b"")
        status, stdout, _ = operator.receive()
        assert (status, json.loads(stdout)["stores"]) == (0, {f"file://{tmp_path}": "ok"})
