"""`ipam usage` and `ipam map`: sizes, states, trends and pictures."""

import json
import re
import time
from pathlib import Path

import pytest

from ipam.config import decode, network
from ipam.inspection.cells import LEGEND, picture
from ipam.inspection.usage import DAY, HOUR, growth, usage
from ipam.model import IPV4, IPV6, Address, Attachment, Cause, Event, Lease, Network
from tests.cli.node import NAME, ONE_STORE, Node


def of(*ranges: dict[str, str]) -> Network:
    """A network with one range set for each range."""
    sets = ",".join(str([each]).replace("'", '"') for each in ranges)
    return network(decode(f'{{"name": "n", "ipam": {{"ranges": [{sets}]}}}}'.encode()), "1.0.0", None)


def ipv4(last: int) -> Address:
    return Address(IPV4, 0x0ACB0000 + last)


def test_the_states_of_a_range_set_add_up(node: Node) -> None:
    node.configure("10.203.0.0/28", "fd00::/64")
    for name in ("c1", "c2", "c3"):
        node.add(name, "10.203.0.0/28", "fd00::/64")
    (lease,) = [each for each in node.leases() if each.address == ipv4(3)]
    node.change(lambda tx: tx.drop(lease, Cause.RELEASE, rest=1000.0))
    small, huge = node.run("usage", "-o", "json").json()
    assert [small[key] for key in ("size", "leased", "resting", "free")] == [13, 2, 1, 10]
    assert [huge[key] for key in ("size", "leased", "resting", "free")] == [2**64 - 2, 3, 0, 2**64 - 5]
    assert (small["last_hour"], small["last_day"]) == (2, 2)
    assert small["exhausted_in"] == pytest.approx(11 * HOUR / 2)  # at last, an ADD gets those that rest
    assert (small["ranges"], small["used"]) == ("10.203.0.1-10.203.0.14", 0.1538)
    assert "2^64" in node.run("usage").out


def test_a_network_without_a_config_has_no_usage_and_that_is_told(node: Node) -> None:
    node.add("c1")
    said = node.run("usage")
    assert (said.code, len(said.out.splitlines())) == (0, 1)
    assert said.err == f"network {NAME}: no config in {node.conf_dir} tells its ranges\n"


def test_a_gateway_outside_of_the_range_takes_nothing_from_its_size() -> None:
    inside = of({"subnet": "10.203.0.0/24"})
    outside = of({"subnet": "10.203.0.0/24", "rangeStart": "10.203.0.10", "rangeEnd": "10.203.0.19"})
    assert [each.size for each in usage(inside, [], [])] == [253]
    assert [each.size for each in usage(outside, [], [])] == [10]
    assert [each.leased for each in usage(outside, [ipv4(9), ipv4(10), ipv4(19), ipv4(20)], [])] == [2]


def event(moment: float, what: str, cause: str = Cause.ADD, since: float = 0.0) -> Event:
    return Event(moment, "b", "n", what, Lease(ipv4(5), Attachment("c", "eth0"), 0, since=since), cause)


def test_growth_counts_what_happened_in_the_last_hour_and_day() -> None:
    now = 1_700_000_000.0
    events = [
        event(now - 2 * HOUR, "claim"),
        event(now - HOUR / 2, "claim"),
        event(now - HOUR / 3, "claim"),
        event(now - 10, "drop"),
        event(now - 5, "claim", Cause.FOUND, since=now - 2 * DAY),  # it was leased long before
    ]
    network = of({"subnet": "10.203.0.0/24"})
    found = growth(network, [], events, now)
    assert found.of(0) == (1, 2)
    assert found.exhausted_in(0, 100) == 100 * HOUR
    assert found.exhausted_in(0, 0) == 0.0
    assert growth(network, [], events, now + 2 * HOUR).exhausted_in(0, 100) == 100 * DAY / 2
    assert growth(network, [], events[3:], now).exhausted_in(0, 100) is None


def test_no_rate_is_that_of_a_day_before_the_first_lease() -> None:
    now = 1_700_000_000.0
    network = of({"subnet": "10.203.0.0/24"})
    begun = [event(now - 6 * HOUR, "claim"), event(now - 5 * HOUR, "claim")]
    assert growth(network, [], begun, now).exhausted_in(0, 100) == 100 * 6 * HOUR / 2
    older = Lease(ipv4(9), Attachment("old", "eth0"), 0, since=now - 3 * DAY)
    assert growth(network, [older], begun, now).exhausted_in(0, 100) == 100 * DAY / 2


def test_a_picture_has_one_cell_for_each_address_of_a_small_range() -> None:
    (range_set,) = of({"subnet": "10.203.0.0/28"}).range_sets
    drawn = picture(range_set.ranges[0], [ipv4(0), ipv4(2), ipv4(14), ipv4(15)], [ipv4(3)])
    assert (drawn.block, drawn.cells) == (1, "G#r..........#")


