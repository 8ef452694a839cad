"""What podman's users do, with the launcher in host-local's place: addresses come, work, and go."""

from concurrent.futures import ThreadPoolExecutor

from tests.daemon.service import until
from tests.podman.node import PodmanNode

SUBNET4, SUBNET6 = "10.80.0.0/24", "fd00:80::/64"
GATEWAY4, GATEWAY6 = "10.80.0.1", "fd00:80::1"
OTHER, OTHER_GATEWAY = "10.81.0.0/24", "10.81.0.1"


def test_a_container_gets_an_address_reaches_its_gateway_and_leaves_nothing(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4, routes=["0.0.0.0/0"])
    container = node.start("c1", network="net")
    assert node.addresses("c1") == {"10.80.0.2/24"}
    assert node.leases("net") == {"10.80.0.2": container}
    node.ping("c1", GATEWAY4)
    node.remove("c1")
    assert node.leases("net") == {}
    assert node.cached_results() == set()
    assert node.requests() == {"ADD ok": 1, "DEL ok": 1}  # the daemon's answers, not a one-shot's


def test_containers_of_one_network_reach_each_other(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4)
    first, second = node.start("c1", network="net"), node.start("c2", network="net")
    node.ping("c2", "10.80.0.2")
    assert node.leases("net") == {"10.80.0.2": first, "10.80.0.3": second}


def test_a_static_address_is_given_once(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4)
    container = node.start("c1", "--ip", "10.80.0.77", network="net")
    assert node.addresses("c1") == {"10.80.0.77/24"}
    said = node.start_fails("c2", "--ip", "10.80.0.77", network="net")
    assert "10.80.0.77" in said and container in said  # podman shows msg and details, which name the holder
    assert node.leases("net") == {"10.80.0.77": container}
    node.remove("c1", "c2")
    node.start("c3", "--ip", "10.80.0.77", network="net")
    assert node.addresses("c3") == {"10.80.0.77/24"}


def test_dual_stack(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4, SUBNET6, routes=["0.0.0.0/0", "::/0"])
    container = node.start("c1", network="net")
    assert node.addresses("c1") == {"10.80.0.2/24", "fd00:80::2/64"}
    assert node.leases("net") == {"10.80.0.2": container, "fd00:80::2": container}
    node.ping("c1", GATEWAY4)
    node.ping("c1", GATEWAY6)
    asked = node.start("c2", "--ip", "10.80.0.50", "--ip6", "fd00:80::50", network="net")
    assert node.addresses("c2") == {"10.80.0.50/24", "fd00:80::50/64"}
    assert node.leases("net") == {
        "10.80.0.2": container,
        "fd00:80::2": container,
        "10.80.0.50": asked,
        "fd00:80::50": asked,
    }
    node.remove("c1", "c2")
    assert node.leases("net") == {}


def test_a_published_port_leads_to_the_address(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4, routes=["0.0.0.0/0"])
    node.start("web", "--publish", "8080:80", network="net", command=("httpd", "-f", "-p", "80", "-h", "/www"))
    node.podman("exec", "web", "sh", "-c", "echo here I am >/www/index.html")

    def answers(at: str) -> bool:
        return node.machine.run("busybox", "wget", "-qO-", f"http://{at}/", check=False).stdout == "here I am\n"

    until("the web server listens", lambda: answers("10.80.0.2"))
    assert answers(f"{GATEWAY4}:8080")
    node.remove("web")
    assert not answers(f"{GATEWAY4}:8080")
    assert node.leases("net") == {}


def test_two_networks_give_an_address_each(node: PodmanNode) -> None:
    node.add_network("one", SUBNET4)
    node.add_network("two", OTHER)
    container = node.start("c1", network="one,two")
    interfaces = [node.addresses("c1", ifname) for ifname in ("eth0", "eth1")]
    assert sorted(map(sorted, interfaces)) == [["10.80.0.2/24"], ["10.81.0.2/24"]]
    node.ping("c1", GATEWAY4)
    node.ping("c1", OTHER_GATEWAY)
    assert (node.leases("one"), node.leases("two")) == ({"10.80.0.2": container}, {"10.81.0.2": container})
    node.remove("c1")
    assert (node.leases("one"), node.leases("two")) == ({}, {})


def test_a_network_is_joined_and_left_while_the_container_runs(node: PodmanNode) -> None:
    node.add_network("one", SUBNET4)
    node.add_network("two", OTHER)
    container = node.start("c1", network="one")
    node.podman("network", "connect", "two", "c1")
    node.ping("c1", OTHER_GATEWAY)
    assert node.leases("two") == {"10.81.0.2": container}
    node.podman("network", "disconnect", "two", "c1")
    assert (node.leases("one"), node.leases("two")) == ({"10.80.0.2": container}, {})


def test_a_stopped_container_keeps_nothing_and_gets_an_address_when_it_starts(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4)
    container = node.start("c1", network="net")
    node.podman("stop", "--time", "0", "c1")
    assert node.leases("net") == {}
    node.podman("start", "c1")
    assert node.leases("net") == {"10.80.0.3": container}
    assert node.addresses("c1") == {"10.80.0.3/24"}
    node.podman("restart", "--time", "0", "c1")
    assert node.leases("net") == {"10.80.0.4": container}
    node.ping("c1", GATEWAY4)


def test_a_container_that_ends_by_itself_gives_its_address_back(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4)
    node.start("c1", "--rm", network="net")
    node.machine.run("kill", "-KILL", str(node.pid("c1")))
    until("conmon has cleaned up", lambda: node.leases("net") == {} and node.podman("ps", "-aq") == "")


def test_a_full_range_is_told_and_a_removal_helps(node: PodmanNode) -> None:
    node.add_network("net", "10.80.0.0/29")
    for number in range(5):
        node.start(f"c{number}", network="net")
    held = node.leases("net")
    assert len(held) == 5
    assert "no IP addresses available in range set" in node.start_fails("more", network="net")
    assert node.leases("net") == held
    node.remove("c3", "more")
    node.start("more", network="net")
    assert node.addresses("more") == {"10.80.0.5/29"}


def test_containers_started_at_once_get_an_address_each(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4)
    node.start("first", network="net")  # the bridge plugin cannot make one bridge several times at once
    names = [f"c{number}" for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        ids = list(pool.map(lambda name: node.start(name, network="net"), names))
    assert len(node.leases("net")) == 7
    assert set(ids) < set(node.leases("net").values())
    node.remove("first", *names)
    assert node.leases("net") == {}
    assert node.requests() == {"ADD ok": 7, "DEL ok": 7}


def test_the_daemon_may_be_restarted_killed_and_stopped_while_containers_come_and_go(node: PodmanNode) -> None:
    node.add_network("net", SUBNET4)
    containers = [node.start("c1", network="net")]
    node.machine.run("systemctl", "restart", "ipam.service")
    containers.append(node.start("c2", network="net"))
    node.machine.run("systemctl", "kill", "--signal=KILL", "ipam.service")
    containers.append(node.start("c3", network="net"))
    node.machine.run("systemctl", "stop", "ipam.socket", "ipam.service")
    containers.append(node.start("c4", network="net"))  # by the one-shot
    assert node.leases("net") == {f"10.80.0.{number}": held for number, held in enumerate(containers, 2)}
    node.remove("c1", "c4")
    node.machine.run("systemctl", "start", "ipam.socket")
    node.remove("c2", "c3")
    assert node.leases("net") == {}
    assert node.requests() == {"DEL ok": 2}
