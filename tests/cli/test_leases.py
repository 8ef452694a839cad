"""`ipam networks` and `ipam leases`: what they list, and how."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from ipam.model import Attachment, Cause, Lease, Pod
from tests.cli.node import IPAM, NAME, ONE_STORE, Node
from tests.conftest import missing

KEYS = ["network", "address", "container", "ifname", "namespace", "pod", "uid", "node", "boot", "range_set", "subnet",
        "since", "store"]  # fmt: skip


def addresses(rows: list[dict[str, object]]) -> list[object]:
    """The addresses of rows."""
    return [row["address"] for row in rows]


@pytest.fixture
def three(node: Node) -> Node:
    """A node with three leases."""
    node.configure()
    for number, name in enumerate(("c3", "c1", "c2")):
        node.now = 1_700_000_000.0 + number
        node.add(name, pod=Pod("shop" if number else "default", f"pod-{name}", f"uid-{name}"))
    return node


def test_the_networks_of_stores_and_of_configs_are_listed(node: Node) -> None:
    path = node.configure()
    url, node.url = node.url, "memory:"
    assert node.run("networks", "-o", "json").json() == []
    node.url = url
    node.add("c1")
    node.add("c1", name="other")
    row = {"network": NAME, "leases": 1, "ranges": ["10.203.0.1-10.203.0.254"], "store": node.url, "config": str(path)}
    other = {"network": "other", "leases": 1, "ranges": None, "store": node.url, "config": None}
    assert node.run("networks", "-o", "json").json() == [row, other]


def test_the_stores_of_the_configs_are_found_without_being_named(node: Node, tmp_path: Path) -> None:
    node.configure()
    node.configure("10.81.0.0/24", name="unused", store=f"file://{tmp_path}/elsewhere")
    node.add("c1")
    command = [*IPAM, "networks", "--conf-dir", str(node.conf_dir), "-o", "json"]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found = {(row["network"], row["store"], row["leases"]) for row in rows}
    assert {(NAME, node.url, 1), ("unused", f"file://{tmp_path}/elsewhere", 0)} <= found


def test_a_lease_is_told_with_all_that_is_known(three: Node) -> None:
    rows = three.run("leases", "-o", "json").json()
    assert addresses(rows) == ["10.203.0.2", "10.203.0.3", "10.203.0.4"]
    assert [list(row) for row in rows] == [KEYS] * 3
    assert rows[1] == {
        "network": NAME,
        "address": "10.203.0.3",
        "container": "c1",
        "ifname": "eth0",
        "namespace": "shop",
        "pod": "pod-c1",
        "uid": "uid-c1",
        "node": three.host.node,
        "boot": three.host.boot,
        "range_set": 0,
        "subnet": "10.203.0.0/24",
        "since": 1_700_000_001.0,
        "store": three.url,
    }


@ONE_STORE
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--pod", "pod-c1"], ["10.203.0.3"]),
        (["--pod", "shop/pod-c1"], ["10.203.0.3"]),
        (["--pod", "default/pod-c1"], []),
        (["--pod", "default/"], ["10.203.0.2"]),
        (["--container", "c2"], ["10.203.0.4"]),
        (["--container", "c"], ["10.203.0.2", "10.203.0.3", "10.203.0.4"]),
        (["--address", "10.203.0.3"], ["10.203.0.3"]),
        (["--address", "10.203.0.0/30"], ["10.203.0.2", "10.203.0.3"]),
        (["--address", "10.81.0.0/16"], []),
        (["--sort", "container"], ["10.203.0.3", "10.203.0.4", "10.203.0.2"]),
        (["--sort", "since"], ["10.203.0.2", "10.203.0.3", "10.203.0.4"]),
        (["--sort", "pod"], ["10.203.0.2", "10.203.0.3", "10.203.0.4"]),
        ([NAME, "--pod", "pod-c3"], ["10.203.0.2"]),
    ],
)
def test_leases_are_chosen_and_sorted(three: Node, options: list[str], expected: list[str]) -> None:
    assert addresses(three.run("leases", *options, "-o", "json").json()) == expected
    assert [row[1] for row in three.run("leases", *options).table()] == expected
    assert [row["address"] for row in three.run("leases", *options, "-o", "csv").csv()] == expected


@ONE_STORE
def test_a_table_in_a_pipe_has_whole_ids_and_no_colour(node: Node) -> None:
    node.configure()
    node.add("f" * 64)
    said = node.run("leases")
    assert "\x1b" not in said.out
    assert said.table()[0][2] == "f" * 64


@ONE_STORE
@pytest.mark.parametrize(
    ("words", "code"), [(["--address", "10.203.0"], 2), (["--address", "10.203.0.0/33"], 2), (["nowhere"], 1)]
)
def test_what_cannot_be_meant_is_refused(three: Node, words: list[str], code: int) -> None:
    said = three.run("leases", *words)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("ipam leases: ")
    assert words[-1] in said.err
    assert said.err.count("\n") == 1


def test_a_store_that_cannot_be_read_is_told_and_the_others_are_listed(node: Node, tmp_path: Path) -> None:
    node.configure()
    node.add("c1")
    (tmp_path / "bad").mkdir(mode=0o777)
    (tmp_path / "bad").chmod(0o777)
    node.configure(name="bad", store=f"file://{tmp_path}/bad")
    command = [*IPAM, "leases", "--conf-dir", str(node.conf_dir), "-o", "json"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert [row["container"] for row in json.loads(done.stdout) if row["store"] == node.url] == ["c1"]
    assert f"not looked at: store file://{tmp_path}/bad" in done.stderr


HOSTILE = "=cmd|' /C calc'!A0\x1b[31m\x9b1m\u202e\u2028\ud800\n\"],"


def test_hostile_names_stay_text(node: Node) -> None:
    node.configure()
    lease = Lease(node.add("c1")[0].address, Attachment("c1", "eth0"), 0, Pod(HOSTILE, HOSTILE, HOSTILE), 1.0)
    node.delete("c1")
    node.change(lambda tx: tx.claim(lease, Cause.ADD))
    for command in ("leases", "history", "gc", "who"):
        more = {"who": ["10.203.0.2"], "gc": ["--all"]}.get(command, [])  # other tests' namespaces have addresses too
        table, comma = node.run(command, *more).out, node.run(command, *more, "-o", "csv")
        for text in (table, comma.out):
            assert all(character.isprintable() or character == "\n" for character in text), command
        assert "\\x1b[31m" in table
        assert [row["pod"].startswith("'=cmd") for row in comma.csv()][-1]
        rows = node.run(command, *more, "-o", "json")
        assert rows.out.isascii()
        assert json.loads(rows.out)[-1]["pod"] == HOSTILE


def test_reading_needs_no_more_than_read_access(node: Node, tmp_path: Path) -> None:
    if os.geteuid() or not node.url.startswith("file:"):
        missing("root") if os.geteuid() else pytest.skip("about files")
    node.configure()
    node.add("c1")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "networks").rglob("*")}
    path = str(tmp_path)
    script = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    for words in (["networks"], ["leases"], ["history"], ["usage"], ["map", NAME], ["who", "10.203.0.2"], ["check"]):
        command = [*IPAM, words[0], *words[1:], "--conf-dir", str(node.conf_dir), "--store", node.url]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, path, *command], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), words
        assert done.stdout or words == ["check"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "networks").rglob("*")} == before


def test_watch_lists_again_and_again(node: Node) -> None:
    node.configure()
    node.add("c1")
    with node.started("leases", "--watch", "0.1", "-o", "csv", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("network,address")
        assert ",c1," in process.stdout.readline()
        node.add("c2")
        deadline = time.monotonic() + 30
        while ",c2," not in process.stdout.readline():
            assert time.monotonic() < deadline
