"""`ipam gc` among real containers: nothing that lives is ever freed, all that is stale is."""

import json
from pathlib import Path
from typing import Any

from ipam.address import parse_address
from ipam.model import Attachment, Cause, Host, Lease, StoreConfig
from ipam.registry import open_store
from tests.daemon.service import until
from tests.podman.node import CNI_BIN, LEASES, PodmanNode

SUBNET = "10.80.0.0/24"


def verdicts(node: PodmanNode, *options: str) -> dict[str, dict[str, Any]]:
    """What gc says, by address."""
    rows: list[dict[str, Any]] = json.loads(node.ipam("gc", "--all", "--youngest", "0", "-o", "json", *options))
    return {row["address"]: row for row in rows}


def kill_behind_podmans_back(node: PodmanNode, name: str) -> None:
    """End a container and the process that watches it, so that nobody tells podman."""
    pid, conmon = node.pid(name), int(node.podman("inspect", "--format", "{{.State.ConmonPid}}", name))
    node.machine.run("kill", "-KILL", str(conmon), str(pid))
    until("both are gone", lambda: node.machine.run("kill", "-0", str(pid), check=False).returncode != 0)


def leak(node: PodmanNode, container: str) -> None:
    """An ADD of host-local whose container never came to be."""
    config = {"cniVersion": "1.0.0", "name": "net", "ipam": {"type": "host-local", "ranges": [[{"subnet": SUBNET}]]}}
    env = f"CNI_COMMAND=ADD CNI_CONTAINERID={container} CNI_IFNAME=eth0 CNI_NETNS=/run/netns/none CNI_PATH={CNI_BIN}"
    node.machine.run("sh", "-c", f"echo '{json.dumps(config)}' | {env} {CNI_BIN}/host-local")


def attach_by_hand(node: PodmanNode, container: str) -> None:
    """A second runtime: one that podman knows nothing of, and that caches no results."""
    conf = json.loads((node.root / "etc/cni/net.d/net.conflist").read_text())
    bridge = {"cniVersion": "1.0.0", "name": "net", **conf["plugins"][0]}
    env = (
        f"CNI_COMMAND=ADD CNI_CONTAINERID={container} CNI_IFNAME=eth0 CNI_NETNS=/run/netns/{container} "
        f"CNI_PATH={CNI_BIN}"
    )
    node.machine.run("ip", "netns", "add", container)
    node.machine.run("sh", "-c", f"echo '{json.dumps(bridge)}' | {env} {CNI_BIN}/bridge")


def leave_from_an_earlier_boot(node: PodmanNode, address: str) -> None:
    """A lease that the last boot left."""
    found = parse_address(address)
    assert found is not None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    name = node.machine.run("uname", "-n").stdout.strip()
    store = open_store(StoreConfig(f"file://{node.root}{LEASES}"), Host(name, boot, lambda: 1_700_000_000.0))
    lease = Lease(found, Attachment("old", "eth0"), None, since=1_700_000_000.0, boot="another-boot", node=name)
    store.transact("net", lambda tx: tx.claim(lease, Cause.ADD))
    store.close()


def test_gc_frees_all_that_is_stale_and_nothing_that_lives(node: PodmanNode) -> None:
    node.add_network("net", SUBNET)
    for name in ("alive", "other", "killed", "stopped"):
        node.start(name, network="net")
    leak(node, "leaked")
    attach_by_hand(node, "by-hand")
    leave_from_an_earlier_boot(node, "10.80.0.50")
    kill_behind_podmans_back(node, "killed")
    node.podman("stop", "--time", "0", "stopped")
    living = {node.podman("inspect", "--format", "{{.Id}}", name) for name in ("alive", "other")} | {"by-hand"}
    before = node.leases("net")
    assert len(before) == 6  # podman called DEL for the one that it stopped

    seen = verdicts(node)
    assert {row["container"] for row in seen.values() if row["verdict"] == "live"} == living
    assert {row["container"] for row in seen.values() if row["verdict"] == "stale"} == {*before.values()} - living
    for row in seen.values():
        told = {text.partition(":")[0] for text in row["evidence"]}
        assert told == {"age", "boot", "netns", "results", "runtime"}, row
    assert node.leases("net") == before  # nothing was asked for but to look

    verdicts(node, "--apply")
    assert node.leases("net") == before  # the second pass came too soon
    freed = verdicts(node, "--apply", "--now")
    assert {row["container"] for row in freed.values() if row["action"] == "freed"} == {*before.values()} - living
    assert set(node.leases("net").values()) == living
    for _ in range(3):
        verdicts(node, "--apply", "--now")
    assert set(node.leases("net").values()) == living
    for name in ("alive", "other"):
        node.ping(name, "10.80.0.1")
    node.machine.run("ip", "netns", "delete", "by-hand")


def test_a_runtime_that_does_not_answer_keeps_its_containers_safe(node: PodmanNode) -> None:
    node.add_network("net", SUBNET)
    node.start("alive", network="net")
    leak(node, "leaked")
    kept = node.leases("net")
    node.machine.run("rm", "-rf", "/var/lib/cni/results")
    node.machine.run("sh", "-c", "mkdir -p /opt/broken && printf '#!/bin/sh\\nexit 1\\n' >/opt/broken/podman")
    node.machine.run("chmod", "755", "/opt/broken/podman")
    words = f"PATH=/opt/broken:$PATH exec {node.environment.ipam} gc --apply --now --youngest 0"
    said = node.machine.run("sh", "-c", words).stdout
    assert "podman does not tell" in said
    assert node.leases("net") == kept
