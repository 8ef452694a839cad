"""The example conflists in conf/: each is understood, gives addresses, and works behind its real main plugin."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipam import config
from ipam.handler import handle
from ipam.model import Host
from ipam.registry import Stores
from ipam.request import Request
from tests.conftest import GO_PLUGIN_DIRS, missing
from tests.peer.namespaces import CommandError, Node
from tests.peer.runtime import Attachment, Json, Runtime

CONF = Path(__file__).parents[2] / "conf"
EXAMPLES = sorted(CONF.glob("*.conflist"))
MAINS = ("bridge", "ptp", "macvlan", "ipvlan", "vlan", "host-device", "flannel")
HOST = Host("node", "boot", lambda: 1.0)
FLANNEL_NETWORK, FLANNEL_SUBNET = "10.87.0.0/16", "10.87.5.0/24"

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def main_of(path: Path) -> str:
    """The main plugin that a file is an example for: what its name begins with."""
    return next(main for main in MAINS if path.stem == main or path.stem.startswith(f"{main}-"))


def loaded(path: Path) -> Json:
    """The network list of an example."""
    network: Json = json.loads(path.read_text())
    return network


def ready(path: Path) -> Json:
    """The same, as far as a runtime runs it: flannel's part becomes what flannel writes for bridge."""
    network = loaded(path)
    main, *behind = network["plugins"]
    if main["type"] == "flannel":
        subnets = {"ranges": [[{"subnet": FLANNEL_SUBNET}]], "routes": [{"dst": FLANNEL_NETWORK}]}
        ipam = {"type": "host-local", **main["ipam"], **subnets}
        main = {"type": "bridge", "isGateway": True, "ipMasq": True, "mtu": 1450, **main["delegate"], "ipam": ipam}
    return {**network, "plugins": [main, *behind]}


def test_there_is_an_example_for_every_main_plugin() -> None:
    assert {main_of(path) for path in EXAMPLES} == set(MAINS)


def test_no_two_examples_share_a_network_a_subnet_or_a_bridge() -> None:
    networks = [loaded(path) for path in EXAMPLES]
    subnets = {path: set(re.findall(r'"subnet": "([^"]+)"', path.read_text())) for path in EXAMPLES}
    bridges = [network["plugins"][0]["bridge"] for network in networks if "bridge" in network["plugins"][0]]
    assert len({network["name"] for network in networks}) == len(EXAMPLES)
    assert len(set(bridges)) == len(bridges)
    assert sum(map(len, subnets.values())) == len(set().union(*subnets.values()))


@every_example
def test_the_file_is_named_for_its_main_plugin(path: Path) -> None:
    network = loaded(path)
    main = network["plugins"][0]
    assert main["type"] == main_of(path)
    assert main["ipam"].get("type", "host-local") == "host-local"
    assert "type" in main["ipam"] or main["type"] == "flannel"


@every_example
def test_add_understands_it_and_gives_an_address_of_each_range_set(path: Path, tmp_path: Path) -> None:
    network = ready(path)
    stdin = {**network["plugins"][0], "name": network["name"], "cniVersion": network["cniVersion"]}
    conf = config.decode(json.dumps(stdin).encode())
    understood = config.network(conf, network["cniVersion"], None)
    assert understood.name == network["name"]
    assert config.store_config(conf).url == "file:///var/lib/cni/networks"

    stdin["ipam"]["dataDir"] = str(tmp_path)
    if "resolvConf" in stdin["ipam"]:
        stdin["ipam"]["resolvConf"] = str(_resolv_conf(tmp_path))
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/c1"}
    stores = Stores(HOST)
    reply = handle(Request(env, json.dumps(stdin).encode()), HOST, stores)
    stores.close()

    result = json.loads(reply.stdout)
    assert reply.exit_code == 0, result
    assert len(result["ips"]) == len(stdin["ipam"]["ranges"])
    assert len(result.get("routes", [])) == len(stdin["ipam"].get("routes", []))
    gateways = [rng["gateway"] for ranges in stdin["ipam"]["ranges"] for rng in ranges[:1] if "gateway" in rng]
    assert set(gateways) <= {ip["gateway"] for ip in result["ips"]}


def _resolv_conf(directory: Path) -> Path:
    path = directory / "resolv.conf"
    path.write_text("nameserver 192.0.2.53\n")
    return path


@pytest.fixture
def node(as_root: None) -> Iterator[Node]:
    """A node of the test's own, with the network cards that the examples speak of."""
    try:
        node = Node()
    except CommandError as reason:
        missing(f"the right to make network namespaces ({reason})")
        raise
    with node:
        for card in ("eth0", "eth1"):
            node.cable(card, f"far-{card}")
        yield node


@every_example
def test_it_works_behind_its_real_main_plugin(path: Path, node: Node, cni_bin: Path, tmp_path: Path) -> None:
    network = ready(path)
    main = network["plugins"][0]
    _need(main["type"], node, cni_bin)
    if main.get("ipMasq"):
        _need_nat(node)
    main["ipam"]["dataDir"] = str(tmp_path / "leases")
    runtime = Runtime(cni_bin, tmp_path / "cache", within=node.host.entry)
    container = node.container()
    capabilities: dict[str, Any] = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
    attachment = Attachment("c1", container.path, capabilities=capabilities)

    result = runtime.add(network, attachment)
    assert container.addresses("eth0") == {ip["address"] for ip in result["ips"]}
    runtime.delete(network, attachment)

    assert container.interfaces() == set()
    left = {entry.name for entry in (tmp_path / "leases" / network["name"]).iterdir()}
    assert all(name == "lock" or name.startswith("last_reserved_ip.") for name in left), left


def _need(main: str, node: Node, cni_bin: Path) -> None:
    if not (cni_bin / main).exists():
        missing(f"{main} in {' or '.join(map(str, GO_PLUGIN_DIRS))} (Debian: containernetworking-plugins)")
    kinds = {"vlan": ("vlan", "id", "85"), "ptp": (), "host-device": ()}.get(main, (main,))
    if kinds and not node.can_make(*kinds):
        # Even in CI: no package brings what a kernel was built without.
        pytest.skip(f"this kernel makes no {main} links")


def _need_nat(node: Node) -> None:
    for tool, target in (("iptables", "192.0.2.1"), ("ip6tables", "2001:db8::1")):
        try:
            node.host.run(tool, "-t", "nat", "-A", "POSTROUTING", "-s", target, "-j", "MASQUERADE")
        except CommandError as reason:
            pytest.skip(f"this kernel has no NAT: {reason}")
