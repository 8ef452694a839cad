"""An answer that nobody gets: what its call took is given back, and nothing else."""

import os
import subprocess
from pathlib import Path

import pytest

from ipam import frame
from tests.daemon.calls import code, config, environment, history, leases
from tests.daemon.conftest import Serve
from tests.daemon.service import PATIENCE, Client, Service, ask, until
from tests.faults.calls import held_lock, release
from tests.launcher.processes import is_asleep

OTHERS = {"10.20.0.2": "other", "fd00:20::2": "other"}
DUAL = {"ranges": [[{"subnet": "10.20.0.0/16"}], [{"subnet": "fd00:20::/64"}]], "lockTimeout": 60}


@pytest.fixture
def stdin(service: Service, tmp_path: Path) -> bytes:
    """A dual stack config on a network where another container holds an address of each family."""
    stdin = config(tmp_path, **DUAL)
    assert ask(service.socket, environment("ADD", "other"), stdin)[0] == 0
    return stdin


def waits_for_the_lock(service: Service) -> bool:
    """Whether the daemon has a thread that waits for a network."""
    return len(list(Path(f"/proc/{service.pid}/task").iterdir())) > 1


def test_a_caller_that_closed_before_the_answer_gets_its_lease_rolled_back(
    service: Service, tmp_path: Path, stdin: bytes
) -> None:
    with held_lock(tmp_path / "net" / "lock") as holder:
        with Client(service.socket) as client:
            client.send(environment("ADD", "lost"), stdin)
            until("the call waits", lambda: waits_for_the_lock(service))
        release(holder)
    until("both families are rolled back", lambda: history(tmp_path)[-2:] == [("drop", "lost", "undelivered")] * 2)
    assert leases(tmp_path) == OTHERS


def test_a_caller_that_gives_up_before_the_answer_sees_the_rollback_end(
    service: Service, tmp_path: Path, stdin: bytes
) -> None:
    with held_lock(tmp_path / "net" / "lock") as holder, Client(service.socket) as client:
        client.send(environment("ADD", "lost"), stdin)
        client.socket.sendall(frame.UNDELIVERED)
        until("the call waits", lambda: waits_for_the_lock(service))
        release(holder)
        assert client.is_dropped()
        assert leases(tmp_path) == OTHERS


def test_who_says_after_the_answer_that_it_was_not_delivered_sees_the_rollback_end(
    service: Service, tmp_path: Path, stdin: bytes
) -> None:
    for number in range(20):
        with Client(service.socket) as client:
            assert client.send(environment("ADD", f"lost{number}"), stdin).receive()[0] == 0
            client.socket.sendall(frame.UNDELIVERED)
            assert client.is_dropped()
            assert leases(tmp_path) == OTHERS


def test_who_dies_with_the_answer_unread_gets_its_lease_rolled_back(
    service: Service, tmp_path: Path, stdin: bytes
) -> None:
    with Client(service.socket) as client:
        client.send(environment("ADD", "lost"), stdin)
        until("the answer is under way", lambda: "lost" in leases(tmp_path).values())
    until("it is rolled back", lambda: leases(tmp_path) == OTHERS)


def test_what_cannot_be_given_back_while_the_lock_is_held_is_given_back_later(serve: Serve, tmp_path: Path) -> None:
    service = serve(settings={"ipam.daemon.server._SWEEP": 0.05})
    stdin = config(tmp_path, lockTimeout=0.1)
    with Client(service.socket) as client:
        client.send(environment("ADD", "lost"), stdin)
        until("it is leased", lambda: "lost" in leases(tmp_path).values())
        with held_lock(tmp_path / "net" / "lock") as holder:
            client.close()
            until("it says so", lambda: "could not be given back" in service.said())
            assert f"lock is still held after 0.1 s by pid {holder.pid}" in service.said()
            release(holder)
    until("it is given back", lambda: leases(tmp_path) == {})
    assert history(tmp_path)[-1] == ("drop", "lost", "undelivered")


def test_a_daemon_that_ends_says_what_it_could_not_give_back(serve: Serve, tmp_path: Path) -> None:
    service = serve()
    stdin = config(tmp_path, lockTimeout=0.1)
    with Client(service.socket) as client:
        client.send(environment("ADD", "lost"), stdin)
        until("it is leased", lambda: "lost" in leases(tmp_path).values())
        with held_lock(tmp_path / "net" / "lock"):
            client.close()
            until("it says so", lambda: "could not be given back" in service.said())
            assert service.stop() == 0
    assert "see `ipam gc`: leases on net that nobody was told of" in service.said()


