"""A disk without room: what was done stays done, and what runtimes give up goes, with or without history."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.directory import store
from ipam import allocator
from ipam.errors import InputOutput
from ipam.model import NO_POD, Cause, Lease, StoreConfig
from ipam.registry import open_store
from ipam.request import Work
from ipam.store import Transaction
from ipam.testing.fixtures import NETWORK, network, small_range, who
from ipam.together import perform_together
from tests.directory.guest import Guest
from tests.directory.node import Node, assert_sound
from tests.directory.test_proof import Written

KIB = 1 << 10
LONG = "x" * 3000
"""Makes an event so long that history does not find room for it in its last block."""


@pytest.fixture
def disk(tmp_path: Path, as_root: None) -> Iterator[Path]:
    """A small file system of its own."""
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,mode=0755", "tmpfs", directory], check=True)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


def fill(disk: Path, *, leave: int = 0) -> None:
    """Use up all room but so many bytes."""
    path = disk / "fill"
    with path.open("ab", buffering=0) as file:
        with pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4 * KIB))
        file.truncate(path.stat().st_size - leave)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("stays_open", [False, True])
def test_every_container_can_go_while_the_disk_stays_full(disk: Path, stays_open: bool, durable: bool) -> None:
    node = Node(disk / "networks", stays_open=stays_open)
    node.durable = durable
    names = [f"c{number}{LONG}" for number in range(6)]
    for name in names:
        node.add(name)
    for name in names[:4]:
        fill(disk)
        node.delete(name)
        assert name not in node.files().values()
    fill(disk)
    with pytest.raises(InputOutput, match="No space left"):
        node.add(f"new{LONG}")
    assert node.collect(names[5]) == ["10.0.0.6"]
    (disk / "fill").unlink()
    assert_sound(node, small_range())
    assert list(node.leases().values()) == names[5:]
    assert [what for what, name, _ in node.causes() if name == names[0]] == ["claim", "drop"]
    node.close()


def test_a_change_is_done_though_there_is_no_room_to_shorten_history(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SEGMENT", 4 * KIB)
    written = Written(disk / "networks")
    written.use(open_store(StoreConfig(f"file://{written.root}", keep=(0, 32 * KIB)), written.host))
    for number in range(60):
        written.add(f"r{number}")
        written.delete(f"r{number}")
    fill(disk, leave=20 * KIB)
    for number in range(200):
        name = f"s{number}"
        try:
            written.add(name)
        except InputOutput:  # now there is no room for a lease either
            assert name not in [lease.attachment.container_id for lease in written.store.leases(NETWORK)]
            break
        written.delete(name)
    assert not list(written.history.parent.glob("*.new"))
    written.close()


def test_of_changes_that_share_a_commit_each_does_what_it_can(disk: Path) -> None:
    node = Node(disk / "networks", stays_open=True)
    node.add(f"goes{LONG}")
    net = network(small_range())
    with node.store() as opened:

        def work(name: str, *, add: bool) -> Work:
            def change(tx: Transaction) -> list[Lease]:
                if add:
                    return allocator.allocate(tx, net, who(name), NO_POD, node.host())
                return allocator.release(tx, who(name), Cause.DEL)

            return Work(opened, NETWORK, change)

        fill(disk)
        works = [work(f"a{LONG}", add=True), work(f"goes{LONG}", add=False), work(f"b{LONG}", add=True)]
        answers = [reply.stdout for reply in perform_together(works)]
    assert [json.loads(said).get("msg", "").count("No space left") if said else 0 for said in answers] == [1, 0, 1]
    assert node.files() == {}
    node.close()


@pytest.mark.parametrize("stays_open", [False, True])
def test_what_nobody_was_told_of_is_given_back_where_the_disk_is_full_and_others_have_changed_leases(
    disk: Path, stays_open: bool
) -> None:
    node = Node(disk / "networks", stays_open=stays_open)
    for name in ("one", "lost"):
        node.add(name)
    taken = node.held_by(who("lost"))
    fill(disk)
    Guest(node.directory).delete("one")  # so that the records are to be made anew, which needs room
    earlier = [lease.replace(since=lease.since - 1) for lease in taken]
    node.transact(lambda tx: allocator.take_back(tx, earlier, Cause.UNDELIVERED))
    assert node.files() == {"10.0.0.3": "lost"}
    node.transact(lambda tx: allocator.take_back(tx, taken, Cause.UNDELIVERED))
    assert node.files() == {}
    (disk / "fill").unlink()
    assert_sound(node, small_range())
    node.close()
