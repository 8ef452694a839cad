"""A damaged history file: what can be read is read, what is held stays held, and it is written on."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from backends.directory import journal
from ipam import chain
from ipam.model import CLAIM, DROP, Attachment, Event, Lease, Pod
from ipam.testing.fixtures import NETWORK, small_range
from tests.directory.guest import Guest
from tests.directory.node import Node, address, replayed, texts

SMALL = small_range(9)
GIBIBYTE = 1 << 30
READ = """
import sys
from backends.directory import DirectoryStore
from ipam.model import Host
store = DirectoryStore(sys.argv[1], Host("node-a", sys.argv[3], lambda: 1.0), lock_timeout=30, durable=False)
print(len(list(store.leases(sys.argv[2]))), len(list(store.history(sys.argv[2]))))
"""


@pytest.fixture
def history(node: Node) -> Path:
    """The history of two leases."""
    node.add("one", SMALL)
    node.add("two", SMALL)
    return node.records / "history"


def pods(node: Node) -> list[str]:
    """The pods of the leases, as far as they are known."""
    return [lease.pod.name for lease in node.records_of_leases()]


@pytest.mark.parametrize(
    "lease",
    [
        Lease(address("10.0.0.2"), Attachment("c1", "eth0"), 0, Pod("ns", "web", "u-1"), 12.5, "boot", "node"),
        Lease(address("fd00::2"), Attachment("c1", ""), None),
        Lease(address("10.0.0.2"), Attachment("c1", 'é\udc80\x7f"\\\u2028<'), 3, Pod("", "a\nb", "\0"), 0.25),
    ],
)
@pytest.mark.parametrize("what", [CLAIM, DROP])
def test_an_event_survives_being_written_and_read(lease: Lease, what: str) -> None:
    event = Event(12.75, "next boot", NETWORK, what, lease, "add")
    line = chain.body(event) + b"\n"
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert journal.decode(line) == event


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0\0\0",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"1e999",
        b"{}",
        b'{"time":1,"what":"claim"}',
        b'{"time":1,"what":"claim","address":"10.0.0.256"}',
        b'{"time":1,"what":"claim","address":7}',
        b'{"time":"1","what":"claim","address":"10.0.0.2"}',
        b'{"time":1,"what":"eaten","address":"10.0.0.2"}',
        b'{"time":1,"what":["claim"],"address":"10.0.0.2"}',
        b'{"time":1,"what":{},"address":"10.0.0.2"}',
        b"[" * 100_000,
        b"9" * 5_000,
    ],
)
def test_a_line_that_is_no_event_is_passed_over(line: bytes) -> None:
    assert journal.decode(line) is None


@pytest.mark.parametrize("tail", [b'{"time":17', b"garbage", b"\0" * 100, b"\xff"])
def test_a_torn_last_line_costs_no_event_but_its_own(node: Node, history: Path, tail: bytes) -> None:
    with history.open("ab") as file:
        file.write(tail)
    node.add("three", SMALL)
    assert [who for _, who, _ in node.causes()] == ["one", "two", "three"]
    assert pods(node) == ["one", "two", "three"]
    node.forget()
    assert pods(node) == ["one", "two", "three"]
    assert replayed(node.history()).keys() == {lease.address for lease in node.records_of_leases()}


@pytest.mark.parametrize("tail", [b'{"time":17', b"\0" * 100])
def test_a_torn_last_line_costs_nothing_when_others_change_the_directory(
    node: Node, guest: Guest, history: Path, tail: bytes
) -> None:
    with history.open("ab") as file:
        file.write(tail)
    guest.delete("one")
    guest.add("10.0.0.8", "guest")
    node.settle()
    assert [(what, who) for what, who, _ in node.causes()[2:]] == [("drop", "one"), ("claim", "guest")]
    assert node.leases() == {"10.0.0.3": "two", "10.0.0.8": "guest"}


def overwrite_first_line(history: Path, byte: bytes) -> None:
    """Put one byte over and over in place of the first line."""
    lines = history.read_bytes().splitlines(keepends=True)
    with history.open("r+b") as file:
        file.write(byte * (len(lines[0]) - 1))


@pytest.mark.parametrize("byte", [b"x", b"\0", b"\n", b"\xff"])
def test_a_lease_whose_claim_was_destroyed_stays_held(node: Node, guest: Guest, history: Path, byte: bytes) -> None:
    overwrite_first_line(history, byte)
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "two"}
    assert pods(node) == ["", "two"]
    assert node.held("one") == ["10.0.0.2"]
    guest.add("10.0.0.8", "guest")
    assert node.held("one") == ["10.0.0.2"]
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "two", "10.0.0.8": "guest"}
    node.forget()
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "two", "10.0.0.8": "guest"}
    assert node.delete("one") == ["10.0.0.2"]
    assert node.causes()[-1] == (DROP, "one", "del")


@pytest.mark.parametrize("guest_comes_by", [False, True])
@pytest.mark.parametrize("length", [0, 1, 100, 300, 400])
def test_a_history_that_was_cut_short_costs_no_lease(
    node: Node, guest: Guest, history: Path, length: int, guest_comes_by: bool
) -> None:
    os.truncate(history, length)
    if guest_comes_by:
        guest.add("10.0.0.8", "guest")
        node.settle()
    assert {"10.0.0.2": "one", "10.0.0.3": "two"}.items() <= node.leases().items()
    assert node.held("one") == ["10.0.0.2"]
    node.add("three", SMALL)
    guest.add("10.0.0.6", "late")
    node.settle()
    assert {"one", "two", "three", "late"} <= set(node.leases().values())
    assert replayed(node.history()).keys() == {lease.address for lease in node.records_of_leases()}


def test_another_networks_history_in_its_place_costs_no_lease(node: Node, guest: Guest, history: Path) -> None:
    line = history.read_bytes().splitlines(keepends=True)[0]
    history.write_bytes(line.replace(b"one", b"other") * 7)
    guest.add("10.0.0.9", "guest")
    node.settle()
    assert node.leases() == {"10.0.0.2": "one", "10.0.0.3": "two", "10.0.0.9": "guest"}
    assert node.delete("one") == ["10.0.0.2"]


def limited_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTE // 5, GIBIBYTE // 5))


@pytest.mark.parametrize("torn", [b"", b'{"time":12', b"junk " * (1 << 17)], ids=["", "torn", "junk"])
@pytest.mark.parametrize("then", ["nothing more", "another lease"])
def test_a_hole_of_a_gibibyte_in_history_costs_neither_memory_nor_time(
    node: Node, history: Path, torn: bytes, then: str
) -> None:
    with history.open("ab") as file:
        file.write(torn)
    os.truncate(history, GIBIBYTE)
    if then == "another lease":
        node.add("three", SMALL)
    command = [sys.executable, "-c", READ, str(node.root), NETWORK, node.boot]
    done = subprocess.run(command, preexec_fn=limited_memory, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    events = 3 if then == "another lease" else 2
    assert done.stdout.split() == [str(events).encode()] * 2


def test_a_full_disk_that_kept_an_event_out_of_history_is_made_up_for(
    node: Node, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "append", full)
        assert node.delete("one") == ["10.0.0.2"]
    node.settle()
    assert node.leases() == {"10.0.0.3": "two"}
    assert texts(event.lease for event in node.history() if event.what == DROP) == ["10.0.0.2"]


def test_vanished_leases_are_written_down_in_one_reading_of_history(
    node: Node, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in one for each: a guest may have removed thousands."""
    from backends.directory import reading

    for name in ("one", "two", "three", "four", "five"):
        node.add(name, SMALL)
    for name in ("one", "two", "three", "four", "five"):
        guest.delete(name)
    readings: list[int] = []
    read_lines = reading.read_lines

    def counted(records: int) -> object:
        readings.append(records)
        return read_lines(records)

    monkeypatch.setattr(reading, "read_lines", counted)
    node.settle()
    assert len(readings) <= 2
