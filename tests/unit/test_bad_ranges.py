"""Ranges, gateways, routes and requests that cannot be met; and what DEL makes of a config that became bad."""

from pathlib import Path

import pytest

from tests.conftest import Call
from tests.unit.refusal import (
    HELD,
    HOLDER,
    Case,
    Json,
    Site,
    check_error,
    check_refused,
    conf,
    directly,
    environment,
    refused,
    section,
    snapshot,
)

V4 = "10.0.0.0/24"
V6 = "fd00::/64"
GATEWAY = "10.0.0.1"


def one(subnet: str = V4, **rest: object) -> Json:
    return {"subnet": subnet, **rest}


def sets(*range_sets: Json | list[Json]) -> Json:
    """A config of these range sets; a set of one range may be given as that range."""
    return conf(ipam=section(ranges=[each if isinstance(each, list) else [each] for each in range_sets]))


def bad(*says: str, of: list[Json | list[Json]] | Json) -> Case:
    return refused(7, *says, config=sets(*of) if isinstance(of, list) else sets(of))


SUBNETS = {
    "a /31": bad("Network 10.0.0.0/31 too small to allocate from", of=one("10.0.0.0/31")),
    "a /32": bad("Network 10.0.0.0/32 too small to allocate from", of=one("10.0.0.0/32")),
    "a /127": bad("Network fd00::/127 too small to allocate from", of=one("fd00::/127")),
    "a /128": bad("Network fd00::/128 too small to allocate from", of=one("fd00::/128")),
    "host bits": bad("host bits set", "of length 24 the network address is 10.0.0.0", of=one("10.0.0.7/24")),
    "host bits of IPv6": bad("host bits set", "of length 64 the network address is fd00::", of=one("fd00::7/64")),
    "host bits in the second set": bad("invalid range set 1", "10.1.0.0", of=[one(), one("10.1.0.1/24")]),
}

# What Python's ipaddress or netaddr would take, or nearly so.
NO_SUBNETS = [
    "10.0.0.0",
    "10.0.0/24",
    "10/8",
    "167772160/24",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/+24",
    "10.0.0.0/",
    "10.0.0.0/99999999999999999999",
    "10.0.0.0/255.255.255.0",
    "10.0.0.0/2\u0664",
    "10.0.0.0 /24",
    "010.0.0.0/24",
    "0x0a.0.0.0/24",
    "10.0.0.256/24",
    "/24",
    "fd00::/129",
    "fd00::%eth0/64",
    "fd00:::/64",
    "fd00:00000::/64",
    "::ffff:10.0.0.0/24",
    "::ffff:10.0.0.0/120",
    "[fd00::]/64",
    "../../etc",
    " 10.0.0.0/24",
    "10.0.0.0/24\n",
    "10.0.0.0/24\0",
    "\0",
    "9" * 10_000,
]

UNREADABLE = {
    f"subnet {subnet[:40]!r}": bad("invalid CIDR address", ascii(subnet)[1:-1][:60], of=one(subnet))
    for subnet in NO_SUBNETS
}

NO_ADDRESSES = {
    f"{key} {value!r}": bad("invalid IP address", key, ascii(value)[1:-1], of=one(V4, **{key: value}))
    for key in ("rangeStart", "rangeEnd", "gateway")
    for value in ("x", "10.0.0.9/24", "10.0.0.09", "10.0.0", "10.0.0.9 ", "10.0.0.9\n", "fd00::1%eth0", "10.0.0.256")
}

