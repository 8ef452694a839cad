"""`ipam validate`: what it finds, and what it does not mind."""

import json
import re
from pathlib import Path

import pytest

from ipam.allocator import set_text
from ipam.inspection import validation
from ipam.inspection.configs import read_file
from ipam.inspection.validation import HostSubnet, validate
from ipam.model import IPV4, IPV6, Address
from ipam.witnesses.interfaces import host_subnets
from tests.cli.node import Node

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "conf").glob("*.conflist"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """One store is enough here."""
    return f"file://{tmp_path}/networks"


def findings(node: Node, path: Path, *more: str) -> list[tuple[str, str]]:
    """(level, key) of what is found."""
    (network,) = json.loads(node.run("validate", str(path), *more, "-o", "json").out)["networks"]
    return [(each["level"], each["key"]) for each in network["findings"]]


def test_a_sound_config_is_told_as_the_plugin_sees_it(node: Node) -> None:
    path = node.configure("10.203.0.0/24", "fd00:cb::/64", routes=[{"dst": "0.0.0.0/0"}])
    said = node.run("validate", str(path))
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "network containers, handed over by bridge, cniVersion 1.0.0",
        f"  leases in {node.url}, lock timeout 10 s, does not wait for the disk",
        "  range set 0: 10.203.0.1-10.203.0.254 of 10.203.0.0/24, gateway 10.203.0.1",
        "  range set 0 has room for 253 containers",
        "  range set 1: fd00:cb::1-fd00:cb::ffff:ffff:ffff:ffff of fd00:cb::/64, gateway fd00:cb::1",
        "  range set 1 has room for 18446744073709551614 containers",
        "  route to 0.0.0.0/0 by the gateway",
    ]


@pytest.mark.parametrize("path", [each for each in EXAMPLES if each.stem != "flannel"], ids=lambda path: path.stem)
def test_the_examples_have_no_unknown_keys(path: Path) -> None:
    for use in read_file(path):
        assert not use.problem
        assert not list(validation.unknown_keys(use.conf))


def test_the_keys_are_those_of_the_reference() -> None:
    text = (ROOT / "conf" / "README.md").read_text().split("### Environment")[0]
    keys = re.findall(r"^\| `(ipam\.[\w.\[\]]+)` \|", text, re.M)
    assert {key.removeprefix("ipam.") for key in keys if key.count(".") == 1} == set(validation.IPAM)
    assert {key.rpartition(".")[2] for key in keys if key.startswith("ipam.ranges[][].")} == set(validation.RANGE)
    assert {key.rpartition(".")[2] for key in keys if key.startswith("ipam.routes[].")} == set(validation.ROUTE)
    assert {key.rpartition(".")[2] for key in keys if key.startswith("ipam.historyKeep.")} == set(validation.KEEP)


