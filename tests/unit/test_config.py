"""The config as it is understood: where leases are kept, how durably, which ranges, what is asked for."""

import json
from typing import Any

import pytest

from ipam import config
from ipam.address import format_address
from ipam.errors import InvalidConfig, Undecodable
from ipam.model import IPV4, IPV6, Address, Host, Network, Range, StoreConfig
from ipam.registry import Stores, open_store
from ipam.testing.fixtures import ipv4

DEFAULT = "file:///var/lib/cni/networks"
HOST = Host("node", "boot", lambda: 1.0)
V4 = {"subnet": "10.0.0.0/24"}
V6 = {"subnet": "fd00::/64"}


def decoded(ipam: Any = None, **rest: Any) -> config.Object:
    """A config with this `ipam` section, as it comes out of the decoder."""
    return config.decode(json.dumps({"name": "net", "ipam": ipam or {}, **rest}).encode())


def store(**ipam: Any) -> StoreConfig:
    return config.store_config(decoded(ipam))


def network(ipam: dict[str, Any], *, args_ip: Address | None = None, version: str = "1.0.0", **rest: Any) -> Network:
    return config.network(decoded(ipam, **rest), version, args_ip)


def ranges(net: Network) -> list[list[Range]]:
    return [list(range_set.ranges) for range_set in net.range_sets]


def test_without_a_word_leases_are_kept_where_go_keeps_them() -> None:
    assert store() == StoreConfig(DEFAULT, lock_timeout=10.0, durable=False)
    assert store(dataDir="", store="", durability="") == store()
    assert store(dataDir=None, store=None, durability=None, lockTimeout=None) == store()


@pytest.mark.parametrize(
    ("ipam", "url"),
    [
        ({"dataDir": "/data"}, "file:///data"),
        ({"store": "file:///data"}, "file:///data"),
        ({"store": "file:///data", "dataDir": "/data"}, "file:///data"),
        ({"store": "file:///data/", "dataDir": "/data"}, "file:///data/"),
        ({"store": "file:///data", "dataDir": "/data/"}, "file:///data"),
        ({"DATADIR": "/data"}, "file:///data"),
        ({"store": "memory:"}, "memory:"),
        ({"store": "postgresql://host/db"}, "postgresql://host/db"),
    ],
)
def test_data_dir_is_short_for_a_store_of_files(ipam: dict[str, str], url: str) -> None:
    assert store(**ipam).url == url


@pytest.mark.parametrize("url", ["file:///other", "memory:", "sqlite:////data/leases.db"])
def test_a_store_and_a_data_dir_that_differ_are_refused(url: str) -> None:
    with pytest.raises(InvalidConfig, match="name two places") as caught:
        store(store=url, dataDir="/data")
    assert f'"{url}"' in caught.value.msg and '"/data"' in caught.value.msg


@pytest.mark.parametrize("url", ["/data", "data", "leases.db"])
def test_a_store_must_be_a_url(url: str) -> None:
    with pytest.raises(InvalidConfig, match=f'must be a URL such as file:///dir, not "{url}"'):
        store(store=url)


