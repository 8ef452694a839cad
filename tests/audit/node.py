"""A node of a test's own: a conflist, a data directory, containers, and the operator's commands."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ipam.cli import main
from ipam.handler import handle
from ipam.model import Host
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Request

HOSTILE = (
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=alert(1)>",
    "=HYPERLINK(1)",
    '"><b>bold</b>',
    "${7*7}{{7*7}}",
    "\x1b[31mred\u202eder",
    "&lt;entity&#x3c;",
)
"""Names that would like to be more than names."""


class Node:
    """`network` on a conflist in `conf`, its leases in `data`. Containers come and go as runtimes make them."""

    def __init__(self, directory: Path, network: str = "net", subnet: str = "10.30.0.0/24", **ipam: Any) -> None:
        self.network = network
        self.conf, self.data = directory / "net.d", directory / "networks"
        self.conf.mkdir(parents=True, exist_ok=True)
        section = {"type": "host-local", "ranges": [[{"subnet": subnet}]], "dataDir": str(self.data), **ipam}
        self.plugin = {"type": "bridge", "ipam": section}
        listed = {"cniVersion": "1.0.0", "name": network, "plugins": [self.plugin]}
        (self.conf / f"10-{network}.conflist").write_text(json.dumps(listed))
        self.options = ["--conf-dir", str(self.conf), "--store", f"file://{self.data}"]

    def call(
        self, command: str, container: str, pod: str = "", host: Host | None = None, **variables: str
    ) -> dict[str, Any]:
        """What the plugin answers."""
        host = host or this_host()
        args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}" if pod else ""
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_IFNAME": "eth0", "CNI_ARGS": args,
               "CNI_NETNS": "/run/netns/none", **variables}  # fmt: skip
        stores = Stores(host)
        stdin = json.dumps({"cniVersion": "1.0.0", "name": self.network, **self.plugin}).encode()
        reply = handle(Request(env, stdin), host, stores)
        stores.close()
        answer: dict[str, Any] = json.loads(reply.stdout or b"{}")
        return answer

    def fill(self, count: int, prefix: str = "c") -> None:
        """So many containers."""
        for number in range(count):
            assert "ips" in self.call("ADD", f"{prefix}{number}", f"web-{number}")

    def files(self) -> dict[str, str]:
        """The lease files: address to content."""
        return {
            path.name: path.read_text()
            for path in (self.data / self.network).iterdir()
            if path.name != "lock" and not path.name.startswith("last_")
        }


def run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of an `ipam` command."""
    status = 0
    capfdbinary.readouterr()
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capfdbinary.readouterr()
    return status, said.out.decode(), said.err.decode()


def busy(directory: str) -> None:
    """Containers that come and go on the node in that directory, four at once, until the process is ended."""
    node = Node(Path(directory))
    for number in count():
        assert "ips" in node.call("ADD", f"busy{number}")
        node.call("DEL", f"busy{number - 3}")
