"""ipam verify, audit, forget and export on every store: what somebody changed by hand is named, with its place."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ipam.inspection.times import format_moment
from tests.cli.node import NAME, ONE_STORE, Node
from tests.sql.moving import migrate

OTHER = "others"


def change(url: str, old: str, new: str) -> None:
    """What an intruder does: another name for a pod, wherever the store keeps it in history."""
    scheme, _, path = url.partition("://")
    if scheme == "file":
        history = Path(path) / ".ipam" / NAME / "history"
        history.write_bytes(history.read_bytes().replace(f'"pod":"{old}"'.encode(), f'"pod":"{new}"'.encode()))
        return
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET pod = :new WHERE pod = :old"), {"old": old, "new": new})
    engine.dispose()


def remove_history(url: str) -> None:
    """The same intruder, more thoroughly: nothing is left of the network's history."""
    scheme, _, path = url.partition("://")
    if scheme == "file":
        shutil.rmtree(Path(path) / ".ipam" / NAME)
        return
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in ("events", "chains"):
            which = "SELECT id FROM networks WHERE name = :name"
            connection.execute(text(f"DELETE FROM {table} WHERE network = ({which})"), {"name": NAME})
    engine.dispose()


@pytest.fixture
def filled(node: Node) -> Node:
    """A node with two networks: in one six containers came, and two went; in the other there is one."""
    node.configure()
    node.configure(name=OTHER)
    node.now = 1_700_000_000.0
    for number in range(6):
        node.now += 10
        node.add(f"c{number}")
    node.add("c9", name=OTHER)
    for number in (0, 3):
        node.delete(f"c{number}")
    return node


def test_what_nobody_touched_is_as_written(filled: Node) -> None:
    assert filled.run("verify") == (0, f"{NAME}: 8 events: as written\n{OTHER}: 1 event: as written\n", "")
    assert filled.run("verify", "--network", OTHER) == (0, f"{OTHER}: 1 event: as written\n", "")


def test_the_first_bad_event_is_named_with_its_network_place_node_and_time(filled: Node) -> None:
    change(filled.url, "c2", "c7")
    status, out, err = filled.run("verify")
    assert (status, err) == (3, "")
    first, place, last = out.splitlines()
    assert (first, last) == (f"{NAME}: 8 events: 1 problem", f"{OTHER}: 1 event: as written")
    assert place.startswith("  event 3 (byte " if filled.url.startswith("file") else "  event 3 (id ")
    assert (
        f", claim of 10.203.0.4 by c2 on {filled.real.node} at {format_moment(1700000030)}): it does not follow"
        in place
    )
    change(filled.url, "c7", "c2")
    assert filled.run("verify").code == 0


def test_audit_finds_it_too(filled: Node) -> None:
    codes = [each["code"] for each in json.loads(filled.run("audit", "-o", "json").out)["findings"]]
    assert "A15" not in codes
    change(filled.url, "c2", "c7")
    found = json.loads(filled.run("audit", "-o", "json").out)["findings"]
    (broken,) = [each for each in found if each["code"] == "A15"]
    assert "event 3, " in json.dumps(broken)


def test_what_is_forgotten_leaves_a_start_that_can_be_verified(filled: Node) -> None:
    filled.now = None
    assert ": 4 events from before" in filled.run("forget", "--older-than", "1h", "--network", NAME).out
    for events in (4, 5):
        said = filled.run("verify", "--network", NAME)
        assert (said.code, "4 older ones forgotten: as written" in said.out) == (0, True)
        assert said.out.startswith(
            f"{NAME}: {events} events, 4 of them outside of the chain (claims that forgetting kept"
        )
        filled.add(f"later{events}")
    change(filled.url, "c2", "c7")
    status, out, _ = filled.run("verify", "--network", NAME)
    assert (status, "the claims that were kept of forgotten events were changed" in out) == (3, True)


def test_an_earlier_snapshot_tells_that_all_of_history_was_made_anew(filled: Node, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl.gz"
    assert filled.run("export", "--with-history", "-o", str(earlier)).code == 0
    filled.add("later")
    said = filled.run("verify", "--against", str(earlier))
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"{NAME}: 9 events, the first 8 as {earlier} has them: as written\n"
        f"{OTHER}: 1 event, the first 1 as {earlier} has them: as written\n"
    )
    filled.configure(name="newer")
    assert (
        f"newer: 0 events, of which {earlier} tells nothing: as written"
        in filled.run("verify", "--against", str(earlier)).out
    )
    remove_history(filled.url)
    filled.add("after")
    assert filled.run("verify").code == 0
    status, out, _ = filled.run("verify", "--against", str(earlier))
    assert (status, "event 8, the last that a snapshot tells of, is not in it" in out) == (3, True)


def test_a_network_that_is_gone_altogether_is_missed(filled: Node, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    assert filled.run("export", "--with-history", "-o", str(earlier)).code == 0
    (filled.conf_dir / f"10-{NAME}.conflist").unlink(missing_ok=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    filled.url = f"file://{elsewhere}"
    status, out, _ = filled.run("verify", "--against", str(earlier))
    assert status == 3
    assert f"{NAME}: no history: 1 problem" in out


def test_a_snapshot_of_one_store_can_be_held_against_the_one_that_its_history_moved_to(
    filled: Node, tmp_path: Path
) -> None:
    earlier, target = tmp_path / "earlier.jsonl.gz", f"sqlite:///{tmp_path}/target/ipam.db"
    assert filled.run("export", "--with-history", "-o", str(earlier)).code == 0
    moved = migrate(filled.url, target)
    assert (moved.returncode, moved.stderr) == (0, "")
    filled.url = target
    filled.add("later")
    assert filled.run("verify", "--against", str(earlier)).code == 0


def test_who_moves_a_history_that_was_changed_is_told_so(filled: Node, tmp_path: Path) -> None:
    change(filled.url, "c2", "c7")
    moved = migrate(filled.url, f"sqlite:///{tmp_path}/target/ipam.db")
    assert moved.returncode == 0
    (line,) = moved.stderr.splitlines()
    assert line.startswith(f"ipam store migrate: history of {NAME} is not what was written (event 3, ")
    filled.url = f"sqlite:///{tmp_path}/target/ipam.db"
    assert filled.run("verify").code == 0


def test_an_earlier_snapshot_that_is_damaged_is_named(filled: Node, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_text("no snapshot\n")
    status, out, err = filled.run("verify", "--against", str(earlier))
    assert (status, out) == (1, "")
    assert err.startswith(f"ipam verify: {earlier}: ")


@ONE_STORE
@pytest.mark.parametrize("words", [["--key", "FILE"], ["FILE", "--against", "FILE"]], ids=" ".join)
def test_an_option_that_would_mean_nothing_is_a_wrong_call(filled: Node, tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "file"
    path.touch()
    assert filled.run("verify", *[str(path) if word == "FILE" else word for word in words]).code == 2
