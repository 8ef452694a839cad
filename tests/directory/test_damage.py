"""Damage among the lease files, through the installed plugin: at most the damaged address is lost."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.directory.caller import Caller
from tests.directory.oddity import EVERY_ODDITY, ODDITIES, Outside, remove

FIRST, NEXT, THEN = "10.70.0.2", "10.70.0.3", "10.70.0.4"


@pytest.fixture
def caller(plugin: Path, tmp_path: Path) -> Caller:
    """A data directory with one lease."""
    caller = Caller(plugin, tmp_path / "networks")
    assert caller("ADD", "one").address == FIRST
    return caller


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


@EVERY_ODDITY
def test_what_stands_in_a_leases_place_costs_that_address_alone(caller: Caller, outside: Outside, oddity: str) -> None:
    outside.put(oddity, caller.directory / NEXT)
    was_debris = oddity == "an empty file"
    assert caller("ADD", "two").address == (NEXT if was_debris else THEN)
    assert not caller.check("one", FIRST).exit
    refused = caller("ADD", "three", ip=NEXT)
    assert refused.code == 101
    assert NEXT in refused.said
    assert not caller("GC", more={"cni.dev/valid-attachments": [{"containerID": "one", "ifname": "eth0"}]}).exit
    assert FIRST in caller.leases()
    for name in ("one", "two", "one"):
        assert not caller("DEL", name).exit
    assert os.path.lexists(caller.directory / NEXT) == (not was_debris)
    assert (caller.directory / NEXT / "10.70.0.9").exists() == (oddity == "a full directory")
    outside.assert_untouched()
    remove(caller.directory / NEXT)
    assert caller("ADD", "three", ip=NEXT).address == NEXT


@EVERY_ODDITY
def test_what_stands_in_the_place_of_a_held_lease_costs_that_lease_alone(
    caller: Caller, outside: Outside, oddity: str
) -> None:
    assert caller("ADD", "two").address == NEXT
    outside.put(oddity, caller.directory / NEXT)
    assert caller("DEL", "two").exit == 0
    assert caller.check("two", NEXT).code == 102
    assert caller.check("one", FIRST).exit == 0
    assert caller("ADD", "two").address == THEN
    assert caller("DEL", "one").exit == 0
    assert set(caller.leases()) - {NEXT} == {THEN}
    outside.assert_untouched()


@EVERY_ODDITY
def test_what_stands_in_the_cursors_place_costs_no_call(caller: Caller, outside: Outside, oddity: str) -> None:
    outside.put(oddity, caller.directory / "last_reserved_ip.0")
    assert caller("ADD", "two").address == NEXT
    assert caller("ADD", "three").address == THEN
    assert caller.check("one", FIRST).exit == 0
    assert caller("DEL", "one").exit == 0
    assert caller.leases() == {NEXT: b"two\r\neth0", THEN: b"three\r\neth0"}
    outside.assert_untouched()


@pytest.mark.parametrize(
    "content", [b"", b"10.70.0", b"10.70.0.7\n", b"fd00::1", b"10.99.0.1", b"10.70.0.1", b"10.70.0.255", b"\xff\0"]
)
def test_a_cursor_that_says_nonsense_costs_no_call(caller: Caller, content: bytes) -> None:
    (caller.directory / "last_reserved_ip.0").write_bytes(content)
    given = [caller("ADD", name).address for name in ("two", "three")]
    assert len({FIRST, *given}) == 3
    assert (caller.directory / "last_reserved_ip.0").read_text() == given[-1]


IN_PLACE_OF_A_LOCK = [
    name
    for name in ODDITIES
    if name not in ("an empty file", "a binary file", "a file of a gibibyte")  # any file will do as a lock
]


@pytest.mark.parametrize("oddity", IN_PLACE_OF_A_LOCK)
def test_what_stands_in_the_locks_place_is_an_error_that_names_it(
    caller: Caller, outside: Outside, oddity: str
) -> None:
    lock = caller.directory / "lock"
    outside.put(oddity, lock)
    for answer in (caller("ADD", "two"), caller("DEL", "one"), caller.check("one", FIRST)):
        assert answer.code == 5
        assert str(lock) in answer.said
        assert "remove" in answer.said
    assert caller.leases() == {FIRST: b"one\r\neth0"}
    outside.assert_untouched()
    remove(lock)
    assert caller("ADD", "two").address == NEXT


@pytest.mark.parametrize("oddity", ["an empty file", "a binary file"])
def test_any_file_will_do_as_a_lock(caller: Caller, outside: Outside, oddity: str) -> None:
    outside.put(oddity, caller.directory / "lock")
    assert caller("ADD", "two").address == NEXT


@pytest.mark.parametrize("oddity", [name for name in ODDITIES if "directory" not in name or "link" in name])
@pytest.mark.parametrize("whole", [False, True], ids=["network", "data directory"])
def test_what_stands_in_a_directorys_place_is_an_error_that_names_it(
    caller: Caller, outside: Outside, oddity: str, whole: bool
) -> None:
    if whole and oddity == "a link to a directory outside":
        pytest.skip("the data directory itself may be a link: its path is the operator's choice")
    path = caller.root if whole else caller.directory
    outside.put(oddity, path)
    answers = [caller("ADD", "two")]
    if not whole or oddity != "a dangling link":  # behind which there is nothing to release
        answers += [caller("DEL", "one"), caller.check("one", FIRST)]
    for answer in answers:
        assert answer.code == 5
        assert str(path) in answer.said
        assert answer.value["details"], "an error says what to do"
    outside.assert_untouched()
    remove(path)
    assert caller("ADD", "two").exit == 0


def test_subdirectories_are_never_looked_into(caller: Caller) -> None:
    for name in ("kept", "10.70.0.9", ".hidden"):
        (caller.directory / name).mkdir()
        (caller.directory / name / NEXT).write_bytes(b"one\r\neth0")
    assert caller("ADD", "two").address == NEXT
    assert caller("DEL", "one").exit == 0
    for name in ("kept", "10.70.0.9", ".hidden"):
        assert (caller.directory / name / NEXT).read_bytes() == b"one\r\neth0"


@pytest.mark.parametrize(
    "name",
    ["010.0.0.1", "10.70.0.03", "10.70.0.3 ", "10.70.0.3\n", "10.70.3", "FD00::1", "::ffff:10.70.0.3", "fd00:0:0::3",
     "fd00::3%eth0", "10.70.0.3/24", "１０.70.0.3", "\udcff10.70.0.3"],
)  # fmt: skip
def test_a_name_that_merely_looks_like_an_address_is_none(caller: Caller, name: str) -> None:
    path = caller.directory / name.replace("/", "⁄")
    path.write_bytes(b"one\r\neth0")
    assert caller("ADD", "two").address == NEXT
    assert caller("DEL", "one").exit == 0
    assert caller("DEL", "two").exit == 0
    assert path.read_bytes() == b"one\r\neth0"


@pytest.mark.parametrize(
    "content",
    [b"\r\neth0", b"..\r\neth0", b"a/b\r\neth0", b"two\r\neth0\neth1", b"two\neth0", b"\xff\xfe\r\neth0",
     b"two\0\r\neth0", b" \r\n ", b"x" * 20_000],
)  # fmt: skip
def test_a_lease_file_of_nobody_keeps_its_address(caller: Caller, content: bytes) -> None:
    (caller.directory / NEXT).write_bytes(content)
    assert caller("ADD", "two").address == THEN
    assert caller("DEL", "two").exit == 0
    assert caller.leases() == {FIRST: b"one\r\neth0", NEXT: content}


@pytest.mark.parametrize("ifname", ["../../../outside/file", "a/b", "/", "..", "a\0b", ":", "é" * 200, "x" * 16_000])
def test_an_interface_name_that_nobody_could_have_costs_no_other_lease(
    caller: Caller, outside: Outside, ifname: str
) -> None:
    content = f"two\r\n{ifname}".encode()
    (caller.directory / NEXT).write_bytes(content)
    assert caller("ADD", "three").address == THEN
    assert caller("DEL", "one").exit == 0
    assert caller("DEL", "three").exit == 0
    assert caller.leases() == {NEXT: content}
    outside.assert_untouched()


@pytest.fixture
def immutable(caller: Caller) -> Iterator[list[Path]]:
    """Files that a test makes immutable: even root cannot remove them."""
    paths: list[Path] = []
    yield paths
    for path in paths:
        subprocess.run(["chattr", "-i", path], check=True)


def freeze(path: Path, immutable: list[Path]) -> None:
    """Make a file immutable."""
    if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode:
        pytest.skip("this file system, or this user, has no immutable files")
    immutable.append(path)


def test_a_lease_that_cannot_be_removed_is_an_error_that_names_it(caller: Caller, immutable: list[Path]) -> None:
    freeze(caller.directory / FIRST, immutable)
    refused = caller("DEL", "one")
    assert refused.code == 5
    assert str(caller.directory) in refused.said
    assert FIRST in refused.said
    assert caller.check("one", FIRST).exit == 0
    assert caller("ADD", "two").address == NEXT
    assert caller("DEL", "two").exit == 0


def test_debris_that_cannot_be_removed_costs_its_address_alone(caller: Caller, immutable: list[Path]) -> None:
    (caller.directory / NEXT).touch()
    freeze(caller.directory / NEXT, immutable)
    assert caller("ADD", "two").address == THEN
    assert caller("DEL", "one").exit == 0


def test_a_cursor_that_cannot_be_written_costs_no_call(caller: Caller, immutable: list[Path]) -> None:
    freeze(caller.directory / "last_reserved_ip.0", immutable)
    assert [caller("ADD", name).address for name in ("two", "three")] == [NEXT, THEN]


@pytest.mark.parametrize("part", ["", ".ipam", ".ipam/damaged", ".ipam/damaged/taken", "damaged"])
def test_a_directory_that_everybody_can_write_is_refused_by_its_path(caller: Caller, part: str) -> None:
    path = caller.root / part
    mode = path.stat().st_mode
    path.chmod(0o777)
    refused = caller("ADD", "two")
    assert refused.code == 5
    assert str(path) in refused.said
    assert "chmod o-w" in refused.said
    assert caller.leases() == {FIRST: b"one\r\neth0"}
    path.chmod(mode)
    assert caller("ADD", "two").address == NEXT


def test_a_directory_of_another_user_is_refused_by_its_path(caller: Caller) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    os.chown(caller.directory, 12345, 0)
    refused = caller("ADD", "two")
    assert refused.code == 5
    assert str(caller.directory) in refused.said
    assert "12345" in refused.said