EDGES = {
    "rangeStart outside": bad("RangeStart 10.0.1.0 not in network", of=one(rangeStart="10.0.1.0")),
    "rangeStart below": bad("RangeStart 9.255.255.255 not in network", of=one(rangeStart="9.255.255.255")),
    "rangeStart of the other family": bad("RangeStart fd00::1 not in network", of=one(rangeStart="fd00::1")),
    "rangeStart at the broadcast address": bad("RangeStart 10.0.0.255", V4, of=one(rangeStart="10.0.0.255")),
    "rangeEnd outside": bad("RangeEnd 10.0.1.0 not in network", of=one(rangeEnd="10.0.1.0")),
    "rangeEnd of the other family": bad("RangeEnd fd00::1 not in network", of=one(rangeEnd="fd00::1")),
    "rangeEnd at the network's address": bad("10.0.0.0", of=one(rangeEnd="10.0.0.0")),
    "rangeEnd IPv4-mapped, outside": bad("10.0.1.1 not in network", of=one(rangeEnd="::ffff:10.0.1.1")),
    "rangeStart behind rangeEnd": bad("10.0.0.20", "10.0.0.10", of=one(rangeStart="10.0.0.20", rangeEnd="10.0.0.10")),
    "rangeStart behind rangeEnd by one": bad("10.0.0.9", of=one(rangeStart="10.0.0.9", rangeEnd="10.0.0.8")),
    "rangeStart behind the end of IPv6": bad("fd00::2", of=one(V6, rangeStart="fd00::2", rangeEnd="fd00::1")),
    "gateway the broadcast address": bad("gateway 10.0.0.255", V4, of=one(gateway="10.0.0.255")),
    "gateway of the other family": bad("gateway fd00::1", V4, of=one(gateway="fd00::1")),
    "gateway of IPv4 for IPv6": bad("gateway 10.0.0.1", V6, of=one(V6, gateway=GATEWAY)),
    "gateway IPv4-mapped for IPv6": bad("gateway 10.0.0.1", V6, of=one(V6, gateway="::ffff:10.0.0.1")),
}

SETS = {
    "no range set": bad("no IP ranges specified", of=[]),
    "an empty set": bad("invalid range set 1: empty range set", of=[one(), []]),
    "an empty range": bad("invalid range set 0", "subnet", of={}),
    "a range without a subnet": bad("invalid range set 0", "subnet", of={"rangeStart": "10.0.0.9"}),
    "mixed families": bad("invalid range set 0: mixed address families", of=[[one(), one(V6)]]),
    "a range twice": bad(
        "invalid range set 0: subnets 10.0.0.1-10.0.0.254 and 10.0.0.1-10.0.0.254 overlap", of=[[one(), one()]]
    ),
    "ranges that share one address": bad(
        "10.0.0.1-10.0.0.9",
        "10.0.0.9-10.0.0.254",
        "overlap",
        of=[[one(rangeEnd="10.0.0.9"), one(rangeStart="10.0.0.9")]],
    ),
    "sets that overlap": bad("range set 0 overlaps with 1", of=[one(), one("10.0.0.0/25")]),
    "the last two sets overlap": bad("range set 1 overlaps with 2", of=[one(), one(V6), one("fd00::/48")]),
    "1,000 range sets": bad("1000", of=[one(f"10.{n // 250}.{n % 250}.0/24") for n in range(1000)]),
    "5,000 ranges in a set": bad("5000", of=[[one(f"10.{n // 250}.{n % 250}.0/24") for n in range(5000)]]),
    "two sets of a family at 0.2.0": refused(
        7,
        "CNI version 0.2.0 does not support more than 1 address per family",
        config={**sets(one(), one("10.1.0.0/24")), "cniVersion": "0.2.0"},
    ),
    "ipRanges that overlap the config's": refused(
        7, "range set 0 overlaps with 1", config=conf(runtimeConfig={"ipRanges": [[one("10.0.0.0/25")]]})
    ),
    "an old form that overlaps the ranges": refused(
        7, "range set 0 overlaps with 1", config=conf(ipam=section(subnet="10.0.0.0/16"))
    ),
}

DEFAULT = {"dst": "0.0.0.0/0"}


def route(*says: str, **changes: object) -> Case:
    """A good route, then a bad one."""
    return refused(7, "routes[1]", *says, config=conf(ipam=section(routes=[DEFAULT, {**DEFAULT, **changes}])))


