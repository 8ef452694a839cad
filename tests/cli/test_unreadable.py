"""A network that cannot be read: stderr and the exit status tell of it, and the others are looked at all the same."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.node import NAME, ONE_STORE, Node

BAD = "bad"
LOOKING = [
    ["leases"],
    ["networks"],
    ["usage"],
    ["history"],
    ["who", "10.203.0.2"],
    ["gc", "--all"],
    ["audit"],
    ["export"],
]


@pytest.fixture
def half(node: Node, tmp_path: Path) -> Node:
    """A node with two networks, of which one has a file in the place of a directory."""
    for name in (BAD, NAME):
        node.configure(name=name)
        node.add("c1", name=name)
    records = tmp_path / "networks" / ".ipam" / BAD
    shutil.rmtree(records)
    records.write_text("")
    return node


@ONE_STORE
@pytest.mark.parametrize("words", [*LOOKING, ["verify"], ["check"]], ids=lambda words: words[0])
def test_a_network_that_cannot_be_read_is_told_and_the_others_are_looked_at(half: Node, words: list[str]) -> None:
    form = [] if words[0] in ("verify", "check", "export") else ["-o", "json"]
    said = half.run(*words, *form)
    assert said.code == 1
    assert said.err.splitlines()[0].startswith(f"not looked at: network {BAD} in {half.url}: ")
    assert len(said.err.splitlines()) == 1
    assert "the leases are as they were" not in said.err
    if form and words[0] != "audit":
        assert [row["network"] for row in json.loads(said.out)] == [NAME]
    elif words != ["check"]:
        assert NAME in said.out or '"leases": 1' in said.out


@ONE_STORE
def test_a_change_of_a_network_that_cannot_be_read_fails(half: Node) -> None:
    said = half.run("release", "10.203.0.2", "--network", BAD, "--force")
    assert (said.code, said.out) == (1, "")
