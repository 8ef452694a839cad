"""A node with podman on it: a booted machine, plugin and daemon installed there as the README says, no images.

Containers are a busybox in a directory (`--rootfs`). All of podman's state, the networks and the leases lie in the
machine's own /etc, /run, /srv and /var and vanish with it; `root` shows them to a test.
"""

import json
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.daemon.calls import leases
from tests.install.environment import Environment
from tests.install.machine import Machine

CNI_BIN = Path("/opt/cni/bin")
CONFIGS = Path("/etc/cni/net.d")
LEASES = Path("/var/lib/cni/networks")
RESULTS = Path("/var/lib/cni/results")
SLEEP = ("sleep", "1000")

# Argument: the directory with Go's plugins. A network namespace has sysctls of its own, which the plugins set;
# elsewhere in /proc/sys the machine may write nothing. Ping as Debian's defaults have it needs NET_RAW.
SET_UP = """\
set -e
mount -t proc proc /mnt
mount --bind /mnt/sys/net /proc/sys/net
umount /mnt
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
mkdir -p /etc/cni/net.d /etc/containers /opt/cni
cp -R "$1" /opt/cni/bin
rm -rf /opt/cni/bin/host-local /opt/cni/bin/.ipam /etc/cni/net.d/*
cat >/etc/containers/containers.conf <<END
[containers]
cgroups = "disabled"
default_capabilities = ["CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "NET_RAW", "SETGID", "SETUID"]
log_driver = "k8s-file"
pids_limit = 0
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
END
cat >/etc/containers/storage.conf <<END
[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
END
for directory in bin dev etc proc run sys tmp www; do mkdir -p /srv/busybox/$directory; done
cp /bin/busybox /srv/busybox/bin
chroot /srv/busybox /bin/busybox --install -s /bin
"""

CLEAR = """\
systemctl stop ipam.socket ipam.service
systemctl reset-failed
for bridge in $(ip -oneline link show type bridge | cut -d: -f2); do ip link delete "$bridge"; done
rm -rf /etc/cni/net.d/* /var/lib/cni/*
systemctl start ipam.socket
"""


class PodmanNode:
    """`machine` once it has been set up; nothing may run there before."""

    def __init__(self, machine: Machine, environment: Environment, go_plugins: Path) -> None:
        self.machine = machine
        self.environment = environment
        self.root = Path(f"/proc/{machine.pid}/root")
        machine.run("sh", "-c", SET_UP, "sh", go_plugins)
        machine.run(environment.ipam, "install", "--systemd", "--cni-bin-dir", CNI_BIN)

    @staticmethod
    def lacks() -> str:
        """What this host lacks for it, "" for nothing."""
        needed = {"podman": "podman", "crun": "crun", "conmon": "conmon", "busybox": "busybox-static"}
        missing = [package for program, package in needed.items() if not shutil.which(program)]
        return Machine.lacks() or ", ".join(missing)

    def podman(self, *arguments: str | Path) -> str:
        """What one podman command prints; it must succeed, and log no error."""
        done = self.machine.run("podman", *arguments)
        assert "level=error" not in done.stderr, done.stderr
        return done.stdout.strip()

    def podman_fails(self, *arguments: str | Path) -> str:
        """What one podman command has to say for its failure."""
        done = self.machine.run("podman", *arguments, check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def add_network(self, name: str, *subnets: str, routes: Sequence[str] = (), **ipam: Any) -> None:
        """A bridge network with one range set of each subnet; `ipam` adds to its ipam section."""
        section = {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}] for subnet in subnets],
            "routes": [{"dst": destination} for destination in routes],
            **ipam,
        }
        bridge = {"type": "bridge", "bridge": f"br-{name}", "isGateway": True, "ipMasq": True, "ipam": section}
        plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}, {"type": "tuning"}]
        conflist = {"cniVersion": "1.0.0", "name": name, "plugins": plugins}
        (self.root / CONFIGS.relative_to("/") / f"{name}.conflist").write_text(json.dumps(conflist))

    def start(self, name: str, *options: str, network: str, command: Sequence[str] = SLEEP) -> str:
        """`podman run -d`; the container's id."""
        return self.podman("run", "-d", *self._as(name), "--network", network, *options, *self._rootfs(name), *command)

    def start_fails(self, name: str, *options: str, network: str) -> str:
        """The same where it must not succeed: what podman says."""
        arguments = [*self._as(name), "--network", network, *options, *self._rootfs(name), *SLEEP]
        return self.podman_fails("run", "-d", *arguments)

    def _as(self, name: str) -> list[str]:
        return ["--name", name, "--hostname", name]

    def _rootfs(self, name: str) -> list[str]:
        """A root directory for one container, for podman makes files in it."""
        self.machine.run("cp", "-Rn", "/srv/busybox", f"/srv/{name}")
        return ["--rootfs", f"/srv/{name}"]

    def remove(self, *names: str) -> None:
        """`podman rm -f`, with nothing left to wait for."""
        self.podman("rm", "--force", "--time", "0", *names)

    def pid(self, name: str) -> int:
        """The container's first process, as the machine numbers it."""
        return int(self.podman("inspect", "--format", "{{.State.Pid}}", name))

    def addresses(self, name: str, ifname: str = "eth0") -> set[str]:
        """The global addresses of an interface as the container itself sees them, with their lengths."""
        words = self.podman("exec", name, "ip", "addr", "show", "dev", ifname).split()
        found = {after for word, after in pairwise(words) if word in ("inet", "inet6")}
        return {address for address in found if not address.startswith("fe80:")}

    def ping(self, name: str, address: str) -> None:
        """One answer to the container, from `address`."""
        self.podman("exec", name, "ping", "-c", "1", "-W", "5", address)

    def leases(self, network: str) -> dict[str, str]:
        """Address to container id, by the lease files."""
        return leases(self.root / LEASES.relative_to("/"), network)

    def cached_results(self) -> set[str]:
        """The names of libcni's cached results: `network-containerid-ifname`."""
        directory = self.root / RESULTS.relative_to("/")
        return {path.name for path in directory.iterdir()} if directory.exists() else set()

    def ipam(self, *arguments: str | Path) -> str:
        """What one call of the operator's command prints; it must succeed."""
        return self.machine.run(self.environment.ipam, *arguments).stdout

    def requests(self) -> dict[str, int]:
        """How many requests of each command and result the daemon has answered since it was started."""
        answered: dict[str, int] = json.loads(self.ipam("status", "-o", "json"))["daemon"]["requests"]
        return answered

    def clear(self) -> None:
        """Remove every container and network, and what they left; start the daemon anew."""
        self.podman("rm", "--force", "--all", "--time", "0")
        self.machine.run("sh", "-e", "-c", CLEAR)
