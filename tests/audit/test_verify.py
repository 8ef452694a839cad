"""ipam verify: on a node's histories and on snapshots, and against what was seen earlier."""

import shutil
from pathlib import Path

import pytest

from tests.audit.node import Node, run
from tests.audit.test_signing import make_key

Capture = pytest.CaptureFixture[bytes]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with ten containers."""
    node = Node(tmp_path)
    node.fill(10)
    return node


def history(node: Node) -> Path:
    """Its history file."""
    return node.data / ".ipam" / node.network / "history"


def snapshot(node: Node, path: Path, capfdbinary: Capture, *options: object) -> Path:
    """A snapshot with history."""
    assert run(capfdbinary, "export", *node.options, "--with-history", "-o", path, *options)[0] == 0
    return path


def test_a_node_that_nobody_touched_is_as_written(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    assert run(capfdbinary, "verify", *node.options) == (0, "net: 10 events: as written\n", "")
    path = snapshot(node, tmp_path / "s.gz", capfdbinary)
    assert run(capfdbinary, "verify", path) == (0, f"{path}: 20 leases and events of {_node(path)}: as written\n", "")


def _node(path: Path) -> str:
    from ipam.audit.source import SnapshotFile, header_of

    return header_of(SnapshotFile(path)).node


def test_the_first_bad_event_is_named(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    path = history(node)
    path.write_bytes(path.read_bytes().replace(b'"pod":"web-4"', b'"pod":"web-5"'))
    status, out, _ = run(capfdbinary, "verify", *node.options)
    assert status == 3
    assert "event 5 (byte " in out
    assert "claim of 10.30.0.6 by c4" in out
    bad = snapshot(node, tmp_path / "s.gz", capfdbinary)
    status, out, _ = run(capfdbinary, "verify", bad)
    assert (status, "history of net, event 5" in out) == (3, True)
    assert "A15" in run(capfdbinary, "audit", bad)[1]
    assert "A15" in run(capfdbinary, "audit", *node.options)[1]


def test_a_history_that_was_made_anew_as_a_whole_is_found_by_an_earlier_snapshot(
    node: Node, tmp_path: Path, capfdbinary: Capture
) -> None:
    private, public = make_key(tmp_path, "key")
    earlier = snapshot(node, tmp_path / "s.gz", capfdbinary, "--sign-key", private)
    against = ("--against", earlier, "--key", public)
    node.fill(3, "more")
    assert run(capfdbinary, "verify", *node.options, *against)[0] == 0
    shutil.rmtree(node.data / ".ipam")
    node.fill(1, "after")
    assert run(capfdbinary, "verify", *node.options)[0] == 0
    status, out, _ = run(capfdbinary, "verify", *node.options, *against)
    assert (status, "event 10, the last that a snapshot tells of, is not in it" in out) == (3, True)


def test_a_damaged_or_unsigned_snapshot_is_not_as_written(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    _, public = make_key(tmp_path, "key")
    path = snapshot(node, tmp_path / "s.jsonl", capfdbinary)
    status, out, _ = run(capfdbinary, "verify", path, "--key", public)
    assert (status, "it is not signed" in out) == (3, True)
    path.write_bytes(path.read_bytes().replace(b"web-3", b"web-4"))
    status, out, _ = run(capfdbinary, "verify", path)
    assert (status, "the digest is another" in out) == (3, True)


def test_a_snapshot_without_history_cannot_be_held_against_anything(
    node: Node, tmp_path: Path, capfdbinary: Capture
) -> None:
    path = tmp_path / "s.gz"
    run(capfdbinary, "export", *node.options, "-o", path)
    status, _, err = run(capfdbinary, "verify", *node.options, "--against", path)
    assert (status, "take it with ipam export --with-history" in err) == (1, True)