@pytest.mark.parametrize(
    ("ipam", "key", "meant"),
    [
        ({"rangs": []}, "ipam.rangs", "ranges"),
        ({"datadir ": "/x"}, "ipam.datadir ", "dataDir"),
        ({"ranges": [[{"subnet": "10.203.0.0/24", "gatway": "10.203.0.1"}]]}, "ipam.ranges[0][0].gatway", "gateway"),
        ({"routes": [{"dst": "0.0.0.0/0", "via": "10.203.0.1"}]}, "ipam.routes[0].via", "known are"),
        ({"lock_timeout": 3}, "ipam.lock_timeout", "lockTimeout"),
    ],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(
    node: Node, ipam: dict[str, object], key: str, meant: str
) -> None:
    path = node.configure(**ipam)
    assert findings(node, path) == [("warning", key)]
    assert meant in node.run("validate", str(path)).out


def test_keys_in_any_case_are_known(node: Node) -> None:
    assert findings(node, node.configure(LOCKTIMEOUT=3)) == []


def test_a_wrong_value_is_an_error(node: Node) -> None:
    path = node.configure("10.203.0.1/24")
    assert findings(node, path) == [("error", "")]
    assert node.run("validate", str(path)).code == 3


@pytest.mark.parametrize("key", ["lockTimeout", "durability", "logLevel", "historyKeep", "nodeName"])
def test_a_key_that_add_refuses_is_an_error_and_nothing_is_said_in_its_place(node: Node, key: str) -> None:
    path = node.configure(**{key: "not/this"})
    assert findings(node, path) == [("error", "")]
    said = node.run("validate", str(path))
    assert f"error: ipam.{key} " in said.out
    assert "lock timeout" not in said.out


def test_a_resolv_conf_that_is_not_there_is_a_warning(node: Node) -> None:
    assert findings(node, node.configure(resolvConf="/nowhere/resolv.conf")) == [("warning", "")]


def test_a_small_range_is_a_warning(node: Node) -> None:
    path = node.configure("10.203.0.0/28")
    assert findings(node, path) == [("warning", "ipam.ranges")]
    assert findings(node, path, "--max-pods", "13") == []


def test_ranges_of_the_runtime_are_no_error(node: Node) -> None:
    path = node.configure(ranges=None)
    conf = json.loads(path.read_text())
    conf["plugins"][0]["capabilities"] = {"ipRanges": True}
    path.write_text(json.dumps(conf))
    assert findings(node, path) == [("warning", "")]


def test_flannels_subnets_are_those_of_its_daemon(node: Node, tmp_path: Path) -> None:
    path, env = tmp_path / "10-flannel.conflist", tmp_path / "subnet.env"
    plugin = {"type": "flannel", "subnetFile": str(env), "delegate": {"isDefaultGateway": True}}
    path.write_text(json.dumps({"cniVersion": "1.0.0", "name": "cbr0", "plugins": [plugin, {"type": "portmap"}]}))
    (use,) = read_file(path)
    assert (use.network, "no IP ranges" in use.problem) == (None, True)
    said = node.run("validate", str(path))
    assert (said.code, said.out.count(f"has not written them to {env} yet")) == (0, 1)
    env.write_text("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_IPV6_SUBNET=fd00:3::1/64\n")
    (use,) = read_file(path)
    assert use.network is not None
    assert [set_text(each) for each in use.network.range_sets] == [
        "10.244.3.1-10.244.3.254",
        "fd00:3::1-fd00:3::ffff:ffff:ffff:ffff",
    ]


def test_ranges_of_another_config_that_overlap_are_a_warning(node: Node, tmp_path: Path) -> None:
    path = node.configure("10.203.0.0/24")
    node.configure("10.81.0.0/24", name="apart")
    assert findings(node, path) == []
    node.configure("10.203.0.128/25", name="near")
    assert findings(node, path) == [("warning", "ipam.ranges")]
    assert "of network near in" in node.run("validate", str(path)).out


def test_keys_that_mean_nothing_to_the_store_are_a_warning(node: Node) -> None:
    assert findings(node, node.configure(store="memory:", durability="full")) == [("warning", "ipam.durability")]


SUBNETS = [HostSubnet("eth0", Address(IPV4, 0x0ACB0000), 24), HostSubnet("cni0", Address(IPV4, 0x0A510000), 24)]


@pytest.mark.parametrize(
    ("plugin", "subnet", "found"),
    [
        ("bridge", "10.203.0.0/25", 1),
        ("bridge", "10.81.0.0/24", 0),  # the bridge's own
        ("ptp", "10.81.0.0/24", 1),
        ("macvlan", "10.203.0.0/24", 0),  # that is what it is for
        ("bridge", "10.82.0.0/24", 0),
    ],
)
def test_a_subnet_of_the_host_that_overlaps_is_a_warning(node: Node, plugin: str, subnet: str, found: int) -> None:
    (use,) = read_file(node.configure(subnet, plugin=plugin))
    assert len(list(validate(use, [], SUBNETS, 1))) == found


def test_the_subnets_of_the_host_are_those_of_the_routing_tables(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "veth1\t0500500A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
    )
    zero, one = "0" * 32, "00000100 00000001 00000000 00000001"
    (tmp_path / "ipv6_route").write_text(
        f"fd00{zero[4:]} 40 {zero} 00 {zero} {one}     eth0\n"
        f"fe80{zero[4:]} 40 {zero} 00 {zero} {one}     eth0\n"
        f"ff00{zero[4:]} 08 {zero} 00 {zero} {one}     eth0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
    )
    assert host_subnets(tmp_path) == [
        HostSubnet("eth0", Address(IPV4, 0xC0000200), 24),
        HostSubnet("eth0", Address(IPV6, 0xFD00 << 112), 64),
    ]
    assert host_subnets(tmp_path / "missing") == []
    assert isinstance(host_subnets(), list)
