"""What DEL, GC and a reboot release, and what CHECK accepts: the policy, over the store in memory."""

import pytest

from ipam import allocator
from ipam.errors import LeaseMismatch
from ipam.model import Attachment, Cause
from ipam.testing.fixtures import NEXT_BOOT, who
from tests.unit.allocation import NODE, OTHER_NODE, Node, part, six


def test_release_takes_old_records_only_where_there_are_no_others() -> None:
    node = Node([part(1, 9)])
    node.put("7", Attachment("a", ""))
    node.put("8", who("a"))
    assert node.release("a") == ["8"]
    assert node.release("a") == ["7"]
    assert node.release("a") == []


def test_release_leaves_what_others_hold() -> None:
    node = Node([part(1, 9)])
    for name in ("a", "aa", "b"):
        node.add(name)
    assert node.release("a") == ["2"]
    assert node.release("nobody") == []
    assert node.leased() == ["3", "4"]


def test_take_back_takes_what_the_call_took_and_nothing_later() -> None:
    node = Node([part(1, 9)])
    node.add("a")
    node.add("b")
    mine = list(node.store.leases("net"))
    node.release("b")
    node.put("3", who("b"))
    node.store.transact("net", lambda tx: allocator.take_back(tx, mine, Cause.UNDELIVERED))
    assert node.leased() == ["3"]
    assert [event.cause for event in node.store.history("net")][-1] == Cause.UNDELIVERED


def test_gc_keeps_what_is_valid() -> None:
    node = Node([part(1, 9)])
    for name in "abc":
        node.add(name)
    node.add("a", ifname="eth1")
    assert node.reclaim(who("a"), who("c"), who("unknown")) == ["3", "5"]
    assert node.leased() == ["2", "4"]
    assert node.reclaim() == ["2", "4"]


def test_gc_matches_old_records_by_container() -> None:
    node = Node([part(1, 9)])
    node.put("7", Attachment("a", ""))
    node.put("8", Attachment("b", ""))
    assert node.reclaim(who("a", "eth7"), shared=False) == ["8"]


def test_gc_leaves_other_nodes_and_what_is_no_lease_alone() -> None:
    node = Node([part(1, 9)])
    node.put("5", Attachment("", ""))
    node.put("6", who("far"), node=OTHER_NODE)
    node.put("7", who("near"), node=NODE)
    node.put("8", who("someone"))
    assert node.reclaim() == ["7"]
    assert node.leased() == ["5", "6", "8"]


def test_in_a_store_of_one_host_its_former_name_does_not_matter() -> None:
    node = Node([part(1, 9)])
    node.put("6", who("renamed"), node=OTHER_NODE)
    node.put("7", who("before"), node=OTHER_NODE, boot=NEXT_BOOT)
    node.store.transact("net", lambda tx: allocator.reclaim_after_reboot(tx, node.host, shared=False))
    assert node.leased() == ["6"]
    assert node.reclaim(shared=False) == ["6"]


def test_a_reboot_drops_what_this_node_made_before_it() -> None:
    node = Node([part(1, 9)])
    node.put("5", who("old"), node=NODE, boot=NEXT_BOOT)
    node.put("6", who("far"), node=OTHER_NODE, boot=NEXT_BOOT)
    node.put("7", who("unknown"))
    node.add("now")
    for _ in range(2):
        node.store.transact("net", lambda tx: allocator.reclaim_after_reboot(tx, node.host, shared=True))
        assert node.leased() == ["2", "6", "7"]


def test_check_is_content_with_its_own_addresses() -> None:
    node = Node([part(1, 9)], [six()])
    node.add("a")
    node.check("a")
    node.check("a", "2", "fd00::2")
    node.check("a", "fd00::2", "10.200.0.1", "2")


@pytest.mark.parametrize(
    ("previous", "said"),
    [
        (["2", "fd00::2", "4"], "nobody"),
        (["2", "fd00::2", "3"], "container b eth0"),
        (["2"], "fd00::2 is leased but not in prevResult"),
        (["10.200.0.1"], "10.0.0.2 is leased but not in prevResult"),
        (["3", "fd00::3"], "container b eth0"),
    ],
)
def test_check_names_what_differs_from_prev_result(previous: list[str], said: str) -> None:
    node = Node([part(1, 9)], [six()])
    node.add("a")
    node.add("b")
    with pytest.raises(LeaseMismatch, match="Failed to find address added by container a") as caught:
        node.check("a", *previous)
    assert caught.value.msg.startswith("host-local: Failed to find address added by container a: ")
    assert said in f"{caught.value.msg} {caught.value.details}"


@pytest.mark.parametrize(("name", "ifname"), [("a", "eth1"), ("b", "eth0")])
def test_check_of_what_holds_nothing_fails(name: str, ifname: str) -> None:
    node = Node([part(1, 9)])
    node.add("a")
    with pytest.raises(LeaseMismatch, match=f"added by container {name}$"):
        node.check(name, ifname=ifname)


def test_check_takes_an_old_lease_of_the_container_alone() -> None:
    node = Node([part(1, 9)])
    node.put("4", Attachment("a", ""))
    node.check("a", "4", ifname="eth7")
