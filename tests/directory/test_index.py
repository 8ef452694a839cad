"""What others do in the directory is noticed by the next call, and nothing is ever given out twice."""

import os
from functools import partial
from typing import Any

import pytest

from backends.directory.index import checksum
from ipam import allocator
from ipam.errors import AddressInUse, AlreadyAllocated
from ipam.model import Cause, Lease
from ipam.store import Transaction
from ipam.testing.fixtures import huge_range, small_range, who
from tests.directory.guest import Guest
from tests.directory.node import Node, address, assert_sound, free

SMALL, HUGE = small_range(9), huge_range()


def test_a_guests_lease_is_adopted_by_the_next_call(node: Node, guest: Guest) -> None:
    node.add("one")
    guest.add("10.0.0.3", "guest")
    assert node.held("guest") == ["10.0.0.3"]
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "guest"}
    assert node.causes()[-1] == ("claim", "guest", Cause.FOUND)
    assert_sound(node, SMALL)


def test_a_guests_lease_is_listed_before_any_call_has_adopted_it(node: Node, guest: Guest) -> None:
    node.add("one")
    guest.add("10.0.0.3", "guest")
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "guest"}
    assert node.causes() == [("claim", "one", Cause.ADD)]


def test_leases_of_a_directory_that_only_a_guest_has_used_are_listed(node: Node, guest: Guest) -> None:
    guest.add("10.0.0.3", "guest")
    guest.crash("10.0.0.4")
    assert node.leases() == {"10.0.0.3": "guest"}
    assert node.history() == []
    assert not node.records.exists()


def test_a_guests_cursor_is_followed(node: Node, guest: Guest) -> None:
    node.add("one")
    guest.add("10.0.0.6", "guest")
    assert node.add("two") == ["10.0.0.7"]


def test_a_lease_that_a_guest_removed_is_written_down_as_vanished(node: Node, guest: Guest) -> None:
    node.add("one")
    node.add("two")
    guest.delete("one")
    assert node.held("one") == []
    assert node.leases() == {"10.0.0.3": "two"}
    assert node.causes()[-1] == ("drop", "one", Cause.VANISHED)
    assert_sound(node, SMALL)


def test_what_vanished_keeps_all_that_was_known_of_it_in_history(node: Node, guest: Guest) -> None:
    node.add("one")
    (lease,) = node.records_of_leases()
    guest.delete("one")
    node.settle()
    assert node.history()[-1].lease == lease


def test_changes_of_a_guest_are_written_down_once(node: Node, guest: Guest) -> None:
    node.add("one")
    guest.delete("one")
    guest.add("10.0.0.5", "guest")
    for _ in range(3):
        node.settle()
    assert [cause for _, _, cause in node.causes()] == [Cause.ADD, Cause.VANISHED, Cause.FOUND]


def test_an_address_that_a_guest_gave_to_another_belongs_to_the_other(node: Node, guest: Guest) -> None:
    node.add("one")
    guest.delete("one")
    guest.add("10.0.0.2", "guest")
    assert node.held("one") == []
    assert node.held("guest") == ["10.0.0.2"]
    assert [what for what, _, _ in node.causes()] == ["claim", "drop", "claim"]
    assert_sound(node, SMALL)


def test_a_lease_that_was_moved_by_hand_counts_where_it_is_now(node: Node, guest: Guest) -> None:
    node.add("one")
    guest.rename("10.0.0.2", "10.0.0.8")
    assert node.held("one") == ["10.0.0.8"]
    with pytest.raises(AlreadyAllocated):
        node.add("one", SMALL)
    assert_sound(node, SMALL)


def test_a_guests_lease_can_be_released(node: Node, guest: Guest) -> None:
    guest.add("10.0.0.3", "guest")
    assert node.delete("guest") == ["10.0.0.3"]
    assert node.leases() == {}
    assert_sound(node, SMALL)


def test_an_address_that_goes_in_one_commit_to_another_of_the_same_checksum_is_the_others(node: Node) -> None:
    before, behind = who("c699378"), who("c18020006")
    assert checksum(before) == checksum(behind)
    node.add("c699378", SMALL)

    def change(tx: Transaction) -> None:
        allocator.release(tx, before, Cause.DEL)
        tx.claim(Lease(address("10.0.0.2"), behind, 0), Cause.ADD)

    node.transact(change)
    assert (node.held("c699378"), node.held("c18020006")) == ([], ["10.0.0.2"])
    assert_sound(node, SMALL)


def test_an_old_lease_of_the_container_alone_is_adopted_and_released(node: Node, guest: Guest) -> None:
    guest.add_of_old("10.0.0.3", "old")
    assert node.held("old") == ["10.0.0.3"]
    assert node.held("old", "eth1") == ["10.0.0.3"]
    assert node.delete("old", "eth7") == ["10.0.0.3"]
    assert_sound(node, SMALL)


def test_one_attachment_may_hold_every_address_of_a_range(node: Node, guest: Guest) -> None:
    """As a script does that writes lease files to keep addresses from being handed out."""
    node.add("one")
    for value in range(1, 255):
        (node.directory / f"10.0.9.{value}").write_text("reserved\r\neth0")
    guest.add("10.0.0.3", "guest")
    assert len(node.held("reserved")) == 254
    assert len(node.delete("reserved")) == 254
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "guest"}
    assert_sound(node, SMALL)


