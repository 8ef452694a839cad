"""After a reboot: what the last boot left is reclaimed by the first call that changes anything, and only that."""

from collections.abc import Callable

import pytest

from ipam.errors import AlreadyAllocated
from ipam.model import Cause
from ipam.testing.fixtures import BOOT, NEXT_BOOT, huge_range, small_range
from tests.directory.guest import Guest
from tests.directory.node import NODE, Node, assert_sound

SMALL, HUGE = small_range(9), huge_range()


@pytest.fixture
def rebooted(node: Node) -> Node:
    """Two containers had addresses when the machine went down."""
    node.add("one", SMALL, HUGE)
    node.add("two", SMALL, HUGE)
    node.boot = NEXT_BOOT
    return node


CALLS: dict[str, Callable[[Node], object]] = {
    "ADD": lambda node: node.add("new", SMALL, HUGE),
    "DEL": lambda node: node.delete("nobody"),
    "GC": lambda node: node.collect("one", "two", "new"),
}


@pytest.mark.parametrize("first", CALLS)
def test_the_first_call_of_a_boot_reclaims_what_the_last_one_left(rebooted: Node, first: str) -> None:
    CALLS[first](rebooted)
    assert set(rebooted.leases().values()) == ({"new"} if first == "ADD" else set())
    drops = [event for event in rebooted.history() if event.what == "drop"]
    assert [event.cause for event in drops] == [Cause.REBOOT] * 4
    assert {(event.boot, event.lease.boot, event.lease.pod.namespace) for event in drops} == {(NEXT_BOOT, BOOT, "ns")}
    assert_sound(rebooted, SMALL)


def test_listing_the_leases_reclaims_nothing(rebooted: Node) -> None:
    before = rebooted.leases()
    assert len(before) == 4
    assert rebooted.leases() == before
    assert [cause for _, _, cause in rebooted.causes()] == [Cause.ADD] * 4


def test_round_robin_goes_on_over_a_reboot(rebooted: Node) -> None:
    assert rebooted.add("new", SMALL, HUGE) == ["10.0.0.4", "fd00::4"]


def test_a_full_range_is_empty_after_a_reboot(node: Node) -> None:
    rng = small_range(3)
    node.add("one", rng)
    node.add("two", rng)
    node.boot = NEXT_BOOT
    assert node.add("three", rng) == ["10.0.0.2"]
    assert node.add("four", rng) == ["10.0.0.3"]
    assert_sound(node, rng)


def test_a_container_that_kept_its_id_is_added_anew(rebooted: Node) -> None:
    """podman starts its containers again under their old ids, and sends no DEL for the time before."""
    assert rebooted.add("one", SMALL, HUGE) == ["10.0.0.4", "fd00::4"]
    assert rebooted.leases() == {"10.0.0.4": "one", "fd00::4": "one"}
    assert_sound(rebooted, SMALL)


def test_a_container_that_kept_its_id_may_ask_for_its_old_address(rebooted: Node) -> None:
    assert rebooted.add("one", SMALL, requested=["10.0.0.2"]) == ["10.0.0.2"]
    assert rebooted.leases() == {"10.0.0.2": "one"}
    assert_sound(rebooted, SMALL)


def test_later_calls_of_a_boot_reclaim_nothing(rebooted: Node) -> None:
    rebooted.add("new", SMALL)
    rebooted.delete("nobody")
    rebooted.collect("new")
    assert rebooted.leases() == {"10.0.0.4": "new"}
    with pytest.raises(AlreadyAllocated):
        rebooted.add("new", SMALL)


def test_a_refused_first_add_of_a_boot_leaves_the_reclaiming_to_the_next_call(rebooted: Node) -> None:
    with pytest.raises(Exception, match="gateway"):
        rebooted.add("new", SMALL, requested=["10.0.0.1"])
    assert len(rebooted.leases()) == 4
    rebooted.delete("nobody")
    assert rebooted.leases() == {}


def test_a_guests_leases_without_a_record_are_adopted_and_not_reclaimed(rebooted: Node) -> None:
    Guest(rebooted.directory).add("10.0.0.8", "guest")
    rebooted.delete("nobody")
    assert rebooted.leases() == {"10.0.0.8": "guest"}
    rebooted.delete("nobody")
    assert rebooted.held("guest") == ["10.0.0.8"]


def test_adopted_leases_are_of_the_boot_in_which_they_were_found(rebooted: Node) -> None:
    Guest(rebooted.directory).add("10.0.0.8", "guest")
    rebooted.delete("nobody")
    (lease,) = rebooted.records_of_leases()
    assert (lease.boot, lease.node) == (NEXT_BOOT, NODE)
    rebooted.boot = "a third boot"
    rebooted.delete("nobody")
    assert rebooted.leases() == {}


def test_a_directory_that_only_a_guest_has_used_keeps_its_leases(node: Node, guest: Guest) -> None:
    guest.add("10.0.0.8", "guest")
    node.delete("nobody")
    assert node.leases() == {"10.0.0.8": "guest"}


def test_wiped_records_make_leases_of_an_earlier_boot_count_as_found(rebooted: Node) -> None:
    from shutil import rmtree

    rmtree(rebooted.root / ".ipam")
    rebooted.delete("nobody")
    assert len(rebooted.leases()) == 4
    assert {lease.boot for lease in rebooted.records_of_leases()} == {NEXT_BOOT}


def cut_to_nothing(node: Node, names: list[str]) -> None:
    """What a power cut does to files that were not synced: their names are there, their content is not."""
    for name in names:
        paths = list(node.records.glob(name)) + list(node.directory.glob(name))
        assert paths, name
        for path in paths:
            with path.open("r+b") as file:
                file.truncate(0)


@pytest.mark.parametrize(
    "lost", [["history"], ["10.0.0.*"], ["taken/*"], ["10.0.0.*", "fd00*", "history", "taken/*", "last_reserved_ip.*"]]
)
def test_a_power_cut_that_takes_unsynced_content_leaks_no_address(rebooted: Node, lost: list[str]) -> None:
    cut_to_nothing(rebooted, lost)
    rebooted.delete("nobody")
    assert rebooted.leases() == {}, "a lease of the last boot is still there"
    assert rebooted.files() == {}
    assert len({rebooted.add(f"new-{turn}", SMALL)[0] for turn in range(8)}) == 8, "an address has leaked"


def test_a_power_cut_that_brings_back_old_bitmaps_leaks_no_address(node: Node) -> None:
    """The lease files' removal had reached the disk, the bitmaps had not."""
    node.add("one", SMALL)
    node.add("two", SMALL)
    bitmaps = {path: path.read_bytes() for path in (node.records / "taken").iterdir()}
    node.delete("one")
    node.delete("two")
    for path, content in bitmaps.items():
        path.write_bytes(content)
    node.boot = NEXT_BOOT
    assert len({node.add(f"new-{turn}", SMALL)[0] for turn in range(8)}) == 8, "an address has leaked"
    assert_sound(node, SMALL)


def test_a_machine_that_was_renamed_reclaims_its_leases_too(rebooted: Node) -> None:
    rebooted.name = "another-name"
    rebooted.delete("nobody")
    assert rebooted.leases() == {}
    rebooted.add("new", SMALL)
    rebooted.name = "a-third-name"
    assert rebooted.delete("new") == ["10.0.0.4"]
