"""Moving leases from store to store: nothing is lost, doubled or changed on the way, whatever interrupts it."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from ipam import migration
from ipam.errors import InvalidConfig, TryAgain
from ipam.migration import Differs, Moved
from ipam.model import IPV4, Address, Attachment, Cause, Lease
from ipam.plugin import this_host
from ipam.store import Store, Trait
from tests.sql import moving
from tests.sql.allocation import opened, sqlite_url
from tests.sql.cluster import Cluster
from tests.sql.intervals import assert_sound

LEASES = 690  # with what went away, more than one transaction moves
EVENTS = LEASES + 2 * (LEASES // 3)
NEW = Lease(Address(IPV4, 0x0A150002), Attachment("new", "eth0"), 0)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A directory store with a history."""
    url = f"file://{tmp_path}/source"
    moving.fill(url, LEASES)
    return url


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A SQLite store that is not there yet."""
    return sqlite_url(tmp_path / "target")


def move(source: Store, target: Store, *, dry_run: bool = False) -> Moved:
    """Move the network of these tests."""
    return migration.move(source, target, "net", this_host(), dry_run=dry_run)


def test_a_round_trip_through_every_store_gives_the_same_files(
    source: str, target: str, postgresql: Cluster, tmp_path: Path
) -> None:
    stations = [source, target, postgresql.store(), f"file://{tmp_path}/back"]
    said = []
    for here, there in pairwise(stations):
        done = moving.migrate(here, there)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
        if there.startswith(("sqlite", "postgresql")):
            assert_sound(there)
    assert len(set(said)) == 1
    assert re.fullmatch(
        rf"moved      net: {EVENTS} events; {LEASES} leases, {EVENTS} events and 2 cursors on both sides, "
        r"digest [0-9a-f]{16}\n",
        said[0],
    )
    assert moving.files(tmp_path / "back" / "net") == moving.files(tmp_path / "source" / "net")
    with opened(source) as old, opened(stations[-1]) as new:
        assert list(new.history("net")) == list(old.history("net"))
        assert list(new.leases("net")) == list(old.leases("net"))
    assert len({_end(url) for url in stations}) == 1


def _end(url: str) -> str:
    """The last link of a chain that is whole: the same events have the same in every store."""
    with opened(url) as store:
        verdict = store.verify("net")
    assert (verdict.links, verdict.sealed, verdict.problems) == (EVENTS, 0, ())
    return verdict.last


def test_a_history_of_which_something_was_forgotten_begins_a_chain_of_its_own(source: str, target: str) -> None:
    with opened(source) as old, opened(target) as new:
        old.forget("net", next(old.history("net")).time + 100)
        assert old.verify("net").sealed
        move(old, new)
        assert (new.verify("net").sealed, new.verify("net").problems) == (0, ())
        assert new.verify("net").events == old.verify("net").events


@pytest.mark.parametrize("to_server", [False, True], ids=["to a file", "to a server"])
def test_a_move_that_was_killed_goes_on_where_it_ended(
    to_server: bool, source: str, target: str, postgresql: Cluster
) -> None:
    target = postgresql.store() if to_server else target
    there = moving.kill_half_way(source, target, EVENTS)
    done = moving.migrate(source, target)
    assert f"net: {EVENTS - there} events, {there} events were there already; {LEASES} leases" in done.stdout, done
    assert_sound(target)


def test_what_happened_since_is_caught_up_with(source: str, target: str) -> None:
    with opened(source) as old, opened(target) as new:
        first = move(old, new)
        gone = next(old.leases("net"))
        old.transact("net", lambda tx: tx.drop(gone, Cause.DEL))
        old.transact("net", lambda tx: tx.claim(NEW, Cause.ADD))
        again = move(old, new)
        assert (first.moved, again.there, again.moved) == (EVENTS, EVENTS, 2)
        assert list(new.leases("net")) == list(old.leases("net"))
        assert NEW in list(new.leases("net"))
        assert gone not in list(new.leases("net"))
        assert new.transact("net", lambda tx: tx.cursor(0)) == NEW.address


def test_a_dry_run_tells_and_changes_nothing(source: str, target: str, tmp_path: Path) -> None:
    done = moving.migrate(source, target, "--dry-run")
    assert f"would move net: {EVENTS} events; {LEASES} leases" in done.stdout
    assert not (tmp_path / "target").exists()


def test_the_source_is_locked_for_the_time(source: str, target: str) -> None:
    tried = []

    def write_meanwhile(_done: int, _total: int) -> None:
        with opened(source, lock_timeout=0.05) as writer, pytest.raises(TryAgain):
            writer.transact("net", lambda tx: tx.claim(NEW, Cause.ADD))
        tried.append(1)

    with opened(source) as old, opened(target) as new:
        migration.move(old, new, "net", this_host(), progress=write_meanwhile)
        assert tried
        assert NEW not in list(new.leases("net"))


@pytest.mark.parametrize("there", ["a lease", "a longer history", "another history"])
def test_a_target_with_other_leases_is_left_as_it_is(there: str, source: str, target: str) -> None:
    with opened(source) as old, opened(target) as new:
        if there != "a lease":
            move(old, new)
        if there == "another history":
            new.forget("net", 1e12)
        new.transact("net", lambda tx: tx.claim(NEW, Cause.ADD))
        before = list(new.history("net"))
        with pytest.raises(Differs, match="a history of its own"):
            move(old, new)
        assert list(new.history("net")) == before


def test_leases_that_history_does_not_tell_of_are_moved_too(source: str, target: str, tmp_path: Path) -> None:
    # As when somebody removed the history: their boot is not known any more, their containers are.
    (tmp_path / "source" / ".ipam" / "net" / "history").write_bytes(b"")
    with opened(source) as old, opened(target) as new:
        moved = move(old, new)
        assert (moved.source.leases, moved.source.events) == (LEASES, LEASES)
        assert list(new.leases("net")) == list(old.leases("net"))
        assert move(old, new).moved == 0


def test_a_store_that_cannot_take_over_leases_is_refused(source: str, target: str) -> None:
    for trait in (Trait.REPLAY, Trait.HISTORY):
        with opened(source) as old, opened(target) as new:
            new.traits = new.traits - {trait}
            with pytest.raises(InvalidConfig) as refused:
                move(old, new)
            assert trait in refused.value.details


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--network", "nobody"], 'has no network "nobody"; it has: net'),
        (["--network", "x\x1b[31m"], r'has no network "x\x1b[31m"'),
    ],
)
def test_a_network_that_is_not_there_is_named(options: list[str], said: str, source: str, target: str) -> None:
    done = moving.migrate(source, target, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_a_store_is_not_moved_into_itself(source: str) -> None:
    done = moving.migrate(source, source.removeprefix("file://"))
    assert (done.returncode, done.stderr) == (1, "ipam store migrate: FROM and TO are the same store\n")


def test_one_network_of_several_may_be_moved(source: str, target: str) -> None:
    moving.fill(source, 3, "other")
    moving.fill(source, 3, "third")
    assert moving.migrate(source, target, "--network", "other").returncode == 0
    with opened(target) as new:
        assert list(new.networks()) == ["other"]
    assert moving.migrate(source, target).returncode == 0
    with opened(target) as new:
        assert list(new.networks()) == ["net", "other", "third"]