ROUTES = {
    **{f"a route to {dst}": route("dst", dst, dst=dst) for dst in ("x", "10.0.0.0", "10.0.0.0/33", "fd00::/129", "")},
    **{f"a route by {gw}": route("gw", gw, gw=gw) for gw in ("x", "10.0.0.1/24", "10.0.0.01", "fd00::1%eth0")},
    # No main plugin, written in Go, could read such a number back.
    "a route's mtu of 64 bits": route("mtu", mtu=1 << 63),
    "a route's advmss of 64 bits, negative": route("advmss", advmss=-(1 << 63) - 1),
    "a route's priority of 300 digits": route("priority", priority=10**300),
    "a route's table of 64 bits": route("table", table=1 << 63),
    "a route's scope of 64 bits": route("scope", scope=1 << 64),
}


def asking(way: str, *ips: str) -> Json:
    """A config that asks for these addresses in one of two ways."""
    return conf(runtimeConfig={"ips": ips}) if way == "runtimeConfig" else conf(args={"cni": {"ips": ips}})


NO_REQUESTS = {
    f"{way} {text!r}": refused(7, "invalid IP address", ascii(text)[1:-1], config=asking(way, "10.0.0.9", text))
    for way in ("args", "runtimeConfig")
    for text in ("x", "", "10.0.0.8/33", "10.0.0.8/", "10.0.0.08", "10.0.0.8,10.0.0.7", "fd00::8%eth0", "10.0.0.8\n")
}

REQUESTS = {
    "the gateway": refused(104, "requested ip 10.0.0.1 is subnet's gateway", CNI_ARGS=f"IP={GATEWAY}"),
    "the network's address": refused(104, "10.0.0.0", CNI_ARGS="IP=10.0.0.0"),
    "the broadcast address": refused(104, "10.0.0.255", CNI_ARGS="IP=10.0.0.255"),
    "an address outside": refused(104, "failed to allocate all requested IPs: 10.9.0.9", CNI_ARGS="IP=10.9.0.9"),
    "5,000 addresses outside": refused(
        104,
        "failed to allocate all requested IPs: 10.9.0.0 10.9.0.1",
        config=conf(runtimeConfig={"ips": [f"10.9.{n // 250}.{n % 250}" for n in range(5_000)]}),
    ),
    "an address of the other family": refused(104, "fd00::9", CNI_ARGS="IP=fd00::9"),
    "an address that is held": refused(101, HELD, HOLDER, "eth0", CNI_ARGS=f"IP={HELD}"),
    "a second ADD": refused(103, f"{HELD} has been allocated to {HOLDER}", CNI_CONTAINERID=HOLDER),
    "a second ADD with a request": refused(103, HELD, CNI_CONTAINERID=HOLDER, CNI_ARGS="IP=10.0.0.9"),
    "one address good, one nowhere": refused(
        104, "10.9.0.9", config=conf(args={"cni": {"ips": ["10.0.0.9", "10.9.0.9"]}})
    ),
    "a range that is full": refused(
        100, "no IP addresses available in range set: 10.0.0.1-10.0.0.2", config=sets(one(rangeEnd=HELD))
    ),
    "the second set full": refused(
        100, "failed to allocate for range 1", "10.0.0.1-10.0.0.2", config=sets(one("10.1.0.0/24"), one(rangeEnd=HELD))
    ),
    "CHECK of a stranger": refused(102, "Failed to find address added by container c1", CNI_COMMAND="CHECK"),
    "CHECK of another interface": refused(
        102, HOLDER, "eth1", CNI_COMMAND="CHECK", CNI_CONTAINERID=HOLDER, CNI_IFNAME="eth1"
    ),
    "CHECK of another address": refused(
        102,
        "10.0.0.9",
        config=conf(prevResult={"ips": [{"address": "10.0.0.9/24"}]}),
        CNI_COMMAND="CHECK",
        CNI_CONTAINERID=HOLDER,
    ),
}

CASES = SUBNETS | EDGES | SETS | ROUTES | REQUESTS
SPELLINGS = UNREADABLE | NO_ADDRESSES | NO_REQUESTS


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_cannot_be_served_is_refused_and_changes_nothing(case: Case, site: Site, call: Call) -> None:
    check_refused(call, site, case)


