"""Records or lease files that were lost, or came back from a backup: what is there counts, and nothing twice."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ipam.model import Cause
from ipam.testing.fixtures import huge_range, small_range
from tests.directory.guest import Guest
from tests.directory.node import Node, assert_sound

SMALL, HUGE = small_range(9), huge_range()


def test_wiped_records_cost_no_lease(node: Node) -> None:
    node.add("one", SMALL, HUGE)
    node.add("two", SMALL)
    shutil.rmtree(node.root / ".ipam")
    assert node.held("one") == ["10.0.0.2", "fd00::2"]
    assert node.add("three", SMALL) == ["10.0.0.4"]
    assert_sound(node, SMALL)


@pytest.mark.parametrize("guest_comes_by", [False, True])
def test_any_part_of_the_records_may_be_lost_and_no_lease_is(node: Node, guest: Guest, guest_comes_by: bool) -> None:
    node.add("one", SMALL, HUGE)
    node.add("two", SMALL)
    node.delete("one")
    parts = sorted(path.name for path in node.records.iterdir())
    assert len(parts) > 2
    backup = node.root.parent / "backup"
    shutil.copytree(node.root, backup, symlinks=True)
    for part in parts:
        shutil.rmtree(node.root)
        shutil.copytree(backup, node.root, symlinks=True)
        path = node.records / part
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if guest_comes_by:
            guest.add("10.0.0.9", "guest")
        expected = {"10.0.0.3": "two"} | ({"10.0.0.9": "guest"} if guest_comes_by else {})
        assert node.add("three", SMALL) == [f"10.0.0.{2 if guest_comes_by else 4}"], f"{part} was lost"
        assert {place for place in node.leases() if place not in expected} <= {"10.0.0.2", "10.0.0.4"}
        assert node.leases().items() >= expected.items(), f"{part} was lost"
        assert node.held("two") == ["10.0.0.3"], f"{part} was lost"
        assert node.delete("two") == ["10.0.0.3"], f"{part} was lost"


def test_a_wiped_network_directory_is_begun_anew(node: Node) -> None:
    node.add("one", SMALL, HUGE)
    shutil.rmtree(node.directory)
    assert node.leases() == {}
    assert node.held("one") == []
    assert node.add("two", SMALL) == ["10.0.0.2"]
    assert [cause for what, _, cause in node.causes() if what == "drop"] == [Cause.VANISHED] * 2
    assert_sound(node, SMALL)


def test_a_wiped_network_directory_does_not_take_history_with_it(node: Node) -> None:
    node.add("one")
    shutil.rmtree(node.directory)
    assert node.causes() == [("claim", "one", Cause.ADD)]


def restore(backup: Path, place: Path) -> None:
    """`rm -r`, then `cp -a`: modification times are those of the backup."""
    shutil.rmtree(place)
    shutil.copytree(backup, place, symlinks=True)


def test_a_restored_network_directory_counts_as_it_is(node: Node, tmp_path: Path) -> None:
    node.add("one", SMALL)
    shutil.copytree(node.directory, tmp_path / "backup")
    node.delete("one")
    node.add("two", SMALL)
    node.add("three", SMALL)
    restore(tmp_path / "backup", node.directory)
    assert node.leases() == {"10.0.0.2": "one"}
    assert node.held("two") == []
    assert node.add("four", SMALL) == ["10.0.0.3"]
    assert_sound(node, SMALL)


def test_a_lease_that_a_backup_brought_back_ends_a_second_time(node: Node, guest: Guest, tmp_path: Path) -> None:
    guest.add("10.0.0.2", "guest")
    shutil.copytree(node.directory, tmp_path / "backup")
    node.delete("guest")
    restore(tmp_path / "backup", node.directory)
    node.settle()
    guest.delete("guest")
    assert_sound(node, SMALL)
    found, vanished = ("claim", "guest", "found"), ("drop", "guest", "vanished")
    assert node.causes() == [found, ("drop", "guest", "del"), found, vanished]


def test_a_restored_data_directory_counts_as_it_is(node: Node, tmp_path: Path) -> None:
    node.add("one", SMALL)
    before = node.records_of_leases()
    shutil.copytree(node.root, tmp_path / "backup", symlinks=True)
    node.delete("one")
    node.add("two", SMALL)
    restore(tmp_path / "backup", node.root)
    assert node.records_of_leases() == before
    assert node.add("three", SMALL) == ["10.0.0.3"]
    assert_sound(node, SMALL)


@pytest.mark.parametrize("part", ["testnet", ""])
def test_a_backup_unpacked_over_what_is_there_counts_as_the_two_together(node: Node, tmp_path: Path, part: str) -> None:
    """As tar and `cp -a` do it: files that came later stay, and the directories get their old times back."""
    node.add("one", SMALL)
    shutil.copytree(node.root / part, tmp_path / "backup", symlinks=True)
    node.add("two", SMALL)
    subprocess.run(["cp", "-a", f"{tmp_path}/backup/.", node.root / part], check=True)
    assert node.held("two") == ["10.0.0.3"]
    assert node.add("three", SMALL) not in (["10.0.0.2"], ["10.0.0.3"])
    assert set(node.leases().values()) == {"one", "two", "three"}
    assert_sound(node, SMALL)
