"""Requests that wait together share a commit, and nobody can tell by the answers."""

import json
import os
import random
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ipam.handler import handle
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Request
from tests.conftest import missing
from tests.daemon.calls import address, code, config, environment, history, leases
from tests.daemon.conftest import Serve
from tests.daemon.service import Client, Service, ask
from tests.faults.calls import held_lock, release
from tests.launcher.processes import until

Call = tuple[dict[str, str], bytes]
Answer = tuple[int, bytes, bytes]


def state(service: Service) -> str:
    """What the daemon's process does: R(unning), S(leeping), T (stopped) …, proc(5)."""
    return Path(f"/proc/{service.pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def stopped(service: Service) -> Iterator[None]:
    """A daemon that sees nothing, so that whoever calls meanwhile has called when it wakes up."""
    until(lambda: state(service) == "S")  # it waits for callers, and is not on its way to answer one
    os.kill(service.pid, signal.SIGSTOP)
    until(lambda: state(service) in "tT")
    try:
        yield
    finally:
        os.kill(service.pid, signal.SIGCONT)


def together(service: Service, calls: Sequence[Call]) -> list[Answer]:
    """The answers to calls that the daemon finds all at once, in this order."""
    with ExitStack() as callers:
        with stopped(service):
            clients = [callers.enter_context(Client(service.socket)).send(env, stdin) for env, stdin in calls]
        return [client.receive() for client in clients]


def one_by_one(calls: Sequence[Call]) -> list[Answer]:
    """The answers to the same calls, each alone and in this process."""
    host = this_host()
    answers = []
    for env, stdin in calls:
        stores = Stores(host)
        reply = handle(Request(env, stdin), host, stores)
        stores.close()
        answers.append((reply.exit_code, reply.stdout, reply.stderr.encode()))
    return answers


def commits(trace: Path) -> int:
    """How many commits a trace shows: each writes once to the history."""
    return trace.read_text().count(r'"{\"time\"')


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 1), (64, 1), (65, 2), (200, 4)])
def test_up_to_64_requests_share_one_commit(count: int, expected: int, serve: Serve, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        missing("strace")
    trace = tmp_path / "trace"
    service = serve(prefix=["strace", "-D", "-f", "-e", "trace=write", "-e", "signal=none", "-o", str(trace)])
    stdin = config(tmp_path / "data")
    ask(service.socket, environment("ADD", "first"), stdin)
    before = commits(trace)
    answers = together(service, [(environment("ADD", f"c{number}"), stdin) for number in range(count)])
    assert [address(stdout) for _, stdout, _ in answers] == [
        f"10.20.{number // 256}.{number % 256}" for number in range(3, 3 + count)
    ]
    assert commits(trace) - before == expected
    assert service.stop() == 0


def mixed(data_dir: Path, seed: int, count: int) -> list[Call]:
    """Calls of every kind for a few containers on a small subnet: many of them fail."""
    choice = random.Random(seed)
    calls = []
    for _ in range(count):
        command = choice.choice(["ADD"] * 5 + ["DEL"] * 3 + ["CHECK"] * 2 + ["GC"])
        more = {"CNI_ARGS": f"IP=10.20.0.{choice.randrange(18)}"} if choice.random() < 0.3 else {}
        env = environment(command, f"c{choice.randrange(12)}", choice.choice(["eth0", "eth1"]), **more)
        version = "1.1.0" if command == "GC" else choice.choice(["0.3.1", "0.4.0", "1.0.0"])
        stdin = config(data_dir, subnet="10.20.0.0/28", version=version)
        if command == "GC":
            valid = b'"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}], '
            stdin = stdin.replace(b"{", b"{" + valid, 1)
        if choice.random() < 0.05:
            stdin = stdin[:-1]
        calls.append((env, stdin))
    return calls


@pytest.mark.parametrize("seed", range(8))
def test_calls_that_arrive_together_are_answered_as_if_each_had_been_alone(
    seed: int, service: Service, tmp_path: Path
) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    for part in range(3):
        number = 100 * seed + part
        answers = together(service, mixed(here, number, 64))
        expected = one_by_one(mixed(there, number, 64))
        assert [(status, stdout.replace(b"/a/", b"/b/"), stderr) for status, stdout, stderr in answers] == expected
        assert leases(here) == leases(there)
        assert history(here) == history(there)
    cursors = [directory / "net" / "last_reserved_ip.0" for directory in (here, there)]
    assert cursors[0].read_bytes() == cursors[1].read_bytes()


def test_one_that_fails_takes_nothing_from_the_others(service: Service, tmp_path: Path) -> None:
    small = config(tmp_path, subnet="10.20.0.0/29")
    answers = together(service, [(environment("ADD", f"c{number}"), small) for number in range(8)])
    assert [code(stdout) for _, stdout, _ in answers] == [0] * 5 + [100] * 3
    assert len(leases(tmp_path)) == 5


def test_what_arrives_together_for_several_networks_is_kept_in_order_within_each(
    service: Service, tmp_path: Path
) -> None:
    calls = [
        (environment("ADD", f"c{number}"), config(tmp_path, f"net{number % 3}", subnet="10.20.0.0/24"))
        for number in range(90)
    ]
    answers = together(service, calls)
    for network in range(3):
        given = [address(stdout) for _, stdout, _ in answers[network::3]]
        assert given == [f"10.20.0.{number}" for number in range(2, 32)]


def test_who_connected_earlier_and_spoke_earlier_is_served_earlier(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path)
    with ExitStack() as callers:
        clients = [callers.enter_context(Client(service.socket)) for _ in range(20)]
        ask(service.socket, environment("VERSION"))  # all before it are accepted by now
        with stopped(service):
            clients += [callers.enter_context(Client(service.socket)) for _ in range(20)]
            for number, client in enumerate(clients):
                client.send(environment("ADD", f"c{number}"), stdin)
        given = [address(client.receive()[1]) for client in clients]
    assert given == [f"10.20.0.{number}" for number in range(2, 42)]


def test_nothing_is_answered_before_it_is_committed(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path, lockTimeout=60)
    ask(service.socket, environment("ADD", "first"), stdin)
    with held_lock(tmp_path / "net" / "lock") as holder, ExitStack() as callers:
        clients = [callers.enter_context(Client(service.socket)) for _ in range(10)]
        for number, client in enumerate(clients):
            client.send(environment("ADD", f"c{number}"), stdin)
        clients[0].socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            clients[0].receive()
        clients[0].socket.settimeout(60)
        release(holder)
        for client in clients:
            assert address(client.receive()[1]) in leases(tmp_path)


def test_a_commit_that_fails_as_a_whole_is_tried_again_one_by_one(serve: Serve, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        missing("strace")
    inject = ["-e", "trace=linkat", "-e", "inject=linkat:error=ENOSPC:when=3"]
    service = serve(prefix=["strace", "-D", "-f", *inject, "-o", "/dev/null"])
    stdin = config(tmp_path)
    assert ask(service.socket, environment("ADD", "first"), stdin)[0] == 0
    answers = together(service, [(environment("ADD", f"c{number}"), stdin) for number in range(3)])
    assert [address(stdout) for _, stdout, _ in answers] == ["10.20.0.3", "10.20.0.4", "10.20.0.5"]
    assert len(history(tmp_path)) == len(leases(tmp_path)) == 4


@pytest.mark.parametrize("count", [1, 2])
def test_a_disk_that_does_not_take_it_is_not_asked_again(serve: Serve, tmp_path: Path, count: int) -> None:
    if not shutil.which("strace"):
        missing("strace")
    stdin = config(tmp_path, durability="full")
    service = serve()
    assert ask(service.socket, environment("ADD", "first"), stdin)[0] == 0
    assert service.stop() == 0
    service = serve(prefix=["strace", "-D", "-f", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1"])
    answers = together(service, [(environment("ADD", f"c{number}"), stdin) for number in range(count)])
    assert [code for code, _, _ in answers] == [1] * count
    assert {json.loads(stdout)["code"] for _, stdout, _ in answers} == {5}
    assert service.process is not None
    assert service.process.wait(60) == 1
    assert "Input/output error" in service.said()
    service = serve()
    assert leases(tmp_path).keys() == {"10.20.0.2"}
    assert address(ask(service.socket, environment("ADD", "next"), stdin)[1]) == "10.20.0.3"
