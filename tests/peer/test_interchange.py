"""Ours and Debian's Go host-local on one directory, in turns and at once: neither notices the other."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_interface
from itertools import combinations, cycle
from math import inf
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.peer.cases import V4, V6, conf, one, sets
from tests.peer.comparison import Answer, Call, Json, Plugin, leases

PODS = [("web-1", "eth0"), ("web-2", "eth0"), ("db-0", "eth0"), ("db-0", "net1")]
"""Three pods; one has two interfaces."""

DUAL = sets(one(V4), one(V6))
BOTH_WAYS = pytest.mark.parametrize("first", ["go", "ours"])


class Both(NamedTuple):
    """The two plugins, on one directory."""

    go: Plugin
    ours: Plugin

    def in_order(self, first: str) -> tuple[Plugin, Plugin]:
        """The plugin called `first`, then the other."""
        return (self.go, self.ours) if first == "go" else (self.ours, self.go)

    def held(self) -> dict[str, bytes]:
        """Address to holder, as the lease files have it."""
        return {Path(name).name: content for name, content in leases(self.go.files()).items()}


@pytest.fixture
def both(go_host_local: Path, plugin: Path, tmp_path: Path) -> Both:
    return Both(Plugin(go_host_local, tmp_path / "networks"), Plugin(plugin, tmp_path / "networks"))


def call(
    plugin: Plugin, command: str, who: tuple[str, str], ipam: Json | None = None, version: str = "1.0.0"
) -> Answer:
    """One call, for the attachment `who`."""
    return plugin(Call(command, conf(ipam, version), *who))


def succeed(plugin: Plugin, command: str, who: tuple[str, str], ipam: Json | None = None) -> list[str]:
    """A call that has to succeed; the addresses (without their length) that it gave."""
    answer = call(plugin, command, who, ipam)
    assert answer.succeeded, str(answer)
    return [str(ip_interface(address).ip) for address in answer.addresses]


def collect_garbage(plugin: Plugin, *valid: tuple[str, str]) -> Answer:
    """A GC that leaves the attachments `valid`."""
    attachments = [{"containerID": container, "ifname": ifname} for container, ifname in valid]
    return plugin(Call("GC", {**conf(version="1.1.0"), "cni.dev/valid-attachments": attachments}))


def test_the_round_robin_goes_on_whoever_is_asked(both: Both) -> None:
    turns = cycle([both.go, both.ours, both.ours])
    ipam = sets(one("10.0.0.0/28"))
    given = [succeed(next(turns), "ADD", (f"c{number}", "eth0"), ipam)[0] for number in range(2, 15)]
    assert given == [f"10.0.0.{number}" for number in range(2, 15)]
    for number in (3, 7, 11):
        succeed(next(turns), "DEL", (f"c{number}", "eth0"), ipam)
    again = [succeed(next(turns), "ADD", (f"d{number}", "eth0"), ipam)[0] for number in range(3)]
    assert again == ["10.0.0.3", "10.0.0.7", "10.0.0.11"]
    for each in both:
        assert "no IP addresses available" in call(each, "ADD", ("e", "eth0"), ipam).body["msg"]


@BOTH_WAYS
def test_each_works_on_what_the_other_added(both: Both, first: str) -> None:
    one_, other = both.in_order(first)
    given = {who: succeed(one_, "ADD", who, DUAL) for who in PODS}
    for who in PODS:
        succeed(other, "CHECK", who, DUAL)
        assert "duplicate allocation" in call(other, "ADD", who, DUAL).body["msg"]
    assert both.held() == {
        address: "\r\n".join(who).encode() for who, addresses in given.items() for address in addresses
    }
    taken = given[PODS[0]][0]
    request = Call("ADD", conf(DUAL), "x", args=f"IP={taken}")
    assert "is not available" in other(request).body["msg"]
    succeed(other, "DEL", PODS[2], DUAL)
    assert not call(one_, "CHECK", PODS[2], DUAL).succeeded
    succeed(one_, "CHECK", PODS[3], DUAL)
    for who in PODS:
        succeed(other, "DEL", who, DUAL)
    assert both.held() == {}


@BOTH_WAYS
def test_what_one_releases_the_other_gives_out_again(both: Both, first: str) -> None:
    one_, other = both.in_order(first)
    ipam = sets(one("10.0.0.0/30"))
    for round_ in range(3):
        who = (f"c{round_}", "eth0")
        assert succeed(one_, "ADD", who, ipam) == ["10.0.0.2"]
        assert not call(other, "ADD", ("late", "eth0"), ipam).succeeded
        succeed(other, "DEL", who, ipam)
        assert succeed(other, "ADD", ("late", "eth0"), ipam) == ["10.0.0.2"]
        succeed(one_, "DEL", ("late", "eth0"), ipam)


def test_gc_takes_what_go_left_and_go_sees_it(both: Both) -> None:
    for who in PODS:
        succeed(both.go, "ADD", who)
    both.go.write({"net/10.0.0.77": b"old-pod", "net/10.0.0.78": b"web-1"})
    answer = collect_garbage(both.ours, PODS[0], PODS[3])
    assert answer.succeeded, str(answer)
    assert both.held() == {
        "10.0.0.2": b"web-1\r\neth0",
        "10.0.0.5": b"db-0\r\nnet1",
        "10.0.0.78": b"web-1",
    }
    for who, is_left in zip(PODS, (True, False, False, True), strict=True):
        assert call(both.go, "CHECK", who).succeeded is is_left
    for who in PODS:
        succeed(both.go, "DEL", who)
    assert collect_garbage(both.ours).succeeded
    assert both.held() == {}


def test_ours_checks_prev_result_against_leases_of_go(both: Both) -> None:
    result = call(both.go, "ADD", PODS[0], DUAL).body
    config = {**conf(DUAL), "prevResult": result}
    assert both.ours(Call("CHECK", config, *PODS[0])).succeeded
    result["ips"][0]["address"] = "10.0.0.99/24"
    assert both.ours(Call("CHECK", config, *PODS[0])).code == 102


WORKERS = 8
ROUNDS = 6
KEPT = 2
"""How many attachments a worker holds at a time. All of them together come near to filling the ranges."""

CROWDED = sets(one("10.0.0.0/26"), one("fd00::/122"))


class Tenancy(NamedTuple):
    """An address, and when it was somebody's for certain: from ADD's answer to DEL's begin."""

    address: str
    since: float
    until: float


