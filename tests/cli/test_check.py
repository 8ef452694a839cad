"""`ipam check`: it finds what is wrong, mends what needs no guessing, and changes nothing unless told to."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ipam.inspection.consistency import findings
from ipam.model import IPV4, Address, Attachment, Cause, Lease
from tests.cli.node import NAME, ONE_STORE, Node
from tests.cli.test_explain import tree


def codes(node: Node, *more: str) -> list[str]:
    """The codes of what is found; the exit status says whether there is anything."""
    said = node.run("check", *more, "-o", "csv")
    rows = [row["code"] for row in said.csv()]
    assert said.code == (3 if rows else 0)
    return rows


def test_nothing_is_wrong_with_a_store_that_was_used_as_it_is_meant(node: Node) -> None:
    node.configure("10.203.0.0/24", "fd00::/64")
    assert codes(node) == []
    for number in range(20):
        node.add(f"c{number}", "10.203.0.0/24", "fd00::/64")
    for number in range(0, 20, 3):
        node.delete(f"c{number}")
    assert codes(node) == []
    assert node.run("check").out == ""


def lease(last: int, name: str, ifname: str = "eth0") -> Lease:
    return Lease(Address(IPV4, 0x0ACB0000 + last), Attachment(name, ifname), 0, since=1.0)


@ONE_STORE
@pytest.mark.parametrize(
    ("leases", "code"),
    [
        ([lease(1, "c1")], "leased-gateway"),
        ([lease(255, "c1")], "outside-ranges"),
        ([lease(256, "c1")], "outside-ranges"),
        ([lease(2, "c1"), lease(3, "c1")], "two-leases"),
    ],
)
def test_leases_that_cannot_be_are_found(node: Node, leases: list[Lease], code: str) -> None:
    node.configure()
    for each in leases:
        node.change(lambda tx, each=each: tx.claim(each, Cause.ADD))  # type: ignore[misc]
    assert codes(node) == [code]
    assert codes(node, "--repair") == [code]  # whose it is, would be a guess
    assert sorted(node.leases(), key=lambda each: each.address) == leases


def test_two_leases_of_one_container_are_right_on_two_interfaces_and_in_two_range_sets(node: Node) -> None:
    node.configure("10.203.0.0/25", "10.203.0.128/25")
    for each in (lease(2, "c1"), lease(3, "c1", "eth1"), lease(130, "c1").replace(range_set=1)):
        node.change(lambda tx, each=each: tx.claim(each, Cause.ADD))  # type: ignore[misc]
    assert codes(node) == []


def test_without_a_config_what_needs_no_ranges_is_found() -> None:
    found = list(findings([lease(2, "c1"), lease(3, "c1"), lease(255, "c2")], None))
    assert [code for code, _, _ in found] == ["two-leases"]


Damage = Callable[[Path, Path], object]


def truncated(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: dict[str, tuple[Damage, list[str], list[str]]] = {
    "an empty lease file": (
        lambda leases, _: truncated(leases / "10.203.0.9"),
        ["empty-lease", "records-behind"],
        [],
    ),
    "a lease that others made": (
        lambda leases, _: (leases / "10.203.0.9").write_bytes(b"other\r\neth0"),
        ["records-behind"],
        [],
    ),
    "a lease that others removed": (lambda leases, _: (leases / "10.203.0.2").unlink(), ["records-behind"], []),
    "a lease file that is none": (
        lambda leases, _: (leases / "10.203.0.9").write_bytes(b"\xff\xfe not a lease"),
        ["records-behind", "unreadable-lease"],
        ["unreadable-lease"],
    ),
    "a directory in a lease's place": (
        lambda leases, _: (leases / "10.203.0.9").mkdir(),
        ["records-behind", "unreadable-lease"],
        ["unreadable-lease"],
    ),
    "a file that does not belong there": (
        lambda leases, _: (leases / "notes.txt").write_text("x"),
        ["records-behind", "stray-file"],
        ["stray-file"],
    ),
    "no index": (lambda _, records: (records / "index").unlink(), ["records-behind"], []),
    "a damaged index": (lambda _, records: truncated(records / "index"), ["records-behind"], []),
    "a lost bitmap": (lambda _, records: shutil.rmtree(records / "taken"), ["not-taken"] * 3, []),
    "a bitmap with too many": (
        lambda _, records: next((records / "taken").iterdir()).write_bytes(b"\xff" * 4),
        ["not-free"] * 29,
        [],
    ),
    "a damaged line of history": (
        lambda _, records: (records / "history").write_bytes(
            b"X" + (records / "history").read_bytes()[1:],
        ),
        ["damaged-history", "not-in-history"],
        ["damaged-history", "not-in-history"],
    ),
}


@ONE_STORE
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_directory_is_told_and_mended_where_that_needs_no_guess(
    node: Node, tmp_path: Path, name: str
) -> None:
    damage, expected, left = DAMAGES[name]
    node.configure()
    for number in range(3):
        node.add(f"c{number}")
    networks = tmp_path / "networks"
    damage(networks / NAME, networks / ".ipam" / NAME)
    (networks / ".ipam" / NAME / "taken").mkdir(exist_ok=True)
    before = tree(networks)
    assert sorted(codes(node)) == expected
    assert tree(networks) == before
    held = {each.address for each in node.leases()}
    assert sorted(codes(node, "--repair")) == left
    assert sorted(codes(node)) == left
    assert {each.address for each in node.leases()} == held
    node.add("one-more")


@ONE_STORE
def test_what_was_mended_is_told(node: Node, tmp_path: Path) -> None:
    node.configure()
    node.add("c1")
    truncated(tmp_path / "networks" / NAME / "10.203.0.9")
    said = node.run("check", "--repair")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith(f"mended on {NAME}: empty-lease: 10.203.0.9: the lease file is empty")


@ONE_STORE
def test_a_directory_that_only_go_has_used_is_checked_too(node: Node, tmp_path: Path) -> None:
    leases = tmp_path / "networks" / NAME
    leases.mkdir(parents=True, mode=0o755)
    (tmp_path / "networks").chmod(0o755)
    (leases / "10.203.0.5").write_bytes(b"c1\r\neth0")
    (leases / "last_reserved_ip.0").write_bytes(b"10.203.0.5")
    (leases / "lock").touch()
    assert codes(node) == []
    truncated(leases / "10.203.0.6")
    assert codes(node) == ["empty-lease"]
    assert not (tmp_path / "networks" / ".ipam").exists()
    assert codes(node, "--repair") == []
    assert not (leases / "10.203.0.6").exists()
