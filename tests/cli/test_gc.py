"""`ipam gc`: two passes, evidence, and what it leaves alone. Among real containers: tests/podman/test_gc.py."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipam.cli import evidence
from ipam.inspection.sightings import Sightings
from ipam.inspection.sites import Site
from ipam.model import Attachment, Cause, Lease
from tests.cli.node import NAME, ONE_STORE, Node
from tests.peer.namespaces import Namespace

Gc = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Libcni's cache, empty."""
    directory = tmp_path / "results"
    directory.mkdir()
    return directory


@pytest.fixture
def node(node: Node) -> Node:
    """A node with addresses of its own: what is in namespaces here, leases of other tests must not be taken for."""
    node.subnet = "10.204.0.0/24"
    return node


@pytest.fixture
def gc(node: Node, results: Path, tmp_path: Path, as_root: None, monkeypatch: pytest.MonkeyPatch) -> Gc:
    """Run gc on a node whose leases were made an hour ago: what it says, by container."""
    programs = tmp_path / "bin"  # no runtime among them: those of this machine are not this node's
    programs.mkdir()
    for name in ("cat", "ip", "nsenter", "sh"):
        (programs / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    node.configure()
    node.now = time.time() - 3600

    def run(*options: str) -> dict[str, dict[str, Any]]:
        where = ("--results-dir", str(results), "--seen", str(tmp_path / "seen.json"))
        said = node.run("gc", "--all", "-o", "json", *where, *options)
        assert said.code == 0
        return {row["container"]: row for row in json.loads(said.out)}

    return run


@pytest.fixture
def alive(node: Node, gc: Gc) -> Iterator[Namespace]:
    """A lease of a container that lives."""
    node.add("alive")
    container = Namespace("container")
    container.run("ip", "link", "set", "lo", "up")
    container.run("ip", "address", "add", "10.204.0.2/32", "dev", "lo")
    yield container
    container.remove()


def held(node: Node) -> set[str]:
    return {lease.attachment.container_id for lease in node.leases()}


def test_an_attachment_lives_where_one_of_its_addresses_is_seen(node: Node, alive: Namespace, gc: Gc) -> None:
    node.add("dual", "10.204.0.0/24", "fd00:cb::/64")
    alive.run("ip", "address", "add", "10.204.0.3/32", "dev", "lo")
    rows = gc("--apply", "--now")
    assert rows["dual"]["address"] == "fd00:cb::2"
    assert rows["dual"]["verdict"] == "live"
    assert f"netns: 10.204.0.3, its other address, is in {alive.path}, which has no process" in rows["dual"]["evidence"]
    said = node.run("release", "fd00:cb::2")
    assert said.code == 1
    assert "looks alive" in said.err
    assert [lease.attachment.container_id for lease in node.leases()] == ["alive", "dual", "dual"]


def test_nothing_is_freed_without_being_told(node: Node, alive: Namespace, gc: Gc) -> None:
    node.add("gone")
    seen = gc("--now")
    assert {name: row["verdict"] for name, row in seen.items()} == {"alive": "live", "gone": "stale"}
    assert [row["action"] for row in seen.values()] == [None, "due"]
    assert held(node) == {"alive", "gone"}


def test_what_is_stale_in_two_passes_a_grace_period_apart_is_freed(node: Node, alive: Namespace, gc: Gc) -> None:
    node.add("gone")
    for _ in range(2):
        assert gc("--apply", "--grace", "5m")["gone"]["action"].startswith("due in ")
    assert held(node) == {"alive", "gone"}
    deadline = time.monotonic() + 30
    while (said := gc("--apply", "--grace", "2s"))["gone"]["action"] != "freed":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert said["alive"]["action"] is None
    assert held(node) == {"alive"}
    event = node.run("history", "-o", "json").json()[-1]
    assert (event["cause"], event["container"]) == ("gc", "gone")
    assert "netns: none has the address" in event["note"]
    assert node.run("restore", "10.204.0.3").code == 0
    assert gc("--apply")["gone"]["action"] == "due in 5m"  # it is seen for the first time again


@ONE_STORE
def test_a_lease_that_was_not_stale_in_between_starts_anew(node: Node, gc: Gc, results: Path) -> None:
    node.add("gone")
    assert gc("--apply")["gone"]["verdict"] == "stale"
    (results / f"{NAME}-gone-eth0").touch()
    assert gc("--apply", "--grace", "0")["gone"]["verdict"] == "unknown"
    (results / f"{NAME}-gone-eth0").unlink()
    assert gc("--apply")["gone"]["action"] == "due in 5m"


def test_a_lease_that_was_made_anew_is_another_one(node: Node, gc: Gc) -> None:
    node.add("gone")
    gc("--apply")
    node.delete("gone")
    node.now = time.time() - 1800
    node.change(lambda tx: tx.claim(node_lease(node), Cause.ADD))
    assert gc("--apply", "--grace", "1m")["gone"]["action"].startswith("due in ")


def node_lease(node: Node) -> Lease:
    """The lease of 10.204.0.2, made now."""
    from ipam.inspection.selection import one_address

    host = node.host
    return Lease(one_address("10.204.0.2"), Attachment("gone", "eth0"), 0, since=host.clock(), boot=host.boot)


@ONE_STORE
@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"boot": "another", "seen": {}}', '{"seen": 5}', '{"boot": 1, "seen": [1]}']
)
def test_damaged_sightings_count_for_nothing(node: Node, gc: Gc, tmp_path: Path, damage: str) -> None:
    node.add("gone")
    gc()
    (tmp_path / "seen.json").write_text(damage)
    assert gc("--apply")["gone"]["action"] == "due in 5m"
    assert held(node) == {"gone"}


