"""The daemon, one-shots and Debian's Go host-local on one directory at once; and a directory that goes away."""

import fcntl
import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.daemon.calls import address, code, config, environment, leases
from tests.daemon.service import PATIENCE, Service, ask, start_call

WORKERS = 12
EACH = 50
KEPT = 5
"""How many containers a worker has at a time: all together half of the range, so that addresses come round."""

SUBNET = "10.20.0.0/25"


class Tenancy(NamedTuple):
    """An address, and when it was somebody's for certain: from the answer of ADD to the begin of DEL."""

    address: str
    since: float
    until: float


class Node:
    """One data directory, and the executables that work on it."""

    def __init__(self, data_dir: Path, **doors: Path) -> None:
        self.data_dir = data_dir
        self.doors = doors
        self.stdin = config(data_dir, subnet=SUBNET, lockTimeout=60)

    def call(self, door: str, command: str, container: str) -> bytes:
        """One call that has to succeed; its stdout."""
        call = start_call(self.doors[door], environment(command, container), self.stdin)
        stdout, stderr = call.communicate(timeout=PATIENCE)
        assert call.returncode == 0, (door, command, container, stdout, stderr)
        return stdout

    def churn(self, worker: int, start: threading.Barrier) -> tuple[list[Tenancy], list[str]]:
        """EACH containers come and go, KEPT of them stay: the past tenancies and the present ones, and who stayed."""
        choice = random.Random(worker)
        names = sorted(self.doors)
        living: list[tuple[str, str, float]] = []
        done = []
        start.wait()
        for number in range(EACH):
            container = f"c{worker}-{number}"
            given = address(self.call(names[worker % len(names)], "ADD", container))
            living.append((container, given, time.monotonic()))
            if len(living) > KEPT:
                container, given, since = living.pop(choice.randrange(KEPT))
                done.append(Tenancy(given, since, time.monotonic()))
                self.call(choice.choice(names), "DEL", container)
        done += [Tenancy(given, since, inf) for _, given, since in living]
        return done, [container for container, _, _ in living]


@pytest.fixture
def node(launcher: Path, one_shot: Path, go_host_local: Path, tmp_path: Path) -> Node:
    return Node(tmp_path / "networks", daemon=launcher, one_shot=one_shot, go=go_host_local)


def test_600_containers_of_three_programs_get_no_address_twice_and_leave_none(node: Node) -> None:
    start = threading.Barrier(WORKERS)
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda worker: node.churn(worker, start), range(WORKERS)))
    tenancies = sorted(tenancy for past, _ in results for tenancy in past)
    stayed = [container for _, containers in results for container in containers]
    assert len(tenancies) == WORKERS * EACH
    for earlier, later in pairwise(tenancies):
        assert earlier.address != later.address or earlier.until <= later.since, (earlier, later)
    present = {tenancy.address for tenancy in tenancies if tenancy.until == inf}
    held = leases(node.data_dir)
    assert set(held) == present
    assert sorted(held.values()) == sorted(stayed)
    names = sorted(node.doors)
    for number, container in enumerate(stayed):
        for door in names:
            node.call(door, "CHECK", container)
        node.call(names[number % len(names)], "DEL", container)
    assert leases(node.data_dir) == {}


def test_what_go_and_the_operator_change_is_seen_by_the_next_call(
    daemon: Service, go_host_local: Path, tmp_path: Path
) -> None:
    node = Node(tmp_path, go=go_host_local)

    def ask_daemon(command: str, container: str) -> tuple[int, bytes, bytes]:
        return ask(daemon.socket, environment(command, container), node.stdin)

    assert address(ask_daemon("ADD", "a")[1]) == "10.20.0.2"
    assert address(node.call("go", "ADD", "b")) == "10.20.0.3"
    assert address(ask_daemon("ADD", "c")[1]) == "10.20.0.4"
    assert code(ask_daemon("ADD", "b")[1]) == 103
    assert ask_daemon("CHECK", "b")[0] == 0
    node.call("go", "DEL", "a")
    assert code(ask_daemon("CHECK", "a")[1]) == 102
    (tmp_path / "net" / "10.20.0.4").unlink()
    assert code(ask_daemon("CHECK", "c")[1]) == 102
    (tmp_path / "net" / "10.20.0.5").write_bytes(b"d\r\neth0")
    assert ask_daemon("CHECK", "d")[0] == 0
    assert address(ask_daemon("ADD", "e")[1]) == "10.20.0.6"


REMOVED = {
    "the network's directory": "net",
    "our records": ".ipam",
    "our records of the network": ".ipam/net",
    "the bitmaps": ".ipam/net/taken",
    "everything": ".",
}


@pytest.mark.parametrize("what", REMOVED.values(), ids=list(REMOVED))
@pytest.mark.parametrize("by", ["removed", "recreated", "renamed"])
def test_a_directory_that_goes_away_under_the_daemon_is_not_missed(
    by: str, what: str, daemon: Service, tmp_path: Path
) -> None:
    data_dir = tmp_path / "networks"
    stdin = config(data_dir)

    def ask_daemon(command: str, container: str) -> tuple[int, bytes, bytes]:
        return ask(daemon.socket, environment(command, container), stdin)

    for number in range(3):
        assert ask_daemon("ADD", f"before{number}")[0] == 0
    gone = data_dir / what
    if by == "renamed":
        gone.rename(tmp_path / "aside")
    else:
        shutil.rmtree(gone)
    if by == "recreated":
        gone.mkdir(mode=0o700)
    kept = leases(data_dir)
    assert len(kept) == (3 if what.startswith(".ipam") else 0)
    for who in kept.values():
        assert ask_daemon("CHECK", who)[0] == 0
        assert code(ask_daemon("ADD", who)[1]) == 103
    for number in range(3):
        assert ask_daemon("ADD", f"after{number}")[0] == 0
    assert sorted(leases(data_dir).values()) == sorted([*kept.values(), "after0", "after1", "after2"])
    for who in [*kept.values(), "after0", "after1", "after2", "before0"]:
        assert ask_daemon("DEL", who)[0] == 0
    assert leases(data_dir) == {}


def test_a_data_directory_that_comes_back_is_used_again(daemon: Service, tmp_path: Path) -> None:
    data_dir, aside = tmp_path / "networks", tmp_path / "aside"
    stdin = config(data_dir)
    given = address(ask(daemon.socket, environment("ADD", "first"), stdin)[1])
    data_dir.rename(aside)
    assert address(ask(daemon.socket, environment("ADD", "second"), stdin)[1]) == given
    with (data_dir / "net" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # an answer may be a moment ahead of the daemon's own records
        shutil.rmtree(data_dir)
    aside.rename(data_dir)
    assert ask(daemon.socket, environment("CHECK", "first"), stdin)[0] == 0
    assert code(ask(daemon.socket, environment("CHECK", "second"), stdin)[1]) == 102
