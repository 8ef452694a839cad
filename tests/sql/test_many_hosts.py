"""Several hosts on one network: nobody gets what another has, and nobody takes away what another holds."""

import json
import time
from collections import Counter
from ipaddress import ip_address

import pytest

from ipam import allocator
from ipam.address import format_address
from ipam.handler import handle
from ipam.model import Host, Lease
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Request
from tests.sql.allocation import config, opened
from tests.sql.cluster import Cluster
from tests.sql.fleet import Fleet, Order, fleet
from tests.sql.intervals import assert_sound

NODES = 8
EACH = 50
ROOM = 253  # of a /24, but for network, gateway and broadcast


@pytest.fixture
def url(postgresql: Cluster) -> str:
    """An empty store."""
    return postgresql.store()


def held(url: str) -> dict[str, Lease]:
    """The leases by address."""
    with opened(url) as store:
        return {format_address(lease.address): lease for lease in store.leases("net")}


def of_node(url: str) -> dict[str, int]:
    """How many leases each node has."""
    return Counter(lease.node for lease in held(url).values())


def adds(ipam: dict[str, object] | None = None) -> list[Order]:
    """An ADD for each of EACH containers of every node, in turns."""
    return [Order(node, "ADD", f"c{node}-{number}", ipam or {}) for number in range(EACH) for node in range(NODES)]


def test_eight_nodes_of_fifty_share_one_network(url: str) -> None:
    with fleet(url, NODES) as nodes:
        outcomes = nodes.call(adds())
        assert [outcome.said for outcome in outcomes if outcome.code] == []
        assert len({outcome.address for outcome in outcomes}) == NODES * EACH
        found = held(url)
        assert {outcome.address: outcome.order.container for outcome in outcomes} == {
            address: lease.attachment.container_id for address, lease in found.items()
        }
        assert of_node(url) == {f"node-{node}": EACH for node in range(NODES)}
        assert_sound(url)
        _gc_and_reboot_touch_their_own_leases_alone(url, nodes)
        _nothing_is_left_after_their_dels(url, nodes)
        _a_range_that_is_too_small_is_leased_to_the_last_address(url, nodes)


def _gc_and_reboot_touch_their_own_leases_alone(url: str, nodes: Fleet) -> None:
    (gc,) = nodes.call([Order(0, "GC", "", {})])
    assert gc.code == 0
    assert "node-0" in of_node(url)  # without the list of what is valid, GC releases nothing
    with opened(url, node="node-0") as store:
        store.transact("net", lambda tx: allocator.reclaim(tx, set(), this_host().named("node-0"), shared=True))
    rebooted = Host("node-1", "another boot", time.time)
    with opened(url, node="node-1") as store:
        store.transact("net", lambda tx: allocator.reclaim_after_reboot(tx, rebooted, shared=True))
    assert of_node(url) == {f"node-{node}": EACH for node in range(2, NODES)}


def _nothing_is_left_after_their_dels(url: str, nodes: Fleet) -> None:
    outcomes = nodes.call([order._replace(command="DEL") for order in adds()])
    assert {outcome.code for outcome in outcomes} == {0}
    assert held(url) == {}
    assert_sound(url)


def _a_range_that_is_too_small_is_leased_to_the_last_address(url: str, nodes: Fleet) -> None:
    outcomes = nodes.call(adds({"ranges": [[{"subnet": "10.21.0.0/24"}]]}))
    assert Counter(outcome.code for outcome in outcomes) == {0: ROOM, 100: NODES * EACH - ROOM}
    found = held(url)
    assert {outcome.address for outcome in outcomes if not outcome.code} == set(found)
    assert len(found) == ROOM
    assert all(ip_address("10.21.0.2") <= ip_address(address) <= ip_address("10.21.0.254") for address in found)
    assert_sound(url)


def test_a_server_that_is_killed_loses_nothing_that_was_answered() -> None:
    before = [Order(node, "ADD", f"old{node}-{number}") for number in range(25) for node in range(4)]
    during = [order for number, old in enumerate(before) for order in (
        old._replace(command="DEL"),
        *[Order(old.node, "ADD", f"new{number}-{more}") for more in range(3)],
    )]  # fmt: skip
    assert len(during) == 400
    with Cluster("max_connections = 200") as server:
        url = server.store()
        with fleet(url, 4) as nodes:
            assert {outcome.code for outcome in nodes.call(before)} == {0}
            clients = nodes.send(during)
            while len(held(url)) < 150:
                time.sleep(0.002)
            server.kill()
            server.start()
            outcomes = nodes.receive(during, clients)
            found = held(url)
            holders = {lease.attachment.container_id: address for address, lease in found.items()}
            assert len(holders) == len(found)
            for order, address, code, said in outcomes:
                if code:
                    assert code == 11
                    assert "may have been made" in said or (order.command == "ADD") != (order.container in holders), (
                        said
                    )
                else:
                    assert holders.get(order.container, "") == address
            assert_sound(url)
            again = [order._replace(command="DEL") for order in during]
            assert {outcome.code for outcome in nodes.call(again)} == {0}
            assert held(url) == {}
            assert_sound(url)


def test_a_node_that_cannot_tell_its_name_touches_no_other_ones_leases(url: str) -> None:
    one, two = Host("debian", "boot-1", time.time), Host("debian", "boot-2", time.time)
    named = {"ranges": [[{"subnet": "10.20.0.0/16"}]], "nodeName": "one"}

    def call(host: Host, command: str, container: str, ipam: dict[str, object], **more: object) -> int:
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_IFNAME": "eth0", "CNI_NETNS": "/nowhere"}
        conf = {**json.loads(config(url, version="1.1.0", **ipam)), **more}
        stores = Stores(host)
        try:
            return handle(Request(env, json.dumps(conf).encode(), own_netns=False), host, stores).exit_code
        finally:
            stores.close()

    assert [call(one, "ADD", "a", named), call(two, "ADD", "b", {}), call(two, "ADD", "c", {})] == [0, 0, 0]
    wrong = {**named, "lockTimeout": "10"}
    assert [call(one, "ADD", "d", wrong), call(one, "DEL", "a", wrong)] == [1, 0]
    assert {lease.attachment.container_id for lease in held(url).values()} == {"b", "c"}
    nameless = {**named, "nodeName": "no name"}
    assert call(one, "ADD", "a", named) == 0
    assert call(one, "DEL", "a", nameless) == 0
    none_valid: dict[str, object] = {"cni.dev/valid-attachments": []}
    assert [call(one, "GC", "", nameless, **none_valid), call(one, "GC", "", wrong, **none_valid)] == [1, 0]
    assert {lease.attachment.container_id for lease in held(url).values()} == {"b", "c"}
