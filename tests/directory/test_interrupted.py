"""Killed right before any change of the file system: the next call finds the operation done or not begun."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import sleep

import pytest

from ipam import allocator
from ipam.model import CLAIM, Cause
from ipam.store import Transaction
from ipam.testing.fixtures import BOOT, NEXT_BOOT, huge_range, small_range, who
from tests.directory.guest import Guest
from tests.directory.killing import every_death, run_and_die
from tests.directory.node import Node, assert_sound

SMALL, HUGE = small_range(8), huge_range()


class Deaths:
    """Fresh data directories, one for each death."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0
        self.node = Node(root)

    def fresh(self) -> Node:
        self._count += 1
        self.node = Node(self._root / str(self._count))
        return self.node


@pytest.fixture
def deaths(tmp_path: Path) -> Deaths:
    return Deaths(tmp_path)


def test_a_killed_first_add_is_done_or_undone(deaths: Deaths) -> None:
    for _ in every_death(lambda: _bound(deaths.fresh(), "add", "one", SMALL)):
        node = deaths.node
        node.settle()
        assert node.leases() in ({}, {"10.0.0.2": "one"})
        assert_sound(node, SMALL)


def _bound(node: Node, method: str, *arguments: object) -> Callable[[], object]:
    return partial(getattr(node, method), *arguments)


def test_a_killed_dual_stack_add_is_done_or_undone_as_a_whole(deaths: Deaths) -> None:
    def prepare() -> Callable[[], object]:
        node = deaths.fresh()
        node.add("one", SMALL, HUGE)
        return _bound(node, "add", "two", SMALL, HUGE)

    before = {"10.0.0.2": "one", "fd00::2": "one"}
    for _ in every_death(prepare):
        node = deaths.node
        node.settle()
        assert node.leases() in (before, {**before, "10.0.0.3": "two", "fd00::3": "two"})
        assert_sound(node, SMALL)


def test_what_a_killed_add_began_is_not_shown_as_leased(deaths: Deaths) -> None:
    def prepare() -> Callable[[], object]:
        return _bound(deaths.fresh(), "add", "one", SMALL, HUGE)

    for last in every_death(prepare):
        seen = deaths.node.leases()
        deaths.node.settle()
        assert seen == deaths.node.leases(), f"killed at change {last}, leases() showed what was then undone"


def test_an_add_after_a_killed_one_gets_an_address(deaths: Deaths) -> None:
    for _ in every_death(lambda: _bound(deaths.fresh(), "add", "one", SMALL, HUGE)):
        deaths.node.delete("one")
        assert len(deaths.node.add("one", SMALL, HUGE)) == 2
        assert_sound(deaths.node, SMALL)


def test_killed_while_putting_right_what_was_killed_the_next_call_puts_it_right(deaths: Deaths) -> None:
    def adding() -> Callable[[], object]:
        node = deaths.fresh()
        node.add("one", SMALL)
        return _bound(node, "add", "two", SMALL)

    def half_done(last: int) -> Callable[[], object]:
        run_and_die(adding(), last)
        return deaths.node.settle

    second_deaths = 0
    for last in every_death(adding):
        for _ in every_death(partial(half_done, last)):
            second_deaths += 1
            deaths.node.settle()
            assert deaths.node.leases() in ({"10.0.0.2": "one"}, {"10.0.0.2": "one", "10.0.0.3": "two"})
            assert_sound(deaths.node, SMALL)
    assert second_deaths > 20


def test_a_killed_del_is_done_or_undone(deaths: Deaths) -> None:
    def prepare() -> Callable[[], object]:
        node = deaths.fresh()
        node.add("one", SMALL)
        node.add("two", SMALL)
        return _bound(node, "delete", "one")

    for _ in every_death(prepare):
        node = deaths.node
        node.settle()
        assert node.leases() in ({"10.0.0.2": "one", "10.0.0.3": "two"}, {"10.0.0.3": "two"})
        assert_sound(node, SMALL)
        node.delete("one")
        assert node.leases() == {"10.0.0.3": "two"}


def test_a_killed_del_and_add_in_one_commit_leave_the_lease_and_its_history_as_they_were(deaths: Deaths) -> None:
    def prepare() -> Callable[[], object]:
        node = deaths.fresh()
        node.add("one", SMALL)
        node.add("two", SMALL)

        def again(tx: Transaction) -> None:
            allocator.take_back(tx, (held := tx.held_by(who("one"))), Cause.DEL)
            tx.claim(held[0].replace(since=5.0), Cause.ADD)

        return lambda: node.transact(again)

    for last in every_death(prepare):
        node = deaths.node
        shown = node.leases()
        node.settle()
        assert node.leases() == shown, f"killed at change {last}"
        assert shown.items() >= {"10.0.0.3": "two"}.items()
        assert "10.0.0.2" in shown or node.causes()[-1] == ("drop", "one", "vanished")
        assert_sound(node, SMALL)