def test_a_del_that_nobody_waited_for_is_done_all_the_same(service: Service, tmp_path: Path, stdin: bytes) -> None:
    with held_lock(tmp_path / "net" / "lock") as holder:
        with Client(service.socket) as client:
            client.send(environment("DEL", "other"), stdin)
            until("the call waits", lambda: waits_for_the_lock(service))
        release(holder)
    until("it is released", lambda: leases(tmp_path) == {})


def test_a_second_add_that_nobody_waited_for_takes_nothing_from_the_first(
    service: Service, tmp_path: Path, stdin: bytes
) -> None:
    with Client(service.socket) as client:
        status, stdout, _ = client.send(environment("ADD", "other"), stdin).receive()
        assert (status, code(stdout)) == (1, 103)
        client.socket.sendall(frame.UNDELIVERED)
        assert client.is_dropped()
    assert leases(tmp_path) == OTHERS


def test_a_rollback_leaves_alone_what_was_leased_anew_meanwhile(service: Service, tmp_path: Path, stdin: bytes) -> None:
    with Client(service.socket) as client:
        assert client.send(environment("ADD", "lost"), stdin).receive()[0] == 0
        assert ask(service.socket, environment("DEL", "lost"), stdin)[0] == 0
        for number in range(4):
            again = config(tmp_path, **{**DUAL, "ranges": [[{"subnet": "10.20.0.0/29"}]]})
            ask(service.socket, environment("ADD", f"next{number}"), again)
        held = leases(tmp_path)
        assert held["10.20.0.3"] == "next3"
        client.socket.sendall(frame.UNDELIVERED)
        assert client.is_dropped()
    assert leases(tmp_path) == held


LOST = ("reader gone", "full", "closed")


def run_lost(launcher: Path, way: str, command: str, who: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    """A call whose stdout is a pipe that nobody reads, or a full device, or closed."""
    argv: list[str | Path] = [launcher]
    stdout = subprocess.DEVNULL
    if way == "closed":
        argv = ["/bin/sh", "-c", 'exec "$0" >&-', launcher]
    elif way == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stdout = os.pipe()
        os.close(reader)
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


@pytest.mark.parametrize("way", LOST)
def test_when_a_launcher_that_cannot_deliver_has_ended_the_lease_is_given_back(
    way: str, own_launcher: Path, tmp_path: Path, stdin: bytes
) -> None:
    for number in range(10):
        assert run_lost(own_launcher, way, "ADD", f"lost{number}", stdin).returncode == 1
        assert leases(tmp_path) == OTHERS


@pytest.mark.parametrize("moment", ["in the queue for the lock", "before it has sent anything"])
def test_a_launcher_that_is_killed_leaves_no_lease(
    moment: str, service: Service, own_launcher: Path, tmp_path: Path, stdin: bytes
) -> None:
    with held_lock(tmp_path / "net" / "lock") as holder:
        launcher = subprocess.Popen(
            [own_launcher], 0, env=environment("ADD", "lost"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert launcher.stdin is not None and launcher.stdout is not None
        launcher.stdin.write(stdin)
        if moment == "in the queue for the lock":
            launcher.stdin.close()
            until("the call waits", lambda: waits_for_the_lock(service))
        else:
            until("it reads", lambda: is_asleep(launcher.pid))
        launcher.kill()
        launcher.wait()
        launcher.stdin.close()
        launcher.stdout.close()
        release(holder)
    # The DEL that a runtime sends then comes behind the ADD, wherever that one is.
    assert ask(service.socket, environment("DEL", "lost"), stdin)[0] == 0
    assert leases(tmp_path) == OTHERS


@pytest.mark.parametrize("entrance", ["one_shot", "own_launcher"])
def test_with_stdout_closed_an_add_keeps_nothing_and_a_del_releases(
    entrance: str, request: pytest.FixtureRequest, service: Service, tmp_path: Path, stdin: bytes
) -> None:
    plugin: Path = request.getfixturevalue(entrance)
    statuses = [
        subprocess.run(
            ["sh", "-c", 'exec "$0" >&-', plugin],
            env=environment(command, who),
            input=stdin,
            timeout=PATIENCE,
            check=False,
        ).returncode
        for command, who in (("ADD", "new"), ("CHECK", "new"), ("DEL", "other"))
    ]
    assert statuses == [1, 1, 0]
    assert leases(tmp_path) == {}
