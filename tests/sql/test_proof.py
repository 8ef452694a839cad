"""Proof: what somebody does to the tables by hand is found, and named, in both databases."""

import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from ipam import allocator
from ipam.inspection.problems import place_of
from ipam.inspection.times import format_moment
from ipam.model import Cause, Host, Pod, StoreConfig
from ipam.registry import open_store
from ipam.store import Store
from ipam.testing.fixtures import BOOT, NETWORK, Ticking, network, small_range, who
from tests.sql.allocation import sqlite_url
from tests.sql.cluster import Cluster

CHANGED, MOVED, CUT = "it was changed, or what", "it was moved or put in", "the end was cut off"
TEXTS = ("boot", "what", "cause", "note", "container_id", "ifname", "namespace", "pod", "uid", "claimed_in", "node")


class Written:
    """A store with some history, an intruder with the password of its database, and what verify() says."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = Host("node-a", BOOT, Ticking())
        self.store: Store = open_store(StoreConfig(url, lock_timeout=30), self.host)
        self._engine: Engine = create_engine(url)
        self._names = count(1)

    def close(self) -> None:
        """Let go of everything."""
        self.store.close()
        self._engine.dispose()

    def add(self, name: str, net: str = NETWORK) -> None:
        """What ADD does."""
        wanted, pod = network(small_range(200)), Pod("default", name, "")
        self.store.transact(net, lambda tx: allocator.allocate(tx, wanted, who(name), pod, self.host))

    def delete(self, name: str) -> None:
        """What DEL does."""
        self.store.transact(NETWORK, lambda tx: allocator.release(tx, who(name), Cause.DEL))

    def fill(self, containers: int) -> None:
        """So many containers, of which every third goes again; and others of another network between them."""
        names = [f"c{next(self._names)}" for _ in range(containers)]
        for number, name in enumerate(names):
            self.add(name)
            if number % 3 == 2:
                self.delete(names[number - 1])
            if number % 4 == 3:
                self.add(name, "other")

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """What the intruder does; the rows that it yields."""
        with self._engine.begin() as connection:
            done = connection.execute(text(statement), values)
            return list(done.all()) if done.returns_rows else []

    def ids(self) -> list[int]:
        """Those of the network's events."""
        query = "SELECT id FROM events WHERE network = (SELECT id FROM networks WHERE name = :name) ORDER BY id"
        return [row[0] for row in self.sql(query, name=NETWORK)]

    def set(self, number: int, column: str, value: object) -> object:
        """Change a field of an event (the first is 1); what it was."""
        place = self.ids()[number - 1]
        ((old,),) = self.sql(f"SELECT {column} FROM events WHERE id = :id", id=place)
        self.sql(f"UPDATE events SET {column} = :value WHERE id = :id", id=place, value=value)
        return old

    def remove(self, *numbers: int) -> None:
        """Remove events, by their numbers."""
        ids = self.ids()
        for number in numbers:
            self.sql("DELETE FROM events WHERE id = :id", id=ids[number - 1])

    def problems(self) -> list[tuple[int, str]]:
        """The number of each event that is not as it was written, and why."""
        assert self.store.verify("other").problems == ()
        return [(each.number, each.why) for each in self.store.verify(NETWORK).problems]


@pytest.fixture(params=["sqlite", "postgresql"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Written]:
    """A store with forty events in one network, and some of another one."""
    sqlite = request.param == "sqlite"
    cluster: Cluster | None = None if sqlite else request.getfixturevalue("postgresql")
    written = Written(cluster.store() if cluster is not None else sqlite_url(tmp_path))
    written.fill(30)
    assert written.problems() == []
    yield written
    written.close()


def test_every_field_of_every_event_counts(written: Written) -> None:
    events = list(written.store.history(NETWORK))
    for number in (1, 2, 18, 39, 40):
        for column in random.Random(number).sample(TEXTS, 4):
            old = written.set(number, column, "drop" if column == "what" and number != 18 else "another")
            place = written.ids()[number - 1]
            first = written.store.verify(NETWORK).problems[0]
            assert (first.number, CHANGED in first.why) == (number, True), column
            assert first.place == f"id {place}", column
            written.set(number, column, old)
        numbers = {"time": 1.5, "since": 1.5, "range_set": None, "address": b"\x04\x0a\0\0\xfe", "link": bytes(32)}
        for column, value in numbers.items():
            old = written.set(number, column, value)
            assert written.problems()[0][0] == number, column
            written.set(number, column, old)
    assert written.problems() == []
    assert list(written.store.history(NETWORK)) == events


def test_the_place_names_the_event(written: Written) -> None:
    written.set(6, "pod", "another")
    event = list(written.store.history(NETWORK))[5]
    (problem,) = written.store.verify(NETWORK).problems
    who_and_when = f"by {event.lease.attachment.container_id} on node-a at {format_moment(event.time)}"
    assert place_of(problem).startswith(f"id {written.ids()[5]}, {event.what} of 10.0.0.")
    assert place_of(problem).endswith(who_and_when)


@pytest.mark.parametrize("number", [1, 8, 39])
def test_a_removed_row_is_found(written: Written, number: int) -> None:
    written.remove(number)
    (found, why), *_ = written.problems()
    assert (found, CHANGED in why) == (number, True)


@pytest.mark.parametrize("number", [1, 8, 39])
def test_two_rows_that_changed_places_are_found(written: Written, number: int) -> None:
    one, two = written.ids()[number - 1 : number + 1]
    for old, new in ((one, -1), (two, one), (-1, two)):
        written.sql("UPDATE events SET id = :new WHERE id = :old", old=old, new=new)
    (found, why), *_ = written.problems()
    assert (found, MOVED in why) == (number, True)


def test_a_row_that_was_put_in_is_found(written: Written) -> None:
    columns = "network, time, boot, what, cause, note, link, address, range_set, since, claimed_in, node, " + (
        "container_id, ifname, namespace, pod, uid"
    )
    written.sql(f"INSERT INTO events ({columns}) SELECT {columns} FROM events WHERE id = :id", id=written.ids()[3])
    assert written.problems()[0][0] == 41
    written.remove(41)
    assert written.problems() == []


@pytest.mark.parametrize("missing", [1, 5, 40])
def test_an_end_that_was_cut_off_is_found(written: Written, missing: int) -> None:
    written.remove(*range(41 - missing, 41))
    ((number, why),) = written.problems()
    assert (number, CUT in why, why.endswith(f"{missing} events are missing")) == (41 - missing, True, True)


def test_an_end_that_was_cut_off_stays_found_when_life_goes_on(written: Written) -> None:
    written.remove(37, 38, 39, 40)
    written.fill(9)
    (number, why), *_ = written.problems()
    assert (number, CHANGED in why) == (37, True)


def test_a_history_that_was_moved_to_another_network_is_found(written: Written) -> None:
    written.sql("UPDATE networks SET name = 'third' WHERE name = :name", name=NETWORK)
    assert written.store.verify("third").problems[0].number == 1


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("written", 39, "it was changed"),
        ("written", 50, "it was changed"),
        ("forgotten", 5, "it was changed"),
        ("last", bytes(32), "it was changed"),
        ("last", bytes(31) + b"1", CUT),
        ("last", b"", CUT),
        ("head", bytes(range(32)), CHANGED),
        ("carried", bytes(range(32)), "claims that were kept"),
        ("begins", 3, "claims that were kept"),
    ],
)
def test_what_tells_where_the_chain_ends_cannot_be_changed(
    written: Written, column: str, value: object, said: str
) -> None:
    where = "network = (SELECT id FROM networks WHERE name = :name)"
    written.sql(f"UPDATE chains SET {column} = :value WHERE {where}", value=value, name=NETWORK)
    assert any(said in why for _, why in written.problems())