def test_nothing_a_guest_holds_is_given_out(node: Node, guest: Guest) -> None:
    for turn in range(3, 9, 2):
        guest.add(f"10.0.0.{turn}", f"guest-{turn}")
        node.add(f"own-{turn}", SMALL)
    with pytest.raises(AddressInUse):
        node.add("late", SMALL, requested=["10.0.0.3"])
    assert len(node.leases()) == 6
    assert_sound(node, SMALL)


def test_what_a_guest_freed_is_given_out_again(node: Node, guest: Guest) -> None:
    rng = small_range(3)
    node.add("one", rng)
    node.add("two", rng)
    guest.delete("one")
    assert node.add("three", rng) == ["10.0.0.2"]
    assert_sound(node, rng)


def test_a_clock_that_jumps_back_hides_no_change(node: Node, guest: Guest) -> None:
    for turn, now in enumerate([2e9, 1e9, 1e9, 1.0, 0.0, 3e9], start=1):
        node.clock = partial(float, now)
        node.add(f"own-{turn}", HUGE)
        guest.add(f"10.0.0.{turn + 1}", f"guest-{turn}")
        assert node.held(f"guest-{turn}") == [f"10.0.0.{turn + 1}"]
        guest.delete(f"own-{turn}")
        assert node.held(f"own-{turn}") == []
    assert_sound(node, SMALL)


def test_a_clock_that_stands_still_hides_no_change(node: Node, guest: Guest) -> None:
    node.clock = lambda: 1_700_000_000.0
    node.add("one", SMALL)
    guest.add("10.0.0.7", "guest-1")
    node.add("two", SMALL, requested=["10.0.0.5"])
    guest.add("10.0.0.8", "guest-2")
    guest.delete("guest-1")
    assert set(node.leases().values()) == {"one", "two", "guest-2"}
    assert_sound(node, SMALL)


def test_a_change_right_behind_ours_is_noticed_a_hundred_times_over(node: Node, guest: Guest) -> None:
    """Two changes within one tick of the file system's clock bear one and the same time."""
    node.clock = lambda: node.directory.stat().st_mtime + 2 if node.directory.exists() else 2.0
    for turn in range(100):
        node.add("own", HUGE)
        guest.add("10.0.0.2", f"guest-{turn}")
        assert node.held(f"guest-{turn}") == ["10.0.0.2"]
        guest.delete(f"guest-{turn}")
        assert free(node, SMALL) == set(range(SMALL.start, SMALL.end + 1))
        node.delete("own")


def test_a_call_that_changes_nothing_leaves_no_trace(node: Node) -> None:
    node.add("one")
    node.delete("nobody")
    before = {path: path.lstat().st_mtime_ns for path in node.root.rglob("*")}
    node.delete("nobody")
    node.settle()
    assert {path: path.lstat().st_mtime_ns for path in node.root.rglob("*")} == before


def test_leases_that_come_and_go_leave_the_index_as_small_as_it_was(node: Node) -> None:
    node.add("stays")
    before = (node.records / "index").stat()
    for number in range(300):  # more than the table has slots
        node.add(f"comes-{number}")
        node.delete(f"comes-{number}")
    after = (node.records / "index").stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert node.held("stays") == ["10.0.0.2"]
    assert_sound(node, SMALL)


def test_a_lease_file_that_appears_without_the_lock_in_our_midst_is_not_overwritten(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Go goes on without the lock where flock fails: the file may come between our look and our link."""
    from backends.directory import leasefile

    create = leasefile.create

    def late(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(leasefile, "create", create)
        (node.directory / "10.0.0.2").write_text("guest\r\neth0")
        create(*arguments, **options)

    monkeypatch.setattr(leasefile, "create", late)
    assert node.add("one", SMALL) == ["10.0.0.3"]
    assert node.leases() == {"10.0.0.2": "guest", "10.0.0.3": "one"}
    assert_sound(node, SMALL)


def test_a_lease_file_that_slipped_in_unnoticed_costs_no_other_address(node: Node) -> None:
    """Made and stamped over within one of our changes, or under a directory time that was set back."""
    node.add("one", SMALL)
    times = node.directory.stat()
    (node.directory / "10.0.0.3").write_text("guest\r\neth0")
    os.utime(node.directory, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert node.add("two", SMALL) == ["10.0.0.4"]
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "guest", "10.0.0.4": "two"}
    assert_sound(node, SMALL)


def test_a_lease_file_that_was_rewritten_in_place_is_anothers(node: Node) -> None:
    """No directory changes by that, so nothing but the file itself can tell."""
    node.add("one", SMALL)
    (node.directory / "10.0.0.2").write_text("guest\r\neth0")
    assert node.held("one") == []
    assert node.delete("one") == []
    holder = node.transact(lambda tx: tx.holder(address("10.0.0.2")))
    assert holder is not None
    assert holder.attachment == who("guest")
    assert node.add("one", SMALL) == ["10.0.0.3"]
