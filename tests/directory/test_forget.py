"""Forgetting history: what is held is never forgotten, and the file does not grow without bound."""

from collections.abc import Callable
from pathlib import Path

from ipam.model import CLAIM
from ipam.testing.fixtures import NETWORK, small_range
from tests.directory.guest import Guest
from tests.directory.killing import every_death
from tests.directory.node import Node, assert_sound

SMALL = small_range(9)


def churn(node: Node, times: int = 1) -> None:
    """Attachments that come and go."""
    for turn in range(times):
        node.add(f"passing-{turn}", SMALL)
        node.delete(f"passing-{turn}")


def test_held_leases_keep_their_claims_and_all_that_is_known_of_them(node: Node) -> None:
    node.add("one", SMALL)
    churn(node, 3)
    node.add("two", SMALL)
    before = node.records_of_leases()
    assert node.forget() == 6
    assert node.records_of_leases() == before
    assert [event.lease for event in node.history()] == before
    assert [lease.pod.name for lease in node.transact(lambda tx: list(tx.leases()))] == ["one", "two"]
    assert_sound(node, SMALL)


def test_what_stands_for_forgotten_events_is_not_called_damaged(node: Node) -> None:
    node.add("one", SMALL)
    churn(node, 3)
    node.forget()
    with node.store() as store:
        assert store.audit(NETWORK) == []
        with (node.records / "history").open("ab") as history:
            history.write(b'{"sealed":\n')
        assert [code for code, _, _ in store.audit(NETWORK)] == ["damaged-history"]


def test_only_what_is_older_is_forgotten(node: Node) -> None:
    churn(node, 4)
    times = [event.time for event in node.history()]
    with node.store() as store:
        assert store.forget(NETWORK, before=times[4]) == 4
    assert [event.time for event in node.history()] == times[4:]


def test_the_other_events_of_a_container_that_holds_a_lease_are_forgotten(node: Node) -> None:
    for _ in range(3):
        node.add("one", SMALL, requested=["10.0.0.5"])
        node.delete("one")
    node.add("one", SMALL, requested=["10.0.0.5"])
    assert node.forget() == 6
    assert [event.what for event in node.history()] == [CLAIM]
    assert_sound(node, SMALL)


def test_forgetting_twice_forgets_nothing_more(node: Node) -> None:
    node.add("one", SMALL)
    churn(node)
    assert node.forget() == 2
    assert node.forget() == 0


def test_after_forgetting_calls_go_on_as_before(node: Node) -> None:
    node.add("one", SMALL)
    churn(node)
    node.forget()
    assert node.add("two", SMALL) == ["10.0.0.4"]
    assert node.delete("one") == ["10.0.0.2"]
    assert [event.lease.pod.name for event in node.history()] == ["one", "two", "one"]
    assert_sound(node, SMALL)


def test_a_guests_changes_after_forgetting_are_understood(node: Node) -> None:
    node.add("one", SMALL)
    node.add("two", SMALL)
    churn(node)
    node.forget()
    guest = Guest(node.directory)
    guest.delete("one")
    guest.add("10.0.0.9", "guest")
    node.settle()
    assert node.history()[-2].lease.pod.name == "one"
    assert [lease.pod.name for lease in node.records_of_leases()] == ["two", ""]
    assert_sound(node, SMALL)


def test_forgetting_where_nobody_has_been_makes_nothing_up(node: Node) -> None:
    assert node.forget() == 0
    assert node.history() == []


def test_a_killed_forgetting_loses_nothing_of_what_is_held(tmp_path: Path) -> None:
    nodes: list[Node] = []

    def prepare() -> Callable[[], object]:
        node = Node(tmp_path / str(len(nodes)))
        nodes.append(node)
        node.add("one", SMALL)
        churn(node, 2)
        node.add("two", SMALL)
        return node.forget

    deaths = 0
    for last in every_death(prepare):
        deaths += 1
        node = nodes[-1]
        pods = ["one", "two"]
        assert list(node.leases().values()) == pods, f"killed at change {last}, right after it"
        assert [lease.pod.name for lease in node.transact(lambda tx: list(tx.leases()))] == pods, f"change {last}"
        churn(node)
        assert [lease.pod.name for lease in node.records_of_leases()] == pods, f"killed at change {last}"
        assert len([event for event in node.history() if event.lease.pod.name in pods]) == 2
        assert_sound(node, SMALL)
        node.forget()
        assert [lease.pod.name for lease in node.records_of_leases()] == pods, f"killed at change {last}"
        assert len(node.history()) == 2
    assert deaths > 3


def test_a_killed_forgetting_and_then_a_guest_lose_nothing_of_what_is_held(tmp_path: Path) -> None:
    nodes: list[Node] = []

    def prepare() -> Callable[[], object]:
        node = Node(tmp_path / str(len(nodes)))
        nodes.append(node)
        churn(node, 2)
        node.add("one", SMALL)
        node.add("two", SMALL)
        return node.forget

    for last in every_death(prepare):
        node = nodes[-1]
        guest = Guest(node.directory)
        guest.delete("two")
        guest.add("10.0.0.9", "guest")
        node.settle()
        assert [lease.pod.name for lease in node.records_of_leases()] == ["one", ""], f"killed at change {last}"
        assert_sound(node, SMALL)


def test_history_takes_no_more_room_than_what_is_kept(node: Node) -> None:
    node.add("one", SMALL)
    history = node.records / "history"
    for _ in range(6):
        churn(node, 40)
        node.forget()
    status = history.stat()
    assert len(node.history()) == 1
    assert status.st_size > 6 * 40 * 300
    assert status.st_blocks * 512 <= 8 * 4096, "what was forgotten still takes room"
    assert [path.name for path in node.records.iterdir() if "new" in path.name] == []


def test_a_sparse_history_is_read_without_its_hole(node: Node) -> None:
    node.add("one", SMALL)
    churn(node, 40)
    node.forget()
    assert node.causes() == [("claim", "one", "add")]
    assert node.records_of_leases()[0].pod.name == "one"
