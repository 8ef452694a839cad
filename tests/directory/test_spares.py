"""Files of ended leases are used again by a store that stays open, and never one that is still a lease."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipam.testing.fixtures import small_range
from tests.directory.node import Node, assert_sound

SMALL = small_range(9)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node whose store stays open, and has one lease and the file of another."""
    node = Node(tmp_path / "networks", stays_open=True)
    node.add("one", SMALL)
    node.add("two", SMALL)
    node.delete("two")
    yield node
    node.close()


def spares(node: Node) -> list[Path]:
    return sorted((node.records / "spares").iterdir())


def test_the_file_of_an_ended_lease_becomes_the_next_lease(node: Node) -> None:
    (spare,) = spares(node)
    inode = spare.stat().st_ino
    assert node.add("a-much-longer-name", SMALL, requested=["10.0.0.7"]) == ["10.0.0.7"]
    lease = node.directory / "10.0.0.7"
    assert (lease.stat().st_ino, lease.read_bytes()) == (inode, b"a-much-longer-name\r\neth0")
    assert lease.stat().st_nlink == 1
    assert spares(node) == []
    assert_sound(node, SMALL)


def test_a_shorter_lease_has_nothing_left_of_the_longer_one_before_it(node: Node) -> None:
    node.add("a-much-longer-name", SMALL)
    node.delete("a-much-longer-name")
    (given,) = node.add("x", SMALL)
    assert (node.directory / given).read_bytes() == b"x\r\neth0"


def test_a_single_call_makes_no_spares(tmp_path: Path) -> None:
    node = Node(tmp_path / "networks")
    node.add("one", SMALL)
    node.delete("one")
    assert not (node.records / "spares").exists()


def _link_to_the_lease(node: Node, spare: Path) -> None:
    """As after a kill between link(2) and unlink(2)."""
    spare.unlink()
    os.link(node.directory / "10.0.0.2", spare)


def _put_a_link_there(node: Node, spare: Path) -> None:
    spare.unlink()
    spare.symlink_to(node.directory / "10.0.0.2")


def _put_a_directory_there(_node: Node, spare: Path) -> None:
    spare.unlink()
    spare.mkdir()


def _open_it_to_everybody(_node: Node, spare: Path) -> None:
    spare.chmod(0o666)


def _take_it_away(_node: Node, spare: Path) -> None:
    spare.unlink()


def _take_all_away(_node: Node, spare: Path) -> None:
    shutil.rmtree(spare.parent)


@pytest.mark.parametrize(
    "meddle",
    [
        _link_to_the_lease,
        _put_a_link_there,
        _put_a_directory_there,
        _open_it_to_everybody,
        _take_it_away,
        _take_all_away,
    ],
)
def test_a_spare_that_is_no_spare_is_left_alone(node: Node, meddle: Callable[[Node, Path], None]) -> None:
    meddle(node, *spares(node))
    (given,) = node.add("three", SMALL)
    assert (node.directory / given).read_bytes() == b"three\r\neth0"
    assert (node.directory / given).stat().st_mode & 0o777 == 0o600
    assert node.files() == {"10.0.0.2": "one", given: "three"}
    node.delete("three")
    node.add("four", SMALL)
    assert_sound(node, SMALL)


def test_where_no_spares_can_be_kept_leases_come_and_go_all_the_same(tmp_path: Path) -> None:
    node = Node(tmp_path / "networks", stays_open=True)
    node.add("one", SMALL)
    (node.records / "spares").write_text("in the way")
    node.delete("one")
    assert node.add("two", SMALL) == ["10.0.0.3"]
    assert_sound(node, SMALL)
    node.close()


def test_leases_end_where_the_networks_directory_is_a_file_system_of_its_own(tmp_path: Path, as_root: None) -> None:
    node = Node(tmp_path / "networks", stays_open=True)
    node.directory.mkdir(mode=0o700, parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", node.directory], check=True)
    try:
        for name in ("one", "two"):
            node.add(name, SMALL)
        node.delete("one")
        assert node.files() == {"10.0.0.3": "two"}
        assert_sound(node, SMALL)
    finally:
        node.close()
        subprocess.run(["umount", "--lazy", node.directory], check=True)


def test_there_are_only_so_many_spares(node: Node) -> None:
    names = ("three", "four", "five", "six")
    for name in names:
        node.add(name, SMALL)
    node.close()
    for number in range(1022):
        (node.records / "spares" / f"earlier.{number}").touch(0o600)
    for name in names:
        node.delete(name)
    assert len(spares(node)) == 1024
    assert node.files() == {"10.0.0.2": "one"}


def test_a_later_process_finds_the_spares_of_an_earlier_one(node: Node) -> None:
    (spare,) = spares(node)
    inode = spare.stat().st_ino
    node.close()
    node.settle()
    node.settle()
    (given,) = node.add("three", SMALL)
    assert (node.directory / given).stat().st_ino == inode
