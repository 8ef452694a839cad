"""The chain of a database under load: eight processes at once, bursts that are killed, commits of many."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.calls import environment
from tests.daemon.service import Client, Service
from tests.sql.allocation import config, opened, sqlite_url
from tests.sql.cluster import Cluster
from tests.sql.intervals import assert_sound

PROCESSES = 8
KILLS = 6
BURST = 64
NETWORKS = ("one", "two")

WORKER = """
import sys, time
from ipam import allocator
from ipam.model import Attachment, Cause, Host, NO_POD, Network, StoreConfig
from ipam.registry import open_store
from ipam.testing.fixtures import huge_range, network
url, node, *names = sys.argv[1:]
host = Host(node, "boot", time.time)
store = open_store(StoreConfig(url, lock_timeout=60), host)
sets = network(huge_range()).range_sets
for turn in range({turns}):
    for name in names:
        who, net = Attachment(f"{{node}}-{{turn}}", "eth0"), Network(name, sets)
        store.transact(name, lambda tx: allocator.allocate(tx, net, who, NO_POD, host))
        if turn % 2:
            store.transact(name, lambda tx: allocator.release(tx, who, Cause.DEL))
store.close()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.store()


@contextmanager
def worker(url: str, node: str, turns: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that leases and releases in both networks, killed where it is still there in the end."""
    argv = [sys.executable, "-c", WORKER.format(turns=turns), url, node, *NETWORKS]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def count(url: str) -> int:
    """How many events there are."""
    with opened(url) as store:
        return sum(store.verify(name).events for name in store.networks())


def test_eight_processes_at_once_make_one_chain_of_each_network(url: str) -> None:
    turns = 10
    argvs = [
        [sys.executable, "-c", WORKER.format(turns=turns), url, f"node{number}", *NETWORKS[:: 1 - 2 * (number % 2)]]
        for number in range(PROCESSES)
    ]
    processes = [subprocess.Popen(argv, stdin=subprocess.DEVNULL) for argv in argvs]
    assert [process.wait(120) for process in processes] == [0] * PROCESSES
    with opened(url) as store:
        verdicts = [store.verify(name) for name in NETWORKS]
    assert [verdict.links for verdict in verdicts] == [PROCESSES * turns * 3 // 2] * 2
    assert_sound(url)


def test_processes_that_are_killed_in_a_burst_leave_a_whole_chain(url: str) -> None:
    shuffled = random.Random(7)
    for number in range(KILLS):
        before = count(url)
        with worker(url, f"killed{number}", 1000) as killed, worker(url, f"beside{number}", 4) as beside:
            while count(url) < before + 4:
                assert killed.poll() is None
            time.sleep(shuffled.random() * 0.05)
            killed.kill()
            assert beside.wait(60) == 0
        assert_sound(url)


def test_the_requests_of_one_commit_are_links_in_their_order(url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory, Service(Path(directory, "ipam.sock")) as service:
        for command in ("ADD", "DEL", "ADD"):
            calls = [environment(command, f"c{number}") for number in range(BURST)]
            clients = [Client(service.socket).send(env, config(url)) for env in calls]
            for client in clients:
                with client:
                    assert client.receive()[0] == 0
            assert_sound(url)
    with opened(url) as store:
        assert store.verify("net").links == 3 * BURST


def test_a_daemon_that_is_killed_in_a_burst_leaves_a_whole_chain(url: str) -> None:
    shuffled = random.Random(8)
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory, Service(Path(directory, "ipam.sock")) as service:
        for turn in range(5):
            names = [f"c{turn}-{number}" for number in range(BURST)]
            clients = [Client(service.socket).send(environment("ADD", name), config(url)) for name in names]
            assert clients[0].receive()[0] == 0
            time.sleep(shuffled.random() * 0.02)
            service.kill()
            for client in clients:
                client.close()
            assert_sound(url)
            service.start()
    assert count(url) >= 5