@pytest.mark.parametrize("case", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_spelling_that_go_would_not_read_is_refused(case: Case, site: Site) -> None:
    check_refused(directly, site, case)


@pytest.mark.parametrize("gateway", ["10.9.0.1", "10.0.0.0", "::ffff:10.9.0.1"])
def test_a_gateway_outside_the_range_is_taken_as_go_takes_it(gateway: str, site: Site, call: Call) -> None:
    answer = call(environment(), site.stdin(sets(one(gateway=gateway))))
    assert answer.code == 0, answer
    assert answer.json()["ips"][0]["gateway"] == gateway.removeprefix("::ffff:")


BAD_NOW: dict[str, Json] = {
    "the same config": conf(),
    "no ranges": conf(ipam=section(ranges=...)),
    "an empty range set": sets([]),
    "a range with host bits": sets(one("10.0.0.7/24")),
    "other ranges": sets(one("10.7.0.0/24")),
    "ranges of a wrong type": conf(ipam=section(ranges=5)),
    "a bad route": conf(ipam=section(routes=[None])),
    "a bad resolvConf": conf(ipam=section(resolvConf=5)),
    "a bad lockTimeout": conf(ipam=section(lockTimeout="x")),
    "a bad durability": conf(ipam=section(durability="x")),
    "a bad type": conf(ipam=section(type=5)),
    "a bad request": conf(runtimeConfig={"ips": [None]}, args=5),
    "a bad prevResult": conf(prevResult=5),
    "a null for every key": conf(ipam=section(ranges=None, routes=None), prevResult=None, args=None),
    "two range sets of a family at 0.2.0": {**sets(one(), one("10.1.0.0/24")), "cniVersion": "0.2.0"},
}


@pytest.mark.parametrize("config", BAD_NOW.values(), ids=BAD_NOW.keys())
def test_del_releases_whatever_became_of_the_config(config: Json, site: Site, call: Call) -> None:
    env = environment(CNI_COMMAND="DEL", CNI_CONTAINERID=HOLDER, CNI_NETNS=None)
    for _ in range(2):
        answer = call(env, site.stdin(config))
        assert answer == (0, b"", b"")
        assert not (site.data_dir / "net" / HELD).exists()


@pytest.mark.parametrize("netns", [None, "", "/run/netns/gone", "/proc/self/ns/net"])
def test_del_does_without_the_network_namespace(netns: str | None, site: Site, call: Call) -> None:
    answer = call(environment(CNI_COMMAND="DEL", CNI_CONTAINERID=HOLDER, CNI_NETNS=netns), site.stdin(conf()))
    assert answer == (0, b"", b"")
    assert not (site.data_dir / "net" / HELD).exists()


def test_del_of_what_was_never_added_succeeds(site: Site, call: Call) -> None:
    assert call(environment(CNI_COMMAND="DEL"), site.stdin(conf())) == (0, b"", b"")
    assert call(environment(CNI_COMMAND="DEL"), site.stdin(conf(name="other"))) == (0, b"", b"")
    assert (site.data_dir / "net" / HELD).exists()


def test_gc_with_unreadable_attachments_releases_nothing(site: Site, call: Call) -> None:
    before = snapshot(site.root)
    unreadable: list[object] = [[{}], [{"containerID": ""}], [{"ifname": "eth0"}], "", 0, {}, [[]], [HOLDER]]
    for listed in unreadable:
        config = conf(**{"cni.dev/valid-attachments": listed})
        check_error(call(environment(CNI_COMMAND="GC"), site.stdin(config)), 7, "cni.dev/valid-attachments")
    assert snapshot(site.root) == before


NO_ATTACHMENTS: list[tuple[object, bool]] = [(..., True), ([], False), (None, False)]


@pytest.mark.parametrize("key", ["cni.dev/valid-attachments", "cni.dev/attachments"])
@pytest.mark.parametrize(("listed", "kept"), NO_ATTACHMENTS)
def test_gc_releases_all_for_an_empty_list_or_null_and_nothing_without_one(
    key: str, listed: object, kept: bool, site: Site, call: Call
) -> None:
    for config in (conf(**{key: listed}), conf(ipam=section(ranges=...), **{key: listed})):
        assert call(environment(CNI_COMMAND="GC"), site.stdin(config)) == (0, b"", b"")
        assert (site.data_dir / "net" / HELD).exists() is kept