def _churn(plugin: Plugin, worker: str, start: threading.Barrier) -> list[Tenancy]:
    """Every round one ADD and the DEL of an older one; the last KEPT stay."""
    start.wait()
    done: list[Tenancy] = []
    living: list[tuple[tuple[str, str], list[str], float]] = []
    for number in range(ROUNDS):
        who = (f"{worker}-{number}", "eth0")
        living.append((who, succeed(plugin, "ADD", who, CROWDED), time.monotonic()))
        if len(living) > KEPT:
            oldest, addresses, since = living.pop(0)
            done += [Tenancy(address, since, time.monotonic()) for address in addresses]
            succeed(plugin, "DEL", oldest, CROWDED)
    return done + [Tenancy(address, since, inf) for _, addresses, since in living for address in addresses]


def test_eight_of_each_at_once_give_no_address_twice(both: Both) -> None:
    workers = {f"{kind}{number}": kind for kind in Both._fields for number in range(WORKERS)}
    start = threading.Barrier(len(workers))
    with ThreadPoolExecutor(len(workers)) as pool:
        churns = [pool.submit(_churn, getattr(both, kind), name, start) for name, kind in workers.items()]
        tenancies = [each for churn in churns for each in churn.result()]
    assert len(tenancies) == 2 * len(workers) * ROUNDS
    for first, second in combinations(tenancies, 2):
        if first.address == second.address:
            assert first.until <= second.since or second.until <= first.since, (first, second)
    kept = sorted(each.address for each in tenancies if each.until == inf)
    assert sorted(both.held()) == kept
    for name, kind in workers.items():
        other = both.ours if kind == "go" else both.go
        for number in range(ROUNDS - KEPT, ROUNDS):
            succeed(other, "CHECK", (f"{name}-{number}", "eth0"), CROWDED)
            succeed(other, "DEL", (f"{name}-{number}", "eth0"), CROWDED)
    assert both.held() == {}
