"""The installed plugin as a runtime calls it, on one data directory."""

import json
import resource
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

NETWORK = "damaged"
GIBIBYTE = 1 << 30


class Answer(NamedTuple):
    """What a call said."""

    exit: int
    value: Any

    @property
    def code(self) -> int:
        """The error's code, 0 for a success."""
        return int(self.value["code"]) if self.exit else 0

    @property
    def said(self) -> str:
        """All that a person sees of an error."""
        return f"{self.value['msg']}; {self.value.get('details', '')}"

    @property
    def address(self) -> str:
        """The address that an ADD gave."""
        assert not self.exit, self.value
        return str(self.value["ips"][0]["address"]).partition("/")[0]


def _limits() -> None:
    """Endless reading must end in an error, not in a machine without memory."""
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTE, GIBIBYTE))


class Caller:
    """Makes calls, with hardly any environment and a minute to answer in."""

    def __init__(self, plugin: Path, root: Path) -> None:
        self.root = root
        self.directory = root / NETWORK
        self.records = root / ".ipam" / NETWORK
        self._plugin = plugin

    def __call__(self, command: str, name: str = "", *, ip: str = "", more: dict[str, Any] | None = None) -> Answer:
        """One call for the eth0 of container `name`."""
        ipam = {"type": "host-local", "dataDir": str(self.root), "ranges": [[{"subnet": "10.70.0.0/24"}]]}
        config = {"cniVersion": "1.1.0", "name": NETWORK, "type": "bridge", "ipam": ipam, **(more or {})}
        env = {"CNI_COMMAND": command, "CNI_PATH": "/opt/cni/bin"}
        if name:
            env |= {"CNI_CONTAINERID": name, "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/none"}
        if ip:
            env["CNI_ARGS"] = f"IP={ip}"
        done = subprocess.run(
            [self._plugin],
            env=env,
            input=json.dumps(config).encode(),
            capture_output=True,
            preexec_fn=_limits,
            timeout=60,
            check=False,
        )
        answer = Answer(done.returncode, json.loads(done.stdout) if done.stdout else None)
        assert answer.code != 199, (answer.value, done.stderr)
        assert not done.stderr, done.stderr
        return answer

    def check(self, name: str, address: str) -> Answer:
        """CHECK, with the address that the ADD gave."""
        previous = {"cniVersion": "1.1.0", "ips": [{"address": f"{address}/24"}]}
        return self("CHECK", name, more={"prevResult": previous})

    def leases(self) -> dict[str, bytes]:
        """The lease files that can be read."""
        own = ("lock", "last_reserved_ip.")
        return {
            path.name: path.read_bytes()
            for path in self.directory.iterdir()
            if not path.is_symlink() and path.is_file() and not path.name.startswith(own)
        }
