"""A node that its config gives another name: its leases are its own, for whoever looks and for whoever frees them."""

from pathlib import Path

import pytest

from ipam.model import IPV4, NO_POD, Address, Attachment, Cause, Lease
from ipam.store import Transaction
from tests.cli.node import NAME, Node

FIRST = 0x0ACB0000
SERVER = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
"""For what only a store of several nodes has."""


@pytest.fixture
def named(node: Node) -> Node:
    """A node that is called node-7 in the store, with a lease of an earlier boot; and another node's beside it."""
    node.configure("10.203.0.0/30", nodeName="node-7")

    def change(tx: Transaction) -> None:
        for number, name in ((2, "node-7"), (1, "node-8")):
            who = Attachment(f"of-{name}", "eth0")
            tx.claim(Lease(Address(IPV4, FIRST + number), who, 0, NO_POD, 1.0, "an-earlier-one", name), Cause.ADD)

    node.change(change)
    return node


def test_gc_judges_its_leases_and_no_other_nodes(named: Node, as_root: None, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    where = ("--results-dir", str(tmp_path / "results"), "--seen", str(tmp_path / "seen"))
    rows = {row["container"]: row for row in named.run("gc", "--now", "--apply", "-o", "json", *where).json()}
    assert (rows["of-node-7"]["verdict"], rows["of-node-7"]["action"]) == ("stale", "freed")
    assert rows["of-node-8"]["verdict"] == "unknown"
    assert [lease.node for lease in named.leases()] == ["node-8"]


def test_its_leases_can_be_released_here_and_others_there(named: Node) -> None:
    assert named.run("release", "10.203.0.2").code == 0
    said = named.run("release", "10.203.0.1")
    assert (said.code, "on node node-8: release it there" in said.err) == (1, True)


@SERVER
def test_explain_tells_that_its_leases_of_an_earlier_boot_would_be_released(named: Node) -> None:
    (told,) = named.run("explain", str(named.conf_dir / f"10-{NAME}.conflist"), "-o", "json").json()
    assert (told["reclaimed"], told["leases"]) == (1, [{"address": "10.203.0.2", "range_set": 0}])


@SERVER
def test_an_audit_finds_its_leases_of_an_earlier_boot(named: Node) -> None:
    (finding,) = [each for each in named.run("audit", "-o", "json").json()["findings"] if each["code"] == "A07"]
    assert finding["nodes"] == ["node-7"]


@SERVER
def test_what_a_config_says_of_a_store_counts_where_the_store_is_named(named: Node, tmp_path: Path) -> None:
    named.configure(passwordFile=f"{tmp_path}/none")
    said = named.run("leases")
    assert (said.code, f'passwordFile "{tmp_path}/none": No such file' in said.err) == (1, True)