@pytest.mark.parametrize("url", ["etcd://host/leases", "files:///data", "FILE:///data", "http://x"])
def test_a_scheme_that_nothing_provides_is_named_with_those_that_are(url: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        open_store(StoreConfig(url), HOST)
    assert caught.value.msg == f'no lease store for scheme "{url.partition(":")[0]}" in store "{url}"'
    assert caught.value.details.startswith("installed: file, memory")
    assert "ipam.stores" in caught.value.details


@pytest.mark.parametrize("url", ["file:", "file:data", "file:/data", "file://data", "file://host/data"])
def test_a_store_of_files_needs_an_absolute_path(url: str) -> None:
    with pytest.raises(InvalidConfig, match="must be file:///absolute/path"):
        open_store(StoreConfig(url), HOST)


def test_an_open_store_is_kept_for_its_config() -> None:
    stores = Stores(HOST)
    first = stores.get(StoreConfig("memory:"))
    assert stores.get(StoreConfig("memory:")) is first
    assert stores.get(StoreConfig("memory:", lock_timeout=1.0)) is not first
    stores.close()
    assert stores.get(StoreConfig("memory:")) is not first


@pytest.mark.parametrize(("value", "seconds"), [(1, 1.0), (0.5, 0.5), (3600, 3600.0), (1e-3, 0.001)])
def test_lock_timeout_is_in_seconds(value: float, seconds: float) -> None:
    assert store(lockTimeout=value).lock_timeout == seconds


@pytest.mark.parametrize("value", [0, -1, 3601, 1e300, True, False, "10", [], {}, 0.0, -0.5])
def test_any_other_lock_timeout_is_refused(value: object) -> None:
    with pytest.raises(InvalidConfig, match=r"lockTimeout must be seconds, more than 0, at most 3600"):
        store(lockTimeout=value)


@pytest.mark.parametrize(("value", "durable"), [("boot", False), ("full", True)])
def test_durability_says_whether_to_wait_for_the_disk(value: str, durable: bool) -> None:
    assert store(durability=value).durable is durable


@pytest.mark.parametrize("value", ["Full", "none", "full ", "x" * 1000])
def test_any_other_durability_is_refused(value: str) -> None:
    with pytest.raises(InvalidConfig, match='durability must be "boot" or "full"') as caught:
        store(durability=value)
    assert value[:60] in caught.value.msg
    assert len(caught.value.msg) < 300


@pytest.mark.parametrize("bad", [{"durability": "x"}, {"durability": 5}, {"lockTimeout": 0}, {"lockTimeout": "x"}])
def test_del_needs_to_know_where_the_leases_are_and_no_more(bad: dict[str, Any]) -> None:
    conf = decoded({"dataDir": "/data", **bad})
    assert config.store_config(conf, strict=False) == StoreConfig("file:///data")
    with pytest.raises(InvalidConfig):
        config.store_config(conf)


@pytest.mark.parametrize(
    "bad", [{"dataDir": "data"}, {"dataDir": 5}, {"store": []}, {"dataDir": "/a", "store": "memory:"}]
)
def test_del_does_not_guess_where_the_leases_are(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig):
        config.store_config(decoded(bad), strict=False)


def test_keys_are_matched_whatever_their_case_and_the_last_counts() -> None:
    conf = config.decode(b'{"NAME":"a","Name":"b","name":null,"CniVersion":"0.3.1","IPAM":{"Type":"x"}}')
    assert (config.version_of(conf), config.name_of(conf)) == ("0.3.1", "b")
    assert config.ipam_of(conf) == {"type": "x"}


@pytest.mark.parametrize("stdin", [b"{}", b'{"cniVersion":""}', b'{"cniVersion":null}'])
def test_no_version_means_0_1_0(stdin: bytes) -> None:
    assert config.version_of(config.decode(stdin)) == "0.1.0"


@pytest.mark.parametrize("value", [5, True, [], {}])
def test_a_version_or_name_of_another_type_is_undecodable(value: object) -> None:
    conf = config.decode(json.dumps({"cniVersion": value, "name": value}).encode())
    with pytest.raises(Undecodable, match="cniVersion"):
        config.version_of(conf)
    with pytest.raises(Undecodable, match="name"):
        config.name_of(conf)


@pytest.mark.parametrize("name", ["a", "0", "0.A-b_9", "n" * 255, "a..b", "a."])
def test_good_names_are_taken(name: str) -> None:
    assert config.name_of(decoded(name=name)) == name


def test_a_range_has_defaults_for_everything_but_its_subnet() -> None:
    base = ipv4("10.0.0.0").value
    six = 0xFD00 << 112
    assert ranges(network({"ranges": [[V4], [V6]]})) == [
        [Range(IPV4, base, 24, base + 1, base + 254, ipv4("10.0.0.1"))],
        [Range(IPV6, six, 64, six + 1, six + (1 << 64) - 1, Address(IPV6, six + 1))],
    ]


def test_a_range_can_say_all_of_it() -> None:
    base = ipv4("10.0.0.0").value
    whole = {**V4, "rangeStart": "10.0.0.0", "rangeEnd": "::ffff:10.0.0.255", "gateway": "10.9.0.1"}
    expected = Range(IPV4, base, 24, base, base + 255, ipv4("10.9.0.1"))
    assert ranges(network({"ranges": [[whole]]})) == [[expected]]
    assert ranges(network(whole)) == [[expected]]
    assert ranges(network({key.upper(): value for key, value in whole.items()})) == [[expected]]


@pytest.mark.parametrize(
    ("written", "first_to_last"),
    [
        ({"subnet": "::/0"}, [("::1", "::fffe:ffff:ffff"), ("::1:0:0:0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]),
        ({"subnet": "::/80"}, [("::1", "::fffe:ffff:ffff")]),
        (
            {"subnet": "::/64", "rangeStart": "::fffe:ffff:ffff", "rangeEnd": "::1:0:0:0"},
            [("::fffe:ffff:ffff", "::fffe:ffff:ffff"), ("::1:0:0:0", "::1:0:0:0")],
        ),
        ({"subnet": "::/64", "rangeEnd": "::fffe:ffff:ffff"}, [("::1", "::fffe:ffff:ffff")]),
        ({"subnet": "::/64", "rangeStart": "::1:0:0:0"}, [("::1:0:0:0", "::ffff:ffff:ffff:ffff")]),
    ],
)
def test_ipv4_mapped_addresses_are_in_no_range_of_ipv6(
    written: dict[str, str], first_to_last: list[tuple[str, str]]
) -> None:
    (found,) = ranges(network({"ranges": [[written]]}))
    edges = [tuple(format_address(Address(IPV6, edge)) for edge in (rng.start, rng.end)) for rng in found]
    assert edges == first_to_last


def test_the_order_of_sets_is_ip_ranges_then_the_single_form_then_ranges() -> None:
    net = network(
        {**V4, "ranges": [[{"subnet": "10.1.0.0/24"}], [V6]]},
        runtimeConfig={"ipRanges": [[{"subnet": "10.2.0.0/24"}, {"subnet": "10.3.0.0/24"}]]},
    )
    starts = [[rng.subnet - ipv4("10.0.0.0").value >> 16 for rng in rngs] for rngs in ranges(net)[:3]]
    assert starts == [[2, 3], [0], [1]]
    assert [range_set.index for range_set in net.range_sets] == [0, 1, 2, 3]


def test_64_range_sets_are_allowed_and_more_are_not() -> None:
    sets = [[{"subnet": f"10.0.{number}.0/24"}] for number in range(65)]
    assert len(network({"ranges": sets[:64]}).range_sets) == 64
    with pytest.raises(InvalidConfig, match="too many IP ranges: 65 in 65 range sets"):
        network({"ranges": sets})


def test_requests_come_from_three_places_and_cni_args_give_way_to_args() -> None:
    ips = {"ips": ["10.0.0.5/24", "10.0.0.5", "fd00::5"]}
    five, six, nine = ipv4("10.0.0.5"), Address(IPV6, (0xFD00 << 112) + 5), ipv4("10.0.0.9")
    assert network(V4).requested == ()
    assert network(V4, args_ip=nine).requested == (nine,)
    assert network(V4, runtimeConfig=ips).requested == (five, six)
    assert network(V4, runtimeConfig=ips, args_ip=nine).requested == (nine, five, six)
    assert network(V4, args={"cni": ips}).requested == (five, six)
    assert network(V4, args={"cni": ips}, args_ip=nine).requested == (five, six)
    assert network(V4, args={"cni": {"ips": []}}, args_ip=nine).requested == (nine,)
    assert network(V4, args={"cni": ips}, runtimeConfig={"ips": ["10.0.0.9"]}).requested == (five, six, nine)


def test_resolv_conf_is_a_path() -> None:
    assert network(V4).resolv_conf == ""
    assert network({**V4, "resolvConf": "/etc/resolv.conf"}).resolv_conf == "/etc/resolv.conf"
