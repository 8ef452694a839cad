"""Which addresses an ADD gets or is refused: the policy, over the store in memory."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.address import format_address
from ipam.errors import AddressInUse, AlreadyAllocated, CniError, Exhausted, NotAllocatable
from ipam.model import Attachment, Cause, Pod
from ipam.testing.fixtures import BOOT, who
from tests.unit.allocation import NODE, Node, at, part, six


def test_addresses_go_round_and_are_not_reused_at_once() -> None:
    node = Node([part(1, 5)])
    assert [node.add(name) for name in "abc"] == [["2"], ["3"], ["4"]]
    assert node.release("a") == ["2"]
    assert node.add("d") == ["5"]
    assert node.add("e") == ["2"]


def test_the_search_wraps_to_the_cursor_itself() -> None:
    node = Node([part(2, 4)])
    for name in "abc":
        node.add(name)
    node.release("c")
    assert node.cursor() == at("4")
    assert node.add("d") == ["4"]


@pytest.mark.parametrize("gateway", ["2", "3", "5"])
def test_the_gateway_is_never_handed_out(gateway: str) -> None:
    node = Node([part(2, 5, gateway)])
    given_out = [node.add(name)[0] for name in "abc"]
    assert sorted([*given_out, gateway]) == ["2", "3", "4", "5"]
    with pytest.raises(Exhausted):
        node.add("d")


def test_a_range_of_the_gateway_alone_is_exhausted() -> None:
    with pytest.raises(Exhausted) as caught:
        Node([part(1, 1)]).add("a")
    assert caught.value.msg == (
        "failed to allocate for range 0: no IP addresses available in range set: 10.0.0.1-10.0.0.1"
    )


def test_several_ranges_of_a_set_follow_one_another_and_wrap() -> None:
    node = Node([part(20, 21), part(10, 11), part(30, 30)])
    assert [node.add(name)[0] for name in "abcde"] == ["20", "21", "10", "11", "30"]
    for name in "db":
        node.release(name)
    assert [node.add(name)[0] for name in "fg"] == ["21", "11"]
    with pytest.raises(
        Exhausted, match=r"10\.0\.0\.20-10\.0\.0\.21,10\.0\.0\.10-10\.0\.0\.11,10\.0\.0\.30-10\.0\.0\.30$"
    ):
        node.add("h")


@pytest.mark.parametrize("cursor", ["1", "9", "200", "10.9.0.9", "fd00::9"])
def test_a_cursor_outside_the_set_starts_at_the_front(cursor: str) -> None:
    node = Node([part(10, 12), part(20, 22)])
    lease = node.put(cursor, who("gone"), range_set=0)
    node.store.transact("net", lambda tx: tx.drop(lease, Cause.DEL))
    assert node.cursor() == at(cursor)
    assert node.add("a") == ["10"]


def test_a_cursor_at_the_end_of_a_range_goes_on_in_the_next() -> None:
    node = Node([part(10, 11), part(20, 21)])
    node.add("a", "11")
    assert node.add("b") == ["20"]
    node.add("c", "21")
    assert node.add("d") == ["10"]


def test_each_set_has_its_own_cursor_and_yields_one_address() -> None:
    node = Node([six()], [part(1, 9)])
    assert node.add("a") == ["fd00::2", "2"]
    assert node.add("b", "7") == ["fd00::3", "7"]
    assert node.add("c") == ["fd00::4", "8"]
    assert (node.cursor(0), node.cursor(1), node.cursor(2)) == (at("fd00::4"), at("8"), None)


def test_a_requested_address_is_leased_and_moves_the_cursor() -> None:
    node = Node([part(1, 9)])
    assert node.add("a", "5") == ["5"]
    assert node.add("b") == ["6"]


def test_requests_find_their_sets_in_any_order_and_count_once() -> None:
    node = Node([part(1, 9)], [part(11, 19)], [six()])
    assert node.add("a", "fd00::9", "15", "5", "15") == ["5", "15", "fd00::9"]


@pytest.mark.parametrize("requested", ["0", "9", "255", "10.9.0.5", "fd00::5", "::"])
def test_a_request_outside_every_set_names_what_there_is(requested: str) -> None:
    node = Node([part(1, 5)], [part(21, 25)])
    text = format_address(at(requested))
    with pytest.raises(NotAllocatable, match=f"^failed to allocate all requested IPs: {text}$") as caught:
        node.add("a", requested)
    assert "10.0.0.1-10.0.0.5; 10.0.0.21-10.0.0.25" in caught.value.details
    assert node.leased() == []


def test_a_second_request_for_one_set_is_one_too_many() -> None:
    node = Node([part(1, 9)])
    with pytest.raises(NotAllocatable, match=r"requested IPs: 10\.0\.0\.6 10\.0\.0\.7$"):
        node.add("a", "5", "6", "7")
    assert (node.leased(), node.cursor()) == ([], None)


@pytest.mark.parametrize("gateway", ["1", "5"])
def test_a_request_for_the_gateway_is_refused(gateway: str) -> None:
    node = Node([part(1, 9, gateway)])
    with pytest.raises(NotAllocatable, match=rf"requested ip 10\.0\.0\.{gateway} is subnet's gateway"):
        node.add("a", gateway)


def test_a_request_for_a_leased_address_names_the_holder() -> None:
    node = Node([part(1, 9)])
    node.add("a", "5", pod=Pod("shop", "web-0", "uid"))
    with pytest.raises(AddressInUse, match=r"requested IP address 10\.0\.0\.5 is not available in range set") as caught:
        node.add("b", "5")
    assert "container a eth0 (pod shop/web-0)" in caught.value.details
    node.put("7", Attachment("", ""))
    with pytest.raises(AddressInUse) as caught:
        node.add("b", "7")
    assert "not a lease file" in caught.value.details


@pytest.mark.parametrize("requested", [[], ["5"], ["2"], ["15"]])
def test_a_second_add_is_refused_and_keeps_the_first(requested: list[str]) -> None:
    node = Node([part(1, 9)], [part(11, 19)])
    assert node.add("a") == ["2", "11"]
    with pytest.raises((AlreadyAllocated, AddressInUse)) as caught:
        node.add("a", *requested)
    assert "a" in f"{caught.value.msg} {caught.value.details}".split()
    assert node.leased() == ["2", "11"]
    node.check("a", "2", "11")


def test_a_second_interface_of_a_container_has_its_own_addresses() -> None:
    node = Node([part(1, 9)])
    assert node.add("a") == ["2"]
    assert node.add("a", ifname="eth1") == ["3"]
    assert node.release("a", "eth1") == ["3"]
    assert node.leased() == ["2"]


def test_an_old_lease_of_the_container_alone_counts_for_each_interface() -> None:
    node = Node([part(1, 9)])
    node.put("4", Attachment("a", ""))
    with pytest.raises(
        AlreadyAllocated, match=r"10\.0\.0\.4 has been allocated to a, duplicate allocation is not allowed"
    ):
        node.add("a", ifname="eth1")


def test_a_lease_in_another_set_does_not_stand_in_the_way() -> None:
    node = Node([part(1, 9)])
    node.put("10.0.7.7", who("a"))
    assert node.add("a") == ["2"]


@pytest.mark.parametrize("error", [Exhausted, AddressInUse, NotAllocatable])
def test_an_add_is_all_or_nothing(error: type[CniError]) -> None:
    node = Node([part(1, 9)], [part(11, 12, "11")])
    node.put("12", who("b"))
    requested = {AddressInUse: ["12"], NotAllocatable: ["11"], Exhausted: []}[error]
    with pytest.raises(error) as caught:
        node.add("a", *requested)
    assert caught.value.msg.startswith("failed to allocate for range 1: ")
    assert (node.leased(), node.cursor(0)) == (["12"], None)
    assert [event.lease.attachment for event in node.store.history("net")] == [who("b")]


def test_a_lease_tells_of_pod_time_boot_and_node() -> None:
    node = Node([part(1, 9)])
    node.add("a", pod=Pod("shop", "web-0", "uid-1"))
    (lease,) = node.store.leases("net")
    assert (lease.attachment, lease.range_set, lease.pod) == (who("a"), 0, Pod("shop", "web-0", "uid-1"))
    assert (lease.boot, lease.node) == (BOOT, NODE)
    assert lease.since > 0


_slots = st.lists(st.sampled_from(range(2, 14)), min_size=2, max_size=4, unique=True).map(sorted)
_steps = st.lists(st.tuples(st.sampled_from(["add", "add", "del"]), st.integers(0, 11)), max_size=40)


@given(_slots, st.integers(1, 14), st.booleans(), _steps)
def test_round_robin_is_the_plain_walk_around_the_set(
    slots: list[int], gateway: int, reverse: bool, steps: list[tuple[str, int]]
) -> None:
    """Held against a walk over a list of all addresses from behind the one given last."""
    ranges = [part(start, end - 1, str(gateway)) for start, end in pairwise(slots)]
    ranges = ranges[::-1] if reverse else ranges
    node = Node(ranges)
    walk = [str(n - at("0").value) for rng in ranges for n in range(rng.start, rng.end + 1)]
    held: dict[str, str] = {}
    last = len(walk) - 1
    for what, number in steps:
        name = f"c{number}"
        if what == "del":
            node.release(name)
            held.pop(name, None)
            continue
        if name in held:
            continue
        order = [place % len(walk) for place in range(last + 1, last + 1 + len(walk))]
        free = [p for p in order if walk[p] not in held.values() and walk[p] != str(gateway)]
        if not free:
            with pytest.raises(Exhausted):
                node.add(name)
            continue
        last = free[0]
        held[name] = walk[last]
        assert node.add(name) == [walk[last]]
    assert sorted(node.leased()) == sorted(held.values())
