"""A store that stays open keeps files open too: what others put in their place is seen all the same."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from ipam.errors import Exhausted
from ipam.model import IPV6, Address, Cause, Lease, Range
from ipam.store import Transaction
from ipam.testing.fixtures import NETWORK, small_range, who
from tests.directory.guest import Guest
from tests.directory.node import Node, address, assert_sound
from tests.faults.calls import await_waiters, held_lock, release

SMALL = small_range(9)
OURS = ["index", "history", "taken/4-1400"]
GOS = ["lock", "last_reserved_ip.0"]


def _move_away(path: Path) -> None:
    path.rename(path.parent.parent / "moved-away")


def _restore_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


@pytest.fixture
def busy(node: Node) -> Node:
    """A node with two leases, whose store has been used several times."""
    for name in ("one", "passing", "two"):
        node.add(name, SMALL)
    node.delete("passing")
    sleep(0.15)  # until then the times of the directories are too fresh to tell one change from the next
    node.settle()
    return node


@pytest.mark.parametrize("meddle", [Path.unlink, _move_away, _restore_a_copy], ids=["removed", "moved", "restored"])
@pytest.mark.parametrize("name", OURS)
def test_a_record_that_is_not_the_old_one_any_more_costs_no_lease(
    busy: Node, name: str, meddle: Callable[[Path], object]
) -> None:
    meddle(busy.records / name)
    busy.directory.touch()  # whoever restores backups does so for the lease files too
    assert busy.add("three", SMALL) == ["10.0.0.5"]
    assert busy.held("one") == ["10.0.0.2"]
    assert busy.delete("two") == ["10.0.0.4"]
    assert busy.leases() == {"10.0.0.2": "one", "10.0.0.5": "three"}


@pytest.mark.parametrize("meddle", [Path.unlink, _move_away, _restore_a_copy], ids=["removed", "moved", "restored"])
@pytest.mark.parametrize("name", GOS)
def test_a_file_of_gos_that_is_not_the_old_one_any_more_is_used_anew(
    busy: Node, name: str, meddle: Callable[[Path], object]
) -> None:
    meddle(busy.directory / name)
    assert busy.add("three", SMALL) in (["10.0.0.5"], ["10.0.0.3"])  # without a cursor from the start
    assert (busy.directory / name).exists()
    assert_sound(busy, SMALL)


def test_a_cursor_that_was_moved_on_in_place_is_followed(busy: Node) -> None:
    (busy.directory / "last_reserved_ip.0").write_text("10.0.0.6")
    assert busy.add("three", SMALL) == ["10.0.0.7"]


def test_a_cursor_that_grew_meanwhile_is_replaced_as_a_whole(node: Node) -> None:
    guest = Guest(node.directory)
    base = 0xFD00 << 112
    full = Range(IPV6, base, 126, base + 1, base + 2, Address(IPV6, base + 1))  # room for one
    node.add("one", SMALL, full)
    with pytest.raises(Exhausted):
        node.add("two", SMALL, full)  # the cursor is read, and not written
    guest.add("10.0.0.123", "guest")
    assert node.add("three", small_range(200), requested=["10.0.0.5"]) == ["10.0.0.5"]
    assert (node.directory / "last_reserved_ip.0").read_text() == "10.0.0.5"


def test_leases_all_over_a_huge_range_keep_no_more_files_open_than_a_few(node: Node) -> None:
    def claim(tx: Transaction) -> None:
        for number in range(300):
            tx.claim(Lease(Address(IPV6, (0xFD << 120) + (number << 20)), who(f"c{number}"), 0), Cause.ADD)

    node.add("first", SMALL)
    before = len(list(Path("/proc/self/fd").iterdir()))
    node.transact(claim)
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 100
    assert len(node.leases()) == 301
    assert_sound(node, SMALL)


def test_addresses_that_another_process_took_are_not_given_out_again(busy: Node) -> None:
    other = Node(busy.root)
    assert other.add("three", SMALL) == ["10.0.0.5"]
    assert busy.add("four", SMALL) == ["10.0.0.6"]
    assert other.delete("three") == ["10.0.0.5"]
    assert busy.add("five", SMALL, requested=["10.0.0.5"]) == ["10.0.0.5"]
    assert other.add("six", SMALL) == ["10.0.0.7"]
    assert_sound(busy, SMALL)


def test_addresses_that_another_process_let_rest_are_passed_over(busy: Node) -> None:
    other = Node(busy.root)
    busy.add("three", SMALL)
    (lease,) = other.held_by(next(iter(busy.records_of_leases())).attachment)
    other.transact(lambda tx: tx.drop(lease, "release", rest=3600.0))
    given = [busy.add(f"more-{number}", SMALL) for number in range(5)]
    assert given == [[f"10.0.0.{number}"] for number in (6, 7, 8, 9, 3)]


def test_a_lease_that_appears_while_records_are_tidied_up_is_adopted_later(busy: Node) -> None:
    guest = busy.directory / "10.0.0.6"

    def change(tx: Transaction) -> None:
        tx.claim(Lease(address("10.0.0.5"), who("three"), 0), "add")
        tx.when_committed(lambda: guest.write_bytes(b"guest\r\neth0") and None)

    busy.transact(change)
    assert busy.add("four", SMALL) == ["10.0.0.7"]
    assert busy.leases()["10.0.0.6"] == "guest"
    assert_sound(busy, SMALL)


@pytest.mark.parametrize("gone", ["networks", "networks/testnet"])
def test_who_finds_nothing_in_a_directory_that_was_removed_does_not_make_it_anew(node: Node, gone: str) -> None:
    node.add("one", SMALL)
    removed = node.root.parent / gone
    shutil.rmtree(removed)
    assert node.delete("one") == node.collect() == node.held("one") == []
    with node.store() as store:
        assert store.forget(NETWORK, before=4e9) == 0
        assert store.repair(NETWORK)
    assert not removed.exists()
    assert node.add("two", SMALL) == ["10.0.0.2"]
    assert_sound(node, SMALL)


def test_who_waited_for_the_lock_of_a_directory_that_was_removed_meanwhile_does_not_make_it_anew(node: Node) -> None:
    node.add("one", SMALL)
    with held_lock(node.directory / "lock") as holder, ThreadPoolExecutor() as pool:
        waiting = pool.submit(node.delete, "one")
        await_waiters(node.directory / "lock", 1)
        shutil.rmtree(node.root)
        release(holder)
        assert waiting.result() == []
    assert not node.root.exists()
