"""What a main plugin and its runtime are left with when our plugin refuses: an error, and nothing else."""

import pytest

from tests.peer.namespaces import Namespace
from tests.peer.runtime import Attachment, Json, PluginError
from tests.peer.site import FIRST4, FIRST6, GATEWAY4, NETWORK, POD_ARGS, Site

VERSIONS = ["0.3.1", "0.4.0", "1.0.0"]
ONE_ADDRESS = [[{"subnet": "10.61.0.0/24", "rangeEnd": FIRST4}], [{"subnet": "fd00:61::/64"}]]

# A first container is always attached well: when the first ADD on a new bridge fails in the IPAM, bridge
# itself fails a later one with "could not set bridge's mac".


def _refusal(site: Site, network: Json, attachment: Attachment) -> PluginError:
    with pytest.raises(PluginError) as refused:
        site.runtime.add(network, attachment)
    return refused.value


def _assert_the_runtimes_del_removes_the_interface(
    site: Site, network: Json, attachment: Attachment, container: Namespace
) -> None:
    # bridge leaves the interface of a failed ADD, without addresses, to the DEL that every runtime sends.
    site.runtime.delete(network, attachment)
    assert container.interfaces() == set()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("main", ["bridge", "ptp", "macvlan"])
def test_an_exhausted_range_leaves_nothing(main: str, version: str, site: Site) -> None:
    network = site.network(main, version, ranges=ONE_ADDRESS)
    first, neighbour = site.attachment()
    late, container = site.attachment()
    site.runtime.add(network, first)

    error = _refusal(site, network, late)

    assert error.msg.startswith(
        f"failed to allocate for range 0: no IP addresses available in range set: 10.61.0.1-{FIRST4}"
    )
    assert site.leased() == {FIRST4, FIRST6}
    _assert_the_runtimes_del_removes_the_interface(site, network, late, container)
    assert site.leased() == {FIRST4, FIRST6}
    neighbour.ping(GATEWAY4)


def test_an_exhausted_second_range_gives_the_first_address_back(site: Site) -> None:
    ranges = [[{"subnet": "10.61.0.0/24"}], [{"subnet": "fd00:61::/64", "rangeEnd": FIRST6}]]
    network = site.network("bridge", ranges=ranges)
    first, _ = site.attachment()
    late, _ = site.attachment()
    site.runtime.add(network, first)
    assert _refusal(site, network, late).msg.startswith("failed to allocate for range 1: no IP addresses")
    assert site.leased() == {FIRST4, FIRST6}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("args", "asked"),
    [(f"{POD_ARGS};IP={FIRST4}", {}), (POD_ARGS, {"ips": [f"{FIRST4}/24", "fd00:61::77"]})],
    ids=["CNI_ARGS", "runtimeConfig"],
)
def test_a_requested_address_in_use_leaves_nothing(args: str, asked: Json, version: str, site: Site) -> None:
    network = site.network("bridge", version)
    network["plugins"][0]["capabilities"] = {"ips": True}
    first, _ = site.attachment()
    late, container = site.attachment(args=args, **asked)
    site.runtime.add(network, first)

    error = _refusal(site, network, late)

    assert error.msg.startswith(
        f"failed to allocate for range 0: requested IP address {FIRST4} is not available in range set"
    )
    assert site.leased() == {FIRST4, FIRST6}
    _assert_the_runtimes_del_removes_the_interface(site, network, late, container)
    assert site.leased() == {FIRST4, FIRST6}


def test_an_exhausted_range_serves_again_after_a_del(site: Site) -> None:
    network = site.network("bridge", ranges=ONE_ADDRESS)
    first, _ = site.attachment()
    late, container = site.attachment()
    site.runtime.add(network, first)
    _refusal(site, network, late)
    site.runtime.delete(network, late)
    site.runtime.delete(network, first)
    site.runtime.add(network, late)
    container.ping(GATEWAY4)


@pytest.mark.parametrize("main", ["bridge", "ptp", "macvlan"])
def test_main_plugins_hand_our_error_codes_on(main: str, site: Site) -> None:
    network = site.network(main, ranges=[[{"subnet": "10.61.0.0/24", "rangeEnd": FIRST4}]])
    first, _ = site.attachment()
    late, _ = site.attachment()
    site.runtime.add(network, first)
    expected = {"": 100, f";IP={FIRST4}": 101, f";IP={GATEWAY4}": 104, ";IP=x": 4}
    for request, code in expected.items():
        error = _refusal(site, network, late._replace(args=POD_ARGS + request))
        assert (request, error.code) == (request, code)
        site.runtime.delete(network, late)


def test_a_chain_that_fails_behind_us_leaves_nothing_after_the_runtimes_del(site: Site) -> None:
    behind = [{"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.no_such_key": "1"}}]
    network = site.network("bridge", behind=behind)
    attachment, container = site.attachment()
    assert _refusal(site, network, attachment).plugin == "tuning"
    assert site.leased() == {FIRST4, FIRST6}
    _assert_the_runtimes_del_removes_the_interface(site, network, attachment, container)
    assert site.leased() == set()


def test_check_fails_when_the_lease_is_gone(site: Site) -> None:
    network = site.network("bridge")
    attachment, _ = site.attachment()
    site.runtime.add(network, attachment)
    for address in (FIRST4, FIRST6):
        (site.data_dir / NETWORK / address).unlink()
    with pytest.raises(PluginError) as refused:
        site.runtime.check(network, attachment)
    assert refused.value.msg.startswith(
        f"host-local: Failed to find address added by container {attachment.container_id}"
    )
    assert refused.value.code == 102
