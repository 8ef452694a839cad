"""Go's main plugins delegate to our plugin: real interfaces in namespaces, from ADD to the second DEL."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.peer.namespaces import CommandError
from tests.peer.runtime import PluginError
from tests.peer.site import FIRST4, FIRST6, GATEWAY4, GATEWAY6, MAINS, RANGES, Ranges, Site

VERSIONS = ["0.3.1", "0.4.0", "1.0.0"]
WITHOUT_CHECK = "0.3.1"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("main", MAINS)
def test_a_dual_stack_attachment_works_from_add_to_the_second_del(main: str, version: str, site: Site) -> None:
    network = site.network(main, version)
    attachment, container = site.attachment()

    result = site.runtime.add(network, attachment)

    assert result["cniVersion"] == version
    assert [entry["address"] for entry in result["ips"]] == [f"{FIRST4}/24", f"{FIRST6}/64"]
    assert [entry["gateway"] for entry in result["ips"]] == [GATEWAY4, GATEWAY6]
    assert container.addresses("eth0") == {f"{FIRST4}/24", f"{FIRST6}/64"}
    assert container.default_gateways() == {GATEWAY4, GATEWAY6}
    container.ping(GATEWAY4)
    container.ping(GATEWAY6)
    assert site.leased() == {FIRST4, FIRST6}
    if version != WITHOUT_CHECK:
        site.runtime.check(network, attachment)

    site.runtime.delete(network, attachment)

    assert site.leased() == set()
    assert container.interfaces() == set()
    if main == "host-device":
        # It asks the IPAM first, and then misses the device that its first DEL gave back to the host.
        with pytest.raises(PluginError) as refused:
            site.runtime.delete(network, attachment)
        assert refused.value.msg.startswith('failed to find "eth0"')
    else:
        site.runtime.delete(network, attachment)
    site.runtime.delete(network, attachment._replace(netns=""))


@pytest.mark.parametrize("main", ["bridge", "ptp", "macvlan"])
def test_leases_may_be_in_any_store(main: str, store: str, site_of_store: Site) -> None:
    test_a_dual_stack_attachment_works_from_add_to_the_second_del(main, "1.0.0", site_of_store)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("ranges", "gateway"), [(RANGES[:1], GATEWAY4), (RANGES[1:], GATEWAY6)], ids=["IPv4", "IPv6"])
def test_one_family_alone_works(ranges: Ranges, gateway: str, version: str, site: Site) -> None:
    network = site.network("bridge", version, ranges=ranges)
    attachment, container = site.attachment()
    site.runtime.add(network, attachment)
    container.ping(gateway)
    site.runtime.delete(network, attachment)
    assert site.leased() == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_portmap_and_tuning_work_behind_bridge(version: str, site: Site) -> None:
    if not shutil.which("iptables"):
        missing("iptables (Debian: iptables)")
    host = site.node.host
    try:
        # A rule that no packet meets, to see whether it can be made.
        host.run("sh", "-c", "iptables -t nat -A OUTPUT -d 192.0.2.1 -j DNAT --to-destination 192.0.2.2")
    except CommandError as reason:
        pytest.skip(f"this kernel has no NAT, which portmap needs: {reason}")
    behind = [
        {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_ignore": "1"}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    network = site.network("bridge", version, behind=behind)
    attachment, container = site.attachment(portMappings=[{"hostPort": 8061, "containerPort": 80, "protocol": "tcp"}])

    result = site.runtime.add(network, attachment)

    assert [entry["address"] for entry in result["ips"]] == [f"{FIRST4}/24", f"{FIRST6}/64"]
    assert f"--to-destination {FIRST4}:80" in host.run("iptables", "-t", "nat", "-S")
    container.ping(GATEWAY4)
    if version != WITHOUT_CHECK:
        # Without portmap: 1.1.1 looks for the rules of each family among those of both.
        site.runtime.check({**network, "plugins": network["plugins"][:-1]}, attachment)
    site.runtime.delete(network, attachment)
    assert FIRST4 not in host.run("iptables", "-t", "nat", "-S")
    assert site.leased() == set()


def test_two_containers_on_one_bridge_reach_each_other(site: Site) -> None:
    network = site.network("bridge")
    one, container = site.attachment()
    other, _ = site.attachment()
    site.runtime.add(network, one)
    assert site.runtime.add(network, other)["ips"][0]["address"] == "10.61.0.3/24"
    container.ping("10.61.0.3")


def test_two_interfaces_of_one_container_are_two_attachments(site: Site) -> None:
    # Without routes, for two default routes in one container would collide.
    network = site.network("macvlan", ranges=RANGES[:1], ipam={"routes": []})
    first, container = site.attachment()
    second = first._replace(ifname="net1")
    site.runtime.add(network, first)
    site.runtime.add(network, second)
    assert site.leased() == {FIRST4, "10.61.0.3"}
    site.runtime.delete(network, first)
    assert site.leased() == {"10.61.0.3"}
    assert container.addresses("net1") == {"10.61.0.3/24"}


def test_the_name_servers_of_resolv_conf_reach_the_result(site: Site, tmp_path: Path) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 192.0.2.53\nsearch example.org\n")
    # ptp, because bridge 1.1.1 replaces the IPAM's DNS even with an empty one of its own.
    network = site.network("ptp", ipam={"resolvConf": str(resolv_conf)})
    attachment, _ = site.attachment()
    result = site.runtime.add(network, attachment)
    assert result["dns"] == {"nameservers": ["192.0.2.53"], "search": ["example.org"]}


def test_ranges_of_the_runtime_go_first(site: Site) -> None:
    network = site.network("bridge", ranges=RANGES[1:])
    network["plugins"][0]["capabilities"] = {"ipRanges": True}
    attachment, container = site.attachment(ipRanges=[[{"subnet": "10.62.0.0/24"}]])
    result = site.runtime.add(network, attachment)
    assert [entry["address"] for entry in result["ips"]] == ["10.62.0.2/24", f"{FIRST6}/64"]
    container.ping("10.62.0.1")


def test_the_runtime_gets_the_addresses_that_it_asks_for(site: Site) -> None:
    network = site.network("bridge")
    network["plugins"][0]["capabilities"] = {"ips": True}
    attachment, container = site.attachment(ips=["fd00:61::77", "10.61.0.77/24"])
    site.runtime.add(network, attachment)
    assert container.addresses("eth0") == {"10.61.0.77/24", "fd00:61::77/64"}
    container.ping(GATEWAY6)


def test_a_container_that_vanished_gives_its_addresses_back(site: Site) -> None:
    network = site.network("bridge")
    attachment, container = site.attachment()
    site.runtime.add(network, attachment)
    container.remove()
    site.runtime.delete(network, attachment)
    assert site.leased() == set()
