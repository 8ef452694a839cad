"""What tests of the daemon ask for, and what they then find in the data directory."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

SUBNET = "10.20.0.0/16"


def config(data_dir: Path, network: str = "net", *, subnet: str = SUBNET, version: str = "1.0.0", **ipam: Any) -> bytes:
    """A config of one range set; `ipam` adds to its ipam section."""
    section = {"type": "host-local", "dataDir": str(data_dir), "ranges": [[{"subnet": subnet}]], **ipam}
    return json.dumps({"cniVersion": version, "name": network, "type": "bridge", "ipam": section}).encode()


def environment(command: str, container: str = "c1", ifname: str = "eth0", **more: str) -> dict[str, str]:
    """The variables of a call."""
    return {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": "/var/run/netns/there-is-no-such-namespace",
        "CNI_IFNAME": ifname,
        "CNI_PATH": "/opt/cni/bin",
        **more,
    }


def address(stdout: bytes) -> str:
    """The first address of a result, without its length."""
    text: str = json.loads(stdout)["ips"][0]["address"]
    return text.partition("/")[0]


def code(stdout: bytes) -> int:
    """The code of an error object; 0 for anything else."""
    return int(json.loads(stdout or b"{}").get("code", 0))


def leases(data_dir: Path, network: str = "net") -> dict[str, str]:
    """Address to container, by the lease files; whatever else lies there counts as one too."""
    directory = data_dir / network
    if not directory.exists():
        return {}
    own = ("lock", "last_reserved_ip.")
    files = (path for path in directory.iterdir() if not path.name.startswith(own))
    return {path.name: path.read_bytes().decode().partition("\r\n")[0] for path in files}


def history(data_dir: Path, network: str = "net") -> list[tuple[str, str, str]]:
    """(what, container, cause) of each event, oldest first."""
    lines = (data_dir / ".ipam" / network / "history").read_bytes().splitlines()
    events = [json.loads(line.lstrip(b"\0")) for line in lines]
    return [(event["what"], event["container"], event["cause"]) for event in events]


def assert_sound(held: dict[str, str]) -> None:
    """No container has two addresses. (No address has two containers: it is a file's name.)"""
    assert max(Counter(held.values()).values(), default=0) <= 1, held