@ONE_STORE
def test_sightings_that_others_could_have_written_count_for_nothing(node: Node, gc: Gc, tmp_path: Path) -> None:
    node.add("gone")
    gc()
    (tmp_path / "seen.json").chmod(0o666)
    assert gc("--apply", "--grace", "0.001")["gone"]["action"] != "freed"


@ONE_STORE
def test_sightings_that_cannot_be_kept_are_told_of(node: Node, gc: Gc, tmp_path: Path) -> None:
    node.add("gone")
    said = node.run("gc", "--seen", "/proc/nowhere/seen.json")
    assert (said.code, "the next pass will not know of this one" in said.err) == (0, True)


@ONE_STORE
def test_sightings_of_what_is_not_looked_at_are_kept(tmp_path: Path, node: Node) -> None:
    lease = Lease(next(iter(node.add("c1"))).address, Attachment("c1", "eth0"), 0, since=1.0)
    with node.store() as store:
        one, other = Site("one", "u", store), Site("other", "u", store)
        first = Sightings(tmp_path / "s", "boot")
        assert (first.note(one, lease, 10.0), first.note(other, lease, 10.0)) == (10.0, 10.0)
        first.save([one, other])
        second = Sightings(tmp_path / "s", "boot")
        assert second.note(one, lease, 20.0) == 10.0
        second.save([one])
        third = Sightings(tmp_path / "s", "boot")
        assert (third.note(one, lease, 30.0), third.note(other, lease, 30.0)) == (10.0, 10.0)
        Sightings(tmp_path / "s", "boot").save([one])
        fourth = Sightings(tmp_path / "s", "boot")
        assert (fourth.note(one, lease, 40.0), fourth.note(other, lease, 40.0)) == (40.0, 10.0)
        assert Sightings(tmp_path / "s", "next boot").note(other, lease, 50.0) == 50.0


@ONE_STORE
def test_young_leases_are_left_alone(node: Node, gc: Gc) -> None:
    node.now = time.time()
    node.add("new")
    assert gc("--apply", "--now")["new"]["verdict"] == "unknown"
    assert held(node) == {"new"}
    assert gc("--apply", "--now", "--youngest", "0")["new"]["action"] == "freed"


def test_leases_of_another_node_are_left_alone(node: Node, gc: Gc) -> None:
    (lease,) = node.add("there")
    node.delete("there")
    node.change(lambda tx: tx.claim(lease.replace(node="another", boot="another"), Cause.ADD))
    row = gc("--apply", "--now")["there"]
    assert (row["verdict"], row["evidence"]) == ("unknown", ["node: it is another's: only there it can be told"])
    assert held(node) == {"there"}


def test_a_lease_that_changes_hands_meanwhile_is_left_alone(
    node: Node, gc: Gc, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.add("gone")
    real = evidence.Evidence.verdict

    def slow(self: evidence.Evidence, site: Site, lease: Lease) -> object:
        verdict = real(self, site, lease)
        node.delete("gone")
        node.now = None
        node.change(lambda tx: tx.claim(lease.replace(attachment=Attachment("new", "eth0"), since=9.0), Cause.ADD))
        return verdict

    monkeypatch.setattr(evidence.Evidence, "verdict", slow)
    assert gc("--apply", "--now")["gone"]["action"] == "changed meanwhile"
    assert held(node) == {"new"}


def test_stale_leases_are_listed(node: Node, alive: Namespace, gc: Gc, monkeypatch: pytest.MonkeyPatch) -> None:
    (lease,) = node.add("gone")
    node.delete("gone")
    node.change(lambda tx: tx.claim(lease.replace(boot="an earlier one"), Cause.ADD))
    rows = node.run("leases", "--stale", "-o", "json").json()
    assert [row["container"] for row in rows] == ["gone"]


@ONE_STORE
def test_who_did_it_and_why_is_told_when_nothing_is_due(node: Node, gc: Gc) -> None:
    node.add("gone")
    said = node.run("gc", "--now", "--results-dir", str(node.conf_dir), "--seen", str(node.conf_dir / "seen"))
    assert said.err == "nothing was freed: `ipam gc --apply --now` frees what is due\n"