def test_what_tells_where_the_chain_ends_cannot_be_removed(written: Written) -> None:
    written.sql("DELETE FROM chains WHERE network = (SELECT id FROM networks WHERE name = :name)", name=NETWORK)
    assert written.problems() == [(0, "what it says of this network was removed")]
    written.add("later")
    assert written.problems()[0][0] == 41


def test_a_history_that_was_removed_as_a_whole_is_found_by_what_was_seen_earlier(written: Written) -> None:
    seen = written.store.verify(NETWORK)
    for table in ("events", "chains"):
        where = "network = (SELECT id FROM networks WHERE name = :name)"
        written.sql(f"DELETE FROM {table} WHERE {where}", name=NETWORK)
    assert written.problems() == []
    written.add("after")
    assert written.problems() == []
    (problem,) = written.store.verify(NETWORK, (seen.events, seen.last)).problems
    assert (problem.number, "is not in it" in problem.why) == (40, True)


def test_claims_that_outlived_forgetting_cannot_be_changed_either(written: Written) -> None:
    seen = written.store.verify(NETWORK)
    removed = written.store.forget(NETWORK, list(written.store.history(NETWORK))[25].time)
    verdict = written.store.verify(NETWORK, (seen.events, seen.last))
    assert (verdict.sealed, verdict.problems, verdict.events) == (removed, (), 40 - removed)
    assert verdict.links == 15
    old = written.set(2, "pod", "another")
    assert written.problems() == [(1, "the claims that were kept of forgotten events were changed")]
    written.set(2, "pod", old)
    written.remove(len(written.ids()) - 15)
    assert "claims that were kept" in written.problems()[0][1]


def test_the_first_event_behind_what_was_forgotten_cannot_be_removed(written: Written) -> None:
    written.store.forget(NETWORK, list(written.store.history(NETWORK))[25].time)
    first = len(written.ids()) - 14
    written.remove(first)
    assert (written.problems()[0][0], CHANGED in written.problems()[0][1]) == (first, True)


def test_rows_that_are_no_events_are_named(tmp_path: Path) -> None:
    written = Written(sqlite_url(tmp_path))  # which takes anything for anything
    written.fill(5)
    for column, value in (("address", b""), ("address", "text"), ("time", "soon"), ("link", "text"), ("link", 5)):
        for number in (1, 4):
            old = written.set(number, column, value)
            assert written.problems()[0][0] == number, (column, value)
            written.set(number, column, old)
    written.sql("UPDATE chains SET written = 'many'")
    assert "was changed" in written.store.verify(NETWORK).problems[0].why
    written.close()


def test_forgetting_while_somebody_verifies_breaks_no_proof(written: Written) -> None:
    for turn in range(4):
        written.fill(12)
        script = _FORGETTER.format(url=written.url, before=list(written.store.history(NETWORK))[10].time)
        with subprocess.Popen([sys.executable, "-c", script]) as forgetter:
            while forgetter.poll() is None:
                assert written.problems() == [], turn
        assert forgetter.returncode == 0
    assert written.store.verify(NETWORK).sealed > 0


_FORGETTER = """
from ipam.model import Host, StoreConfig
from ipam.registry import open_store
from ipam.testing.fixtures import NETWORK
store = open_store(StoreConfig({url!r}, lock_timeout=30), Host("other", "boot", lambda: 1.0))
for step in range(20):
    store.forget(NETWORK, {before!r} + step)
store.close()
"""