def test_a_killed_del_of_two_leases_is_done_or_undone_as_a_whole(deaths: Deaths) -> None:
    def prepare() -> Callable[[], object]:
        node = deaths.fresh()
        node.add("one", SMALL, HUGE)
        return _bound(node, "delete", "one")

    for _ in every_death(prepare):
        node = deaths.node
        node.settle()
        assert_sound(node, SMALL)
        assert node.leases() in ({"10.0.0.2": "one", "fd00::2": "one"}, {})


def rebooted(deaths: Deaths) -> Node:
    """A node on which `one` had an address before the reboot, which no call has noticed yet."""
    node = deaths.fresh()
    node.boot = BOOT
    node.add("one", SMALL)
    node.add("two", SMALL)
    node.boot = NEXT_BOOT
    return node


def test_a_killed_first_add_of_a_boot_neither_keeps_nor_loses_a_lease(deaths: Deaths) -> None:
    for _ in every_death(lambda: _bound(rebooted(deaths), "add", "three", SMALL)):
        node = deaths.node
        node.settle()
        assert_sound(node, SMALL)
        node.delete("three")
        assert node.leases() == {}
        assert_sound(node, SMALL)


@pytest.mark.parametrize("requested", [[], ["10.0.0.2"], ["10.0.0.7"]])
def test_a_container_that_outlived_a_reboot_can_be_added_after_a_killed_add(
    deaths: Deaths, requested: list[str]
) -> None:
    def prepare() -> Callable[[], object]:
        node = rebooted(deaths)
        return lambda: node.add("one", SMALL, requested=requested)

    for last in every_death(prepare):
        node = deaths.node
        node.settle()
        claims = [event for event in node.history() if event.what == CLAIM and event.lease.boot == NEXT_BOOT]
        if claims and claims[-1].cause == "add":
            continue  # it was done: a second ADD is refused rightly
        addresses = node.add("one", SMALL, requested=requested)
        assert node.leases() == dict.fromkeys(addresses, "one"), f"killed at change {last}"
        assert_sound(node, SMALL)


def test_a_killed_adoption_of_a_guests_changes_is_made_up_for(deaths: Deaths) -> None:
    def prepare() -> Callable[[], object]:
        node = deaths.fresh()
        for name in ("one", "two"):
            node.add(name, SMALL)
        guest = Guest(node.directory)
        guest.delete("one")
        guest.add("10.0.0.6", "six")
        guest.crash("10.0.0.7")
        return node.settle

    for _ in every_death(prepare):
        node = deaths.node
        node.settle()
        assert node.leases() == {"10.0.0.3": "two", "10.0.0.6": "six"}
        assert_sound(node, SMALL)


def test_killed_before_a_guest_changes_what_was_begun_nothing_is_given_out_twice(deaths: Deaths) -> None:
    """The guest may take the very address that the killed ADD was about to take, or free what it took."""
    for _ in every_death(lambda: _bound(deaths.fresh(), "add", "one", SMALL)):
        node = deaths.node
        guest = Guest(node.directory)
        if (node.directory / "10.0.0.2").exists():
            guest.delete("one")
        guest.add("10.0.0.2", "guest")
        assert node.add("three", SMALL) == ["10.0.0.3"]
        assert node.leases() == {"10.0.0.2": "guest", "10.0.0.3": "three"}
        assert_sound(node, SMALL)


def test_a_killed_add_does_not_speak_for_the_one_that_took_its_place(deaths: Deaths) -> None:
    """The next ADD takes the same address, and its line the same place in history."""
    for last in every_death(lambda: _bound(deaths.fresh(), "add", "one", SMALL)):
        node = deaths.node
        addresses = node.add("two", SMALL)
        guest = Guest(node.directory)
        guest.add("10.0.0.8", "guest")
        node.settle()
        assert_sound(node, SMALL)
        assert [node.leases()[address] for address in addresses] == ["two"], f"killed at change {last}"
        guest.delete("two")
        assert_sound(node, SMALL)


def test_a_history_that_was_cut_and_a_kill_after_it_cost_no_lease(tmp_path: Path) -> None:
    nodes: list[Node] = []
    names = [f"old-{number}" for number in range(10)]
    rng = small_range(30)

    def prepare() -> Callable[[], object]:
        node = Node(tmp_path / str(len(nodes)), stays_open=True)
        nodes.append(node)
        for number, name in enumerate(names):
            node.add(name, rng)
            if number == 1:
                sleep(0.15)  # from then on files stay open, and what was written is known
        os.truncate(node.records / "history", 0)
        node.add("after", rng)
        return _bound(node, "add", "killed", rng)

    for _ in every_death(prepare):
        node = nodes[-1]
        node.close()
        node.settle()
        assert {*node.leases().values()} >= {*names, "after"}
        assert_sound(node, rng)
