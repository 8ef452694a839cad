"""Sixty thousand leases: every command answers, and right. No other test has an address of theirs in a namespace."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipam.model import IPV4, Address
from tests.cli.conftest import STORES, empty_store
from tests.cli.node import IPAM, NAME, Node

MANY = 60_000
FIRST = 0x0ACF0002
LAST = "10.207.234.97"


@pytest.fixture(scope="module", params=STORES)
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with that many leases."""
    directory = tmp_path_factory.mktemp("full")
    (directory / "net.d").mkdir()
    node = Node(empty_store(request.param, directory, request), directory / "net.d", None)  # type: ignore[arg-type]
    node.configure("10.207.0.0/16")
    node.fill(Address(IPV4, FIRST + number) for number in range(MANY))
    yield node


def said(node: Node, *words: str) -> str:
    """What a command prints, with nothing to complain about."""
    done = subprocess.run([*IPAM, *node.arguments(*words)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_every_lease_is_listed_once_in_order(full: Node, tmp_path: Path) -> None:
    rows = json.loads(said(full, "leases", "-o", "json"))
    assert [row["container"] for row in rows] == [f"{FIRST + number:064x}" for number in range(MANY)]
    assert len({row["address"] for row in rows}) == MANY
    assert said(full, "leases").count("\n") == MANY + 1
    assert said(full, "leases", "-o", "csv").count("\n") == MANY + 1
    assert said(full, "leases", "--address", f"{LAST}/31", "-o", "csv").count("\n") == 3


def test_the_other_commands_answer_too(full: Node) -> None:
    assert json.loads(said(full, "networks", "-o", "json"))[0]["leases"] == MANY
    (usage,) = json.loads(said(full, "usage", "-o", "json"))
    assert (usage["leased"], usage["free"]) == (MANY, 65533 - MANY)
    assert json.loads(said(full, "who", LAST, "-o", "json"))[0]["address"] == LAST
    assert said(full, "history", "--address", LAST).count("\n") == 2
    assert said(full, "history", "-o", "csv").count("\n") == MANY + 1
    (drawn,) = json.loads(said(full, "map", NAME, "-o", "json"))["ranges"]
    assert (drawn["block"], drawn["cells"].count("#")) == (64, MANY // 64 - 1)
    assert said(full, "check") == ""
    path = str(full.conf_dir / f"10-{NAME}.conflist")
    assert "ADD would answer 10.207.234.98/16" in said(full, "explain", path)
    assert said(full, "gc", "--all", "-o", "csv").count("unknown,") == MANY  # they are young
