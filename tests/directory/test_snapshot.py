"""The quick way to all leases tells what the thorough one tells, and steps aside where it could not."""

import random
from pathlib import Path

import pytest

from backends.directory import reading, snapshot
from backends.directory.lock import acquire
from backends.directory.place import Place
from ipam.model import Lease
from ipam.testing.fixtures import NETWORK, huge_range, small_range
from tests.directory.guest import Guest
from tests.directory.node import Node


def quickly(node: Node) -> list[Lease] | None:
    """By the quick way alone; None where it steps aside."""
    place = Place(str(node.root), NETWORK, create=False)
    acquire(place.lock, place.name, 10)
    taken = snapshot.take(place)
    place.close()
    return taken.leases() if taken is not None else None


def thoroughly(node: Node) -> list[Lease]:
    """By the thorough way alone."""
    place = Place(str(node.root), NETWORK, create=False)
    acquire(place.lock, place.name, 10)
    leases = reading.snapshot(place)
    place.close()
    return leases


def test_both_ways_tell_the_same_after_any_adds_and_dels(node: Node) -> None:
    chance, held = random.Random(5), []
    for number in range(120):
        if held and chance.random() < 0.45:
            node.delete(held.pop(chance.randrange(len(held))))
        else:
            held.append(f"c{number}")
            node.add(held[-1], small_range(200), huge_range())
        if number % 20 == 0:
            assert quickly(node) == thoroughly(node) == node.records_of_leases()
    leases = quickly(node)
    assert leases is not None
    assert len(leases) == 2 * len(held)
    assert leases == thoroughly(node)


def test_both_ways_tell_the_same_after_history_was_forgotten(node: Node) -> None:
    for number in range(20):
        node.add(f"c{number}") if number < 12 else node.delete(f"c{number - 12}")
    node.forget()
    assert quickly(node) == thoroughly(node)
    node.add("more")
    leases = quickly(node)
    assert leases == thoroughly(node)
    assert leases is not None
    assert len(leases) == 5


def test_lines_may_be_long(node: Node) -> None:
    node.add("first")
    with node.store() as store:
        note = "x" * 100_000
        for lease in list(store.leases(NETWORK)):
            for _ in range(12):
                store.transact(NETWORK, lambda tx, lease=lease: tx.drop(lease, "release", note))  # type: ignore[misc]
                store.transact(NETWORK, lambda tx, lease=lease: tx.claim(lease, "restore", note))  # type: ignore[misc]
    node.add("last")
    assert quickly(node) == thoroughly(node)


@pytest.mark.parametrize("what", ["made by others", "removed by others", "begun", "no index", "no history"])
def test_it_steps_aside_where_the_records_are_not_in_order(node: Node, guest: Guest, what: str) -> None:
    node.add("c1")
    node.add("c2")
    node.close()
    if what == "made by others":
        guest.add("10.0.0.9", "guest")
    elif what == "removed by others":
        (node.directory / "10.0.0.2").unlink()
    elif what == "begun":
        place = Place(str(node.root), NETWORK, create=False)
        place.index.begin(place.journal.size())
        place.close()
    else:
        (node.records / what.removeprefix("no ")).unlink()
    assert quickly(node) is None
    assert {lease.attachment.container_id for lease in node.records_of_leases()} == {
        *({"c1"} if what != "removed by others" else set()),
        "c2",
        *({"guest"} if what == "made by others" else set()),
    }


def test_it_steps_aside_where_a_line_is_not_the_one_that_the_index_means(node: Node, tmp_path: Path) -> None:
    node.add("c1")
    node.add("c2")
    node.close()
    history = node.records / "history"
    data = history.read_bytes()
    for damage in (b"\0", b"X", b"}"):
        history.write_bytes(damage + data[1:])
        assert quickly(node) is None
        assert node.leases() == {"10.0.0.2": "c1", "10.0.0.3": "c2"}
    history.write_bytes(data.replace(b'"container":"c1"', b'"container":"c9"'))
    assert quickly(node) is None
    assert node.leases() == {"10.0.0.2": "c1", "10.0.0.3": "c2"}


def test_the_lock_is_not_held_while_the_lines_are_read(node: Node) -> None:
    node.add("c1")
    place = Place(str(node.root), NETWORK, create=False)
    acquire(place.lock, place.name, 10)
    taken = snapshot.take(place)
    place.close()
    node.add("c2")
    node.delete("c1")
    node.forget()
    assert taken is not None
    assert [lease.attachment.container_id for lease in taken.leases() or []] == ["c1"]
