"""`ipam who`: right for every address at any time, checked against a plain replay."""

import random
import re
from datetime import UTC, datetime

import pytest

from ipam.address import format_address
from ipam.inspection.holdings import Holding, at, holdings
from ipam.model import CLAIM, DROP, IPV4, Address, Attachment, Cause, Event, Lease, Pod
from ipam.store import Transaction
from tests.cli.node import NAME, ONE_STORE, Node

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
DAY = 86400
EVENTS = 10_000
FIRST = 0x0ACB0002


class Day:
    """A day of claims and drops, at random moments, on fifty addresses; `steps` are (time, address, holder or None)."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.steps: list[tuple[float, Address, str | None]] = []
        held: dict[Address, str] = {}
        moments = sorted(round(MIDNIGHT + chance.random() * DAY, 6) for _ in range(EVENTS))
        for number, moment in enumerate(moments):
            address = Address(IPV4, FIRST + chance.randrange(50))
            if held.pop(address, None) is None:
                held[address] = f"c{number}"
            self.steps.append((moment, address, held.get(address)))

    def holder(self, address: Address, moment: float) -> str | None:
        """Who held it: the plain replay."""
        holder = None
        for when, where, who in self.steps:
            if when > moment:
                break
            if where == address:
                holder = who
        return holder


def write(node: Node, day: Day) -> None:
    """Have the store live through the day."""
    clock = [0.0]
    node_host = node.host.replace(clock=lambda: clock[0])
    held: dict[Address, Lease] = {}

    def live(tx: Transaction) -> None:
        for moment, address, who in day.steps:
            clock[0] = moment
            if who is None:
                tx.drop(held.pop(address), Cause.DEL)
            else:
                lease = Lease(address, Attachment(who, "eth0"), 0, Pod("default", who), moment, node_host.boot, "n")
                held[address] = lease
                tx.claim(lease, Cause.ADD)

    from ipam.model import StoreConfig
    from ipam.registry import open_store

    store = open_store(StoreConfig(node.url), node_host)
    store.transact(NAME, live)
    store.close()


@pytest.fixture(scope="module")
def day() -> Day:
    return Day(7)


def test_a_scripted_day_is_told_right_at_any_time(node: Node, day: Day) -> None:
    write(node, day)
    chance = random.Random(11)
    by_address: dict[Address, list[Holding]] = {}
    with node.store() as store:
        for number in range(50):
            address = Address(IPV4, FIRST + number)
            held = [lease for lease in store.leases(NAME) if lease.address == address]
            by_address[address] = holdings(NAME, store.history(NAME, address=address), held)
    edges = [moment for moment, _, _ in day.steps[:: EVENTS // 200]]
    asked = [round(MIDNIGHT + chance.random() * DAY, 6) for _ in range(800)] + edges
    for moment in asked:
        for address in chance.sample(list(by_address), 3):
            found = at(by_address[address], moment)
            told = found.lease.attachment.container_id if found else None
            assert told == day.holder(address, moment), (format_address(address), moment)


@ONE_STORE
def test_the_command_tells_the_same(node: Node, day: Day) -> None:
    write(node, day)
    node.configure()
    chance = random.Random(13)
    answers = set()
    for _ in range(12):
        address, moment = Address(IPV4, FIRST + chance.randrange(50)), round(MIDNIGHT + chance.random() * DAY, 6)
        said = node.run("who", format_address(address), "--at", repr(moment), "-o", "csv")
        rows = said.csv()
        told = rows[0]["container"] if rows else None
        assert told == day.holder(address, moment)
        assert said.code == (0 if rows else 3)
        answers.add(told is None)
    assert answers == {True, False}


def test_the_holder_of_now_is_told_and_since_when(node: Node) -> None:
    node.configure()
    node.now = 1_700_000_000.0
    node.add("c1")
    (row,) = node.run("who", "10.203.0.2", "-o", "json").json()
    assert (row["container"], row["start"], row["end"], row["cause"]) == ("c1", 1_700_000_000.0, None, "add")


def test_the_end_of_a_lease_is_told_and_why_it_ended(node: Node) -> None:
    node.configure()
    node.now = 1_700_000_000.0
    node.add("c1")
    node.now = 1_700_000_100.0
    node.delete("c1")
    (row,) = node.run("who", "10.203.0.2", "--at", "1700000050", "-o", "json").json()
    assert (row["start"], row["end"], row["ended_by"]) == (1_700_000_000.0, 1_700_000_100.0, "del")
    assert node.run("who", "10.203.0.2", "--at", "1700000100").code == 3
    assert node.run("who", "10.203.0.2", "--at", "1699999999").code == 3


def test_where_nobody_held_it_those_before_and_after_are_told(node: Node) -> None:
    node.configure()
    for start, name in ((1_700_000_000.0, "c1"), (1_700_000_200.0, "c2")):
        node.now = start
        lease = Lease(Address(IPV4, FIRST), Attachment(name, "eth0"), 0, since=start)
        node.change(lambda tx, lease=lease: tx.claim(lease, Cause.ADD))  # type: ignore[misc]
        node.now = start + 100
        node.delete(name)
    said = node.run("who", "10.203.0.2", "--at", "1700000150")
    assert (said.code, said.out) == (3, "")
    before, after = "container c1 eth0 on containers until .* \\(del\\)", "container c2 eth0 on containers from .*"
    assert re.search(f"^nobody held 10\\.203\\.0\\.2 at .*; before, {before}; after, {after}\n$", said.err)


def test_a_moment_as_tables_show_it_is_any_within_that_second(node: Node) -> None:
    node.configure()
    node.now = 1_700_000_000.75
    node.add("c1")
    for text, code in (("1700000000", 0), ("1700000000.5", 3), ("1699999999", 3)):
        assert node.run("who", "10.203.0.2", "--at", text).code == code


def test_nobody_knows_who_will_hold_an_address(node: Node) -> None:
    node.add("c1")
    said = node.run("who", "10.203.0.2", "--at", "2099-01-01")
    assert (said.code, said.out) == (2, "")
    assert "is yet to come" in said.err


def test_what_was_forgotten_is_not_said_to_have_been_nobody(node: Node) -> None:
    node.configure()
    for start, name in ((1_700_000_000.0, "c1"), (1_700_000_200.0, "c2"), (1_700_000_400.0, "c3")):
        node.now = start
        node.add(name, "10.203.0.0/30")  # a single address
        node.now = start + 100
        node.delete(name)
    with node.store() as store:
        assert store.forget(NAME, 1_700_000_250.0) == 3
    for moment in (1_700_000_050, 1_700_000_150):
        said = node.run("who", "10.203.0.2", "--at", str(moment))
        assert (said.code, said.out) == (1, "")
        assert re.search(r"is not known, history is forgotten on containers before 2023-", said.err)
    assert node.run("who", "10.203.0.2", "--at", "1700000250").code == 0  # the end of that lease is still told
    assert node.run("who", "10.203.0.2", "--at", "1700000350").code == 3
    assert node.run("who", "10.203.0.2", "--at", "1700000450").code == 0
    with node.store() as store:
        assert store.forget(NAME, 2e9) == 3
    assert node.run("who", "10.203.0.2", "--at", "1700000450").code == 1
    assert node.run("who", "10.203.0.2").code == 3


def test_an_address_may_be_held_on_two_networks(node: Node) -> None:
    node.add("c1")
    node.add("c2", name="other")
    rows = node.run("who", "10.203.0.2", "-o", "json").json()
    assert [(row["network"], row["container"]) for row in rows] == [(NAME, "c1"), ("other", "c2")]
    (row,) = node.run("who", "10.203.0.2", "--network", "other", "-o", "json").json()
    assert row["container"] == "c2"


LEASE = Lease(Address(IPV4, FIRST), Attachment("c1", "eth0"), 0, since=10.0)
OTHER = Lease(Address(IPV4, FIRST), Attachment("c2", "eth0"), 0, since=20.0)


def event(time: float, what: str, lease: Lease, cause: str) -> Event:
    return Event(time, "boot", NAME, what, lease, cause)


def test_a_claim_without_a_drop_ends_with_the_next_claim() -> None:
    events = [event(10.0, CLAIM, LEASE, Cause.ADD), event(20.0, CLAIM, OTHER, Cause.ADD)]
    one, other = holdings(NAME, events, [OTHER])
    assert (one.start, one.end, one.ended_by) == (10.0, 20.0, "")
    assert (other.start, other.end) == (20.0, None)


def test_a_drop_without_a_claim_began_when_the_lease_says() -> None:
    (one,) = holdings(NAME, [event(15.0, DROP, LEASE, Cause.VANISHED)], [])
    assert (one.start, one.end, one.ended_by) == (10.0, 15.0, "vanished")


def test_a_lease_that_was_found_began_when_its_file_was_made() -> None:
    (one,) = holdings(NAME, [event(15.0, CLAIM, LEASE, Cause.FOUND)], [LEASE])
    assert (one.start, one.end) == (10.0, None)


def test_a_restored_lease_was_not_held_in_between() -> None:
    events = [
        event(10.0, CLAIM, LEASE, Cause.ADD),
        event(20.0, DROP, LEASE, Cause.RELEASE),
        event(30.0, CLAIM, LEASE, Cause.RESTORE),
    ]
    found = holdings(NAME, events, [LEASE])
    assert [(each.start, each.end, each.cause) for each in found] == [(10.0, 20.0, "add"), (30.0, None, "restore")]
    assert at(found, 25.0) is None


def test_a_lease_without_history_has_a_holding() -> None:
    bare = LEASE.replace(since=0.0)
    (one,) = holdings(NAME, [], [bare])
    assert (one.start, one.end, one.lease) == (None, None, bare)
    assert at([one], 5.0) == one


def test_a_claim_whose_lease_is_gone_without_a_word_covers_nothing() -> None:
    (one,) = holdings(NAME, [event(10.0, CLAIM, LEASE, Cause.ADD)], [])
    assert not one.covers(10.0)
