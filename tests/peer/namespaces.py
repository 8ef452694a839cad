"""Network namespaces for the tests: a node of our own, so that the machine's network is never touched."""

import json
import secrets
import subprocess
from types import TracebackType
from typing import Any, Self

QUIET = """
ip link set lo up
for scope in all default; do
    file=/proc/sys/net/ipv6/conf/$scope/accept_dad
    [ ! -e "$file" ] || echo 0 > "$file"
done
"""
"""Without duplicate address detection an IPv6 address is usable at once, not after a second."""


class CommandError(Exception):
    """A command in a namespace failed: its line and what it said."""


class Namespace:
    """A named network namespace; `path` is what a runtime passes as CNI_NETNS."""

    def __init__(self, role: str) -> None:
        self.name = f"ipam-test-{role}-{secrets.token_hex(4)}"
        self.path = f"/run/netns/{self.name}"
        _run(["ip", "netns", "add", self.name])
        self.run("sh", "-c", QUIET)

    @property
    def entry(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in here."""
        return ("ip", "netns", "exec", self.name)

    def run(self, *argv: str) -> str:
        """Run a command in here; its stdout. Raises CommandError with its stderr when it fails."""
        return _run([*self.entry, *argv])

    def ip(self, *argv: str) -> str:
        """`ip ARGV` in here."""
        return _run(["ip", "-n", self.name, *argv])

    def interfaces(self) -> set[str]:
        """The names of all interfaces but the loopback."""
        return {link["ifname"] for link in self._listed("link", "show")} - {"lo"}

    def addresses(self, ifname: str) -> set[str]:
        """The global addresses of an interface, as `address/length`."""
        return {
            f"{address['local']}/{address['prefixlen']}"
            for link in self._listed("addr", "show", "dev", ifname)
            for address in link["addr_info"]
            if address["scope"] == "global"
        }

    def default_gateways(self) -> set[str]:
        """The gateways of the default routes, both families."""
        routes = self._listed("-4", "route", "show", "default") + self._listed("-6", "route", "show", "default")
        return {route["gateway"] for route in routes if "gateway" in route}

    def ping(self, address: str) -> None:
        """One answer within five seconds, or CommandError."""
        self.run("ping", "-n", "-c", "1", "-i", "0.2", "-w", "5", address)

    def remove(self) -> None:
        """Remove it with all its interfaces; once gone, nothing happens."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def _listed(self, *argv: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.ip("-j", *argv) or "[]")
        # iproute2 prints an empty object for each link that a filter took out.
        return [entry for entry in listed if entry]


class Node:
    """A machine of a test's own: one namespace that stands for the host, and those of its containers."""

    def __init__(self) -> None:
        self.host = Namespace("host")
        self._containers: list[Namespace] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def container(self) -> Namespace:
        """A new, empty container."""
        container = Namespace("container")
        self._containers.append(container)
        return container

    def cable(self, near: str, far: str, *addresses: str) -> None:
        """A cable between two interfaces of the host; the far end has the addresses of a router."""
        self.host.ip("link", "add", near, "type", "veth", "peer", "name", far)
        self.host.ip("link", "set", near, "up")
        self.host.ip("link", "set", far, "up")
        for address in addresses:
            self.host.ip("addr", "add", address, "dev", far)

    def can_make(self, *kind: str) -> bool:
        """Whether this kernel has links of a kind: `ip link add` is the only sure way to know."""
        try:
            self.host.ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
            self.host.ip("link", "add", "link", "probe0", "name", "probe2", "type", *kind)
        except CommandError:
            return False
        finally:
            for probe in ("probe2", "probe0"):
                subprocess.run(["ip", "-n", self.host.name, "link", "del", probe], capture_output=True, check=False)
        return True

    def remove(self) -> None:
        """Remove the containers, then the host."""
        for namespace in [*self._containers, self.host]:
            namespace.remove()


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