def test_a_cell_of_a_large_range_tells_how_full_its_block_is() -> None:
    (range_set,) = of({"subnet": "10.203.0.0/20"}).range_sets
    full = [ipv4(1 + number) for number in range(4)]
    half, some = [ipv4(5), ipv4(6)], [ipv4(9)]
    drawn = picture(range_set.ranges[0], [*full, *half, *some], [ipv4(13)])
    assert (drawn.block, drawn.cells[:5], set(drawn.cells[5:])) == (4, "#Oor.", {"."})
    assert len(drawn.cells) == 1024


def test_of_a_huge_range_only_what_is_in_use_is_drawn() -> None:
    (range_set,) = of({"subnet": "fd00::/64"}).range_sets
    rng = range_set.ranges[0]
    drawn = picture(rng, [Address(IPV6, rng.start + 5000)], [])
    assert drawn.shown == 8192
    assert drawn.cells[5000 // drawn.block] == "o"
    assert len(picture(rng, [Address(IPV6, rng.end)], []).cells) <= 1024


@ONE_STORE
@pytest.mark.parametrize("used", [True, False], ids=["with leases", "never used"])
def test_an_address_that_something_else_keeps_is_not_free(node: Node, *, used: bool) -> None:
    path = node.configure("10.203.0.0/29")
    directory = Path(node.url.removeprefix("file://")) / NAME
    if used:
        node.add("c1", "10.203.0.0/29")
    directory.mkdir(exist_ok=True, mode=0o700, parents=True)
    for last in range(3, 7):
        (directory / f"10.203.0.{last}").write_bytes(b"\xff no lease")
    (row,) = json.loads(node.run("usage", "-o", "json").out)
    assert [row[key] for key in ("size", "leased", "resting", "unusable", "free")] == [5, used, 0, 4, 1 - used]
    assert row["exhausted_in"] == (0 if used else None)
    said = node.run("usage")
    assert "UNUSABLE" in said.out
    assert f"`ipam check {NAME}` tells what" in said.err
    assert ("G#xxxx" if used else "G.xxxx") in node.run("map", NAME).out
    if used:
        said = node.run("explain", str(path))
        assert said.code == 3
        assert "5 addresses, 1 leased, 0 resting, 4 unusable (see `ipam check containers`), 0 free" in said.out


@ONE_STORE
def test_a_leased_gateway_takes_no_address_from_the_others(node: Node) -> None:
    node.configure("10.203.0.0/29")
    lease = Lease(ipv4(1), Attachment("c1", "eth0"), 0)
    node.change(lambda tx: tx.claim(lease, Cause.ADD))
    (row,) = node.run("usage", "-o", "json").json()
    assert [row[key] for key in ("size", "leased", "free")] == [5, 0, 5]


@ONE_STORE
def test_the_map_is_legible_without_colour_and_says_what_its_signs_mean(node: Node) -> None:
    node.configure("10.203.0.0/28", "fd00::/120")
    node.add("c1", "10.203.0.0/28", "fd00::/120")
    said = node.run("map", NAME)
    assert said.code == 0
    assert "\x1b" not in said.out
    assert re.search(r"^10\.203\.0\.1 +G#\.{12}$", said.out, re.M)
    assert said.out.splitlines()[-1] == ". free   # leased   G gateway"
    drawn = node.run("map", NAME, "-o", "json").json()["ranges"]
    assert [(each["range"], each["block"], len(each["cells"])) for each in drawn] == [
        ("10.203.0.1-10.203.0.14", 1, 14),
        ("fd00::1-fd00::ff", 1, 255),
    ]
    assert set("".join(each["cells"] for each in drawn)) <= set(LEGEND)


@ONE_STORE
def test_a_network_whose_ranges_are_not_known_cannot_be_drawn(node: Node) -> None:
    node.add("c1")
    said = node.run("map", NAME)
    assert (said.code, said.out) == (1, "")
    assert "tells its ranges" in said.err


@ONE_STORE
def test_a_full_range_set_is_full(node: Node) -> None:
    node.configure("10.203.0.0/29")
    node.now = time.time() - 2 * DAY
    for number in range(5):
        node.add(f"c{number}", "10.203.0.0/29")
    (row,) = node.run("usage", "-o", "json").json()
    assert (row["free"], row["used"], row["exhausted_in"], row["last_day"]) == (0, 1.0, 0.0, 0)
    assert node.run("usage").table()[0][-1] == "full"


@ONE_STORE
def test_what_lasts_for_more_than_ten_years_is_not_told_to_the_hour(node: Node) -> None:
    node.configure("fd00::/64")
    node.add("c1", "fd00::/64")
    assert node.run("usage").table()[0][-1] == ">10y"
    assert node.run("usage", "-o", "json").json()[0]["exhausted_in"] > 1e9
