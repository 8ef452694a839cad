"""A node with a runtime on it, and Go's main plugins as networks that delegate to the plugin under test."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ipam.address import format_address
from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store
from tests.peer.namespaces import Namespace, Node
from tests.peer.runtime import Attachment, Json, Runtime

NETWORK = "peer-net"
GATEWAY4, GATEWAY6 = "10.61.0.1", "fd00:61::1"
FIRST4, FIRST6 = "10.61.0.2", "fd00:61::2"
Ranges = list[list[dict[str, str]]]
RANGES: Ranges = [[{"subnet": "10.61.0.0/24"}], [{"subnet": "fd00:61::/64"}]]
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=f3c1"
VLAN_ID = "61"


class Main(NamedTuple):
    """A main plugin: its config, what the node needs for it, the link type that the kernel must know."""

    config: Json
    prepare: Callable[[Node], None]
    kind: tuple[str, ...]


def _nothing(node: Node) -> None:
    """The plugin makes the gateway itself."""


def _router(node: Node) -> None:
    node.cable("uplink", "router", f"{GATEWAY4}/24", f"{GATEWAY6}/64")


def _router_in_a_vlan(node: Node) -> None:
    node.cable("uplink", "router")
    node.host.ip("link", "add", "link", "router", "name", "tagged", "type", "vlan", "id", VLAN_ID)
    node.host.ip("link", "set", "tagged", "up")
    for address in (f"{GATEWAY4}/24", f"{GATEWAY6}/64"):
        node.host.ip("addr", "add", address, "dev", "tagged")


MAINS = {
    "bridge": Main({"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False}, _nothing, ("bridge",)),
    "ptp": Main({"type": "ptp", "ipMasq": False}, _nothing, ("veth",)),
    "macvlan": Main({"type": "macvlan", "master": "uplink", "mode": "bridge"}, _router, ("macvlan",)),
    "ipvlan": Main({"type": "ipvlan", "master": "uplink", "mode": "l2"}, _router, ("ipvlan",)),
    "vlan": Main(
        {"type": "vlan", "master": "uplink", "vlanId": int(VLAN_ID)},
        _router_in_a_vlan,
        ("vlan", "id", VLAN_ID),
    ),
    "host-device": Main({"type": "host-device", "device": "uplink"}, _router, ("veth",)),
}


class Site(NamedTuple):
    """Where a test attaches containers: `data_dir`, or `store`, is where the plugin under test keeps its leases."""

    node: Node
    runtime: Runtime
    data_dir: Path
    store: str = ""

    def network(
        self,
        main: str,
        version: str = "1.0.0",
        *,
        ranges: Ranges = RANGES,
        behind: Sequence[Json] = (),
        ipam: Json | None = None,
    ) -> Json:
        """A network list with the main plugin in front; skips where the kernel cannot make its links.

        `behind` follows it in the chain; `ipam` adds to, or replaces, keys of its ipam section.
        """
        config, prepare, kind = MAINS[main]
        if not self.node.can_make(*kind):
            # Even in CI: no package brings what a kernel was built without.
            pytest.skip(f"this kernel makes no {kind[0]} links, which {main} needs")
        prepare(self.node)
        section = {
            "type": "host-local",
            **({"store": self.store} if self.store else {"dataDir": str(self.data_dir)}),
            "ranges": ranges,
            "routes": ROUTES,
            **(ipam or {}),
        }
        return {"cniVersion": version, "name": NETWORK, "plugins": [{**config, "ipam": section}, *behind]}

    def attachment(self, *, args: str = POD_ARGS, **capabilities: Any) -> tuple[Attachment, Namespace]:
        """A new container's eth0, and its namespace."""
        container = self.node.container()
        identity = container.name.removeprefix("ipam-test-")
        return Attachment(identity, container.path, args=args, capabilities=capabilities), container

    def leased(self) -> set[str]:
        """The addresses that are leased; by the lease files where there are some."""
        if self.store:
            return all_leased(self.store)[NETWORK]
        return leased(self.data_dir / NETWORK)


def all_leased(url: str) -> dict[str, set[str]]:
    """The addresses that are leased in each network of a store."""
    store = open_store(StoreConfig(url), this_host())
    try:
        return {name: {format_address(lease.address) for lease in store.leases(name)} for name in store.networks()}
    finally:
        store.close()


def leased(network: Path) -> set[str]:
    """The names in a network's directory that are addresses: all but the lock and the cursors."""
    return {
        file.name for file in network.iterdir() if file.name != "lock" and not file.name.startswith("last_reserved_ip.")
    }
