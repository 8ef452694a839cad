"""`ipam explain`: it tells what ADD then does, and changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from ipam.address import format_address
from ipam.handler import handle
from ipam.model import Attachment, Cause, Lease
from ipam.registry import Stores
from ipam.request import Request
from tests.cli.node import NAME, ONE_STORE, Node

SMALL = "10.203.0.0/29"


def tree(directory: Path) -> dict[Path, tuple[int, bytes]]:
    """All that is in a directory, with its times."""
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in directory.rglob("*")
    }


def content(node: Node) -> tuple[object, ...]:
    """All that the store has of the network; of a directory store every file, and its time."""
    with node.store() as store:
        told = [*store.leases(NAME)], [*store.history(NAME)], [*store.resting(NAME)], store.cursors(NAME)
    return (*told, tree(Path(node.url.removeprefix("file://"))))


def told(node: Node, path: Path, *more: str) -> dict[str, object]:
    """The one answer, as JSON."""
    (row,) = json.loads(node.run("explain", str(path), *more, "-o", "json").out)
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize("before", [0, 1, 3, 5])
def test_what_it_tells_is_what_add_then_does(node: Node, before: int) -> None:
    path = node.configure(SMALL)
    for number in range(before):
        node.add(f"c{number}", SMALL)
    node.delete("c1")
    state = content(node)
    said = node.run("explain", str(path))
    row = told(node, path)
    assert content(node) == state
    assert said.code == 0
    (lease,) = node.add("next", SMALL)
    assert row["leases"] == [{"address": format_address(lease.address), "range_set": 0}]
    assert f"ADD would answer {format_address(lease.address)}/29" in said.out


def test_it_tells_what_is_passed_over_and_why(node: Node) -> None:
    path = node.configure(SMALL)
    leases = [node.add(f"c{number}", SMALL)[0] for number in range(5)]
    node.change(lambda tx: tx.drop(leases[0], Cause.RELEASE, rest=1000.0))
    node.delete("c3")
    row = told(node, path)
    assert row["leases"] == [{"address": "10.203.0.5", "range_set": 0}]
    skipped = row["skipped"]
    assert isinstance(skipped, list)
    whys = {each["address"]: each["why"] for each in skipped}
    assert list(whys) == ["10.203.0.1", "10.203.0.2", "10.203.0.3", "10.203.0.4"]
    assert whys["10.203.0.1"] == "is the gateway"
    assert whys["10.203.0.2"].startswith("rests until 20")
    assert whys["10.203.0.3"] == "is leased to container c1 eth0 (pod default/c1)"
    assert "passed over: 10.203.0.3 is leased to container c1" in node.run("explain", str(path)).out


def test_it_names_the_holder_of_an_address_that_is_asked_for(node: Node) -> None:
    path = node.configure(SMALL)
    node.add("c1", SMALL)
    said = node.run("explain", str(path), "--request", "10.203.0.2")
    assert said.code == 3
    assert "code 101" in said.out
    assert said.out.count("10.203.0.2 is held by container c1 eth0") == 1
    assert told(node, path, "--request", "10.203.0.4")["leases"] == [{"address": "10.203.0.4", "range_set": 0}]
    assert "code 104" in node.run("explain", str(path), "--request", "10.203.0.1").out
    assert "code 104" in node.run("explain", str(path), "--request", "10.81.0.1").out


def test_it_tells_that_a_range_set_is_exhausted_and_what_helps(node: Node) -> None:
    path = node.configure(SMALL)
    for number in range(5):
        node.add(f"c{number}", SMALL)
    said = node.run("explain", str(path))
    assert said.code == 3
    assert "code 100: failed to allocate for range 0: no IP addresses available in range set" in said.out
    assert "5 addresses, 5 leased, 0 resting, 0 free" in said.out
    assert f"`ipam gc {NAME}`" in said.out


def test_a_second_add_of_an_attachment_is_refused(node: Node) -> None:
    path = node.configure(SMALL)
    node.add("c1", SMALL)
    said = node.run("explain", str(path), "--container", "c1", "--ifname", "eth0")
    assert (said.code, "code 103" in said.out, "ipam gc" in said.out) == (3, True, False)
    assert node.run("explain", str(path), "--container", "c1", "--ifname", "eth1").code == 0


def test_leases_of_an_earlier_boot_are_told_of(node: Node) -> None:
    path = node.configure(SMALL)
    old = Lease(node.add("c1", SMALL)[0].address, Attachment("old", "eth0"), 0, since=1.0, boot="before", node="")
    node.delete("c1")
    node.change(lambda tx: tx.claim(old.replace(node=node.host.node), Cause.ADD))
    said = node.run("explain", str(path))
    assert "first, 1 lease of an earlier boot would be released" in said.out


@ONE_STORE
def test_a_wrong_config_is_told_with_the_key_and_what_to_write(node: Node) -> None:
    path = node.configure(ranges=None, subnetz="10.203.0.0/24")
    said = node.run("explain", str(path))
    assert said.code == 3
    assert "no IP ranges specified" in said.out
    assert 'ipam has "subnetz", which nobody reads; did you mean subnet?' in said.out
    path = node.configure("10.203.0.1/24")
    assert "the network address is 10.203.0.0" in node.run("explain", str(path)).out


@ONE_STORE
@pytest.mark.parametrize(
    ("caller", "ipam"),
    [
        ({}, {"lockTimeout": "5"}),
        ({}, {"durability": "maybe"}),
        ({}, {"logLevel": "loud"}),
        ({}, {"historyKeep": {"days": -1}}),
        ({}, {"nodeName": "a b"}),
        ({}, {"resolvConf": "/nowhere/resolv.conf"}),
        ({"--container": "bad/id"}, {}),
        ({"--ifname": "an-interface-name-that-is-too-long"}, {}),
    ],
    ids=str,
)
def test_what_it_refuses_is_what_add_refuses(node: Node, caller: dict[str, str], ipam: dict[str, Any]) -> None:
    path = node.configure(SMALL, **ipam)
    said = told(node, path, *[word for pair in caller.items() for word in pair])
    conf = node.conflist(SMALL, **ipam)
    env = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": caller.get("--container", "c1"),
        "CNI_IFNAME": caller.get("--ifname", "eth0"),
        "CNI_NETNS": "/nowhere",
    }
    stdin = {**conf["plugins"][0], "name": conf["name"], "cniVersion": conf["cniVersion"]}
    stores = Stores(node.host)
    reply = handle(Request(env, json.dumps(stdin).encode()), node.host, stores)
    stores.close()
    answer = json.loads(reply.stdout)
    assert said["error"] == {"code": answer["code"], "msg": answer["msg"], "details": answer.get("details", "")}


@ONE_STORE
def test_a_cni_version_that_nobody_speaks_is_refused(node: Node) -> None:
    path = node.configure(SMALL)
    path.write_text(path.read_text().replace("1.0.0", "9.9"))
    assert node.run("explain", str(path)).code == 3
    said = node.run("validate", str(path))
    assert said.code == 3
    assert "incompatible CNI versions" in said.out


@ONE_STORE
def test_a_file_without_a_use_of_the_plugin_is_refused(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "other.conflist"
    path.write_text('{"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge", "ipam": {"type": "dhcp"}}]}')
    assert node.run("explain", str(path)).code == 1
    assert node.run("explain", str(tmp_path / "missing")).code == 1
