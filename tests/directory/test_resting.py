"""Addresses that rest, on disk: a file that is there while there are any, and damage to it."""

import pytest

from ipam.address import format_address
from ipam.model import Cause
from ipam.testing.fixtures import NETWORK, Ticking, small_range, who
from tests.directory.node import Node, address


@pytest.fixture
def rested(node: Node) -> Node:
    """A node on which 10.0.0.2 rests."""
    node.add("c1")
    lease = node.held_by(who("c1"))[0]
    node.transact(lambda tx: tx.drop(lease, Cause.RELEASE, rest=1000.0))
    return node


def resting(node: Node) -> list[str]:
    """The addresses that rest."""
    with node.store() as store:
        return [format_address(each) for each, _ in store.resting(NETWORK)]


def test_there_is_a_file_only_while_something_rests(rested: Node) -> None:
    assert (rested.records / "resting").stat().st_mode & 0o777 == 0o600
    assert resting(rested) == ["10.0.0.2"]
    assert rested.add("c2") == ["10.0.0.3"]
    rested.transact(lambda tx: None)
    assert (rested.records / "resting").exists()
    assert rested.add("c3", requested=["10.0.0.2"]) == ["10.0.0.2"]
    assert not (rested.records / "resting").exists()


def test_a_network_without_one_makes_none(node: Node) -> None:
    node.add("c1")
    node.delete("c1")
    assert not (node.records / "resting").exists()


def test_what_has_rested_long_enough_is_left_out_of_the_file(rested: Node) -> None:
    assert isinstance(rested.clock, Ticking)
    rested.clock.now += 2000
    assert resting(rested) == []
    assert rested.add("c2") == ["10.0.0.3"]  # round robin; the one that rested comes later
    lease = rested.held_by(who("c2"))[0]
    rested.transact(lambda tx: tx.drop(lease, Cause.RELEASE, rest=1000.0))
    assert (rested.records / "resting").read_text().split()[::2] == ["10.0.0.3"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\n", b"10.0.0.2\n", b"10.0.0.2 soon\n", b"10.0.0.2 nan\n", b"x 5e9\n"]
)
def test_a_damaged_file_lets_nothing_rest(rested: Node, content: bytes) -> None:
    (rested.records / "resting").write_bytes(content)
    assert resting(rested) == []
    assert rested.transact(lambda tx: tx.next_free(small_range(), None)) == address("10.0.0.1").value


def test_something_else_in_its_place_is_in_nobodys_way(rested: Node) -> None:
    (rested.records / "resting").unlink()
    (rested.records / "resting").mkdir()
    assert resting(rested) == []
    assert rested.add("c2") == ["10.0.0.3"]
    lease = rested.held_by(who("c2"))[0]
    rested.transact(lambda tx: tx.drop(lease, Cause.RELEASE, rest=1000.0))  # it cannot rest, but it is dropped
    assert rested.held("c2") == []


def test_a_lease_that_others_took_meanwhile_does_not_rest(rested: Node) -> None:
    (rested.directory / "10.0.0.2").write_bytes(b"guest\r\neth0")
    assert resting(rested) == []
