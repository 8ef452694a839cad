"""Damage among our own records, through the installed plugin: they can be had anew from the lease files."""

import os
import shutil
from pathlib import Path

import pytest

from tests.directory.caller import Caller
from tests.directory.oddity import ODDITIES, Outside, remove

FIRST, NEXT = "10.70.0.2", "10.70.0.3"
# The others are much like one of these; among the lease files all of them are tried.
MOST_ODDITIES = sorted(set(ODDITIES) - {"a directory", "a link to a directory outside", "a link to itself"})
PARTS = ["history", "boot", "index", "taken", "taken/4-148c"]


@pytest.fixture(scope="module")
def template(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with two leases, and one that is gone."""
    caller = Caller(plugin, tmp_path_factory.mktemp("template") / "networks")
    for name in ("gone", "one", "two"):
        caller("ADD", name)
    caller("DEL", "gone")
    caller("DEL", "two")
    caller("ADD", "two", ip=FIRST)
    assert caller.leases() == {FIRST: b"two\r\neth0", NEXT: b"one\r\neth0"}
    return caller.root


@pytest.fixture
def caller(plugin: Path, template: Path, tmp_path: Path) -> Caller:
    """A copy of it, with all its times."""
    shutil.copytree(template, tmp_path / "networks", symlinks=True)
    return Caller(plugin, tmp_path / "networks")


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def test_these_are_all_the_records(caller: Caller) -> None:
    parts = {str(path.relative_to(caller.records)) for path in caller.records.rglob("*")}
    assert parts == set(PARTS)


def works_or_says_why(caller: Caller, path: Path) -> None:
    """Every call works, or fails with an error that names what is in the way and changes no lease."""
    before = caller.leases()
    answers = [caller("ADD", "three"), caller.check("one", NEXT), caller("DEL", "nobody"), caller("DEL", "three")]
    for answer in answers:
        assert answer.code in (0, 5), answer.value
        if answer.code:
            assert str(path) in answer.said
            assert answer.value["details"], "an error says what to do"
    if not answers[0].exit:
        assert answers[0].address not in before
    if answers[3].exit:
        caller("DEL", "three")
    assert caller.leases().items() >= before.items()


@pytest.mark.parametrize("oddity", MOST_ODDITIES)
@pytest.mark.parametrize("guest_comes_by", [False, True], ids=["", "after another program's change"])
@pytest.mark.parametrize("part", PARTS)
def test_what_stands_in_a_records_place_costs_no_lease(
    caller: Caller, outside: Outside, part: str, oddity: str, guest_comes_by: bool
) -> None:
    path = caller.records / part
    outside.put(oddity, path)
    if guest_comes_by:
        (caller.directory / "10.70.0.99").write_bytes(b"guest\r\neth0")
    works_or_says_why(caller, path)
    outside.assert_untouched()
    remove(path)
    assert caller.check("one", NEXT).exit == 0
    assert caller("ADD", "late").address not in (FIRST, NEXT, "10.70.0.99")
    assert caller("DEL", "one").exit == 0
    assert NEXT not in caller.leases()


@pytest.mark.parametrize("oddity", [name for name in ODDITIES if "directory" not in name or "link" in name])
@pytest.mark.parametrize("whole", [False, True], ids=["of the network", "of all networks"])
def test_what_stands_in_the_records_directorys_place_costs_no_lease(
    caller: Caller, outside: Outside, oddity: str, whole: bool
) -> None:
    path = caller.records.parent if whole else caller.records
    outside.put(oddity, path)
    works_or_says_why(caller, path)
    outside.assert_untouched()
    remove(path)
    assert caller("ADD", "late").address not in (FIRST, NEXT)
    assert caller.check("one", NEXT).exit == 0


@pytest.mark.parametrize("part", PARTS)
def test_records_that_are_lost_cost_no_lease(caller: Caller, part: str) -> None:
    remove(caller.records / part)
    assert caller("ADD", "three").address not in (FIRST, NEXT)
    assert caller.check("one", NEXT).exit == 0
    assert caller("DEL", "two").exit == 0
    assert set(caller.leases().values()) == {b"one\r\neth0", b"three\r\neth0"}


def test_everything_may_be_found_taken_and_nothing_is_given_twice(caller: Caller) -> None:
    """Bits set for nobody cost addresses until the next scan, and never a lease."""
    (bitmap,) = (caller.records / "taken").iterdir()
    bitmap.write_bytes(b"\xff" * 4096)
    assert caller("ADD", "three").code in (0, 100)
    assert caller("DEL", "one").exit == 0
    held = caller.leases()
    assert caller("ADD", "four").address not in held


def flip(path: Path, at: int) -> None:
    """Turn all bits of one byte."""
    with path.open("r+b") as file:
        byte = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes((byte[0] ^ 0xFF,)), at)


def test_no_wrong_byte_in_the_index_costs_a_lease_or_gives_one_twice(caller: Caller) -> None:
    index = caller.records / "index"
    whole = index.read_bytes()
    interesting = [at for at in range(len(whole)) if at < 64 or any(whole[at // 40 * 40 - 16 : at // 40 * 40 + 64])]
    for at in interesting[:: max(1, len(interesting) // 40)]:
        index.write_bytes(whole)
        flip(index, at)
        before = caller.leases()
        assert caller("DEL", "nobody").exit == 0, at
        added = caller("ADD", f"new-{at}")
        assert added.address not in before, at
        assert caller("DEL", f"new-{at}").exit == 0, at
        left = {place: content for place, content in caller.leases().items() if content[:3] != b"new"}
        assert left == before, at
        for path in caller.directory.glob("10.*"):
            if path.read_bytes()[:3] == b"new":
                path.unlink()


@pytest.mark.parametrize("length", [0, 1, 63, 64, 100, 10_000, 1 << 20])
def test_an_index_of_the_wrong_length_is_made_anew(caller: Caller, length: int) -> None:
    os.truncate(caller.records / "index", length)
    assert caller.check("one", NEXT).exit == 0
    assert caller("ADD", "three").address == "10.70.0.4"
    assert caller("DEL", "two").exit == 0
    assert caller.leases() == {NEXT: b"one\r\neth0", "10.70.0.4": b"three\r\neth0"}
