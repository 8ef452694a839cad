"""`make demo`: containers get their addresses before your eyes, and nothing is left behind.

Everything happens in a network and a mount namespace of the demo's own, with its own /run; the machine's
network is not touched. Where that is not possible, the plugin is called directly and the same story told.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GO_PLUGIN_DIRS = [Path("/usr/lib/cni"), Path("/opt/cni/bin")]
ROOT = Path(__file__).resolve().parent.parent
PRIVATE = ["unshare", "--net", "--mount", "--propagation", "private"]
PROBE = """
mount -t tmpfs tmpfs /run && ip netns add probe && ip netns exec probe true &&
ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2
"""
PODS = ["red", "green", "blue"]
LATE = "grey"
RANGES = [
    [{"subnet": "10.22.0.0/24", "rangeStart": "10.22.0.2", "rangeEnd": "10.22.0.4"}],
    [{"subnet": "fd00:22::/64"}],
]


def main() -> None:
    """Prepare, and tell the story in private namespaces if they are to be had."""
    if sys.argv[1:] == ["--inside"]:
        for command in (["mount", "-t", "tmpfs", "tmpfs", "/run"], ["ip", "link", "set", "lo", "up"]):
            subprocess.run(command, check=True)
        story(main_plugin="bridge")
        return
    obstacle = prepare()
    if obstacle is None:
        # A process of its own: when it ends, however it ends, the kernel removes its namespaces.
        sys.exit(subprocess.run([*PRIVATE, sys.executable, __file__, "--inside"], check=False).returncode)
    say(f"No real attachments here: {obstacle}.")
    say("So host-local is called directly, as bridge would call it; no interface is made.")
    story(main_plugin="host-local")


def prepare() -> str | None:
    """Install what real attachments need, if it lacks; return what stands in their way, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    lacking = [package for package, there in needed().items() if not there]
    if lacking and shutil.which("apt-get"):
        say(f"Installing {' '.join(lacking)} (apt-get) for real attachments ...")
        packages = ["install", "--yes", "--no-install-recommends", *lacking]
        if not apt_get(packages) and apt_get(["update"]):
            apt_get(packages)
        lacking = [package for package, there in needed().items() if not there]
    if lacking:
        return f"{', '.join(lacking)} not installed"
    probe = subprocess.run([*PRIVATE, "sh", "-c", PROBE], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        return f"this machine does not allow private network namespaces with a bridge ({probe.stderr.strip()})"
    return None


def apt_get(arguments: list[str]) -> bool:
    """Run apt-get without questions; True if it succeeded."""
    done = subprocess.run(
        ["apt-get", "--quiet=2", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def needed() -> dict[str, bool]:
    """The Debian packages that real attachments need, and whether what they bring is there."""
    return {
        "containernetworking-plugins": any((directory / "bridge").exists() for directory in GO_PLUGIN_DIRS),
        "iproute2": bool(shutil.which("ip")),
        "iputils-ping": bool(shutil.which("ping")),
    }


def story(main_plugin: str) -> None:
    """The demo itself, in a directory that is removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="ipam-demo-"))
    try:
        Node(home, main_plugin).tell()
    finally:
        shutil.rmtree(home)
    say("")
    say(f"Done. Removed {home}" + (", the namespaces and the bridge." if main_plugin == "bridge" else "."))


class Node:
    """A node with a CNI bin directory, a network config and a few containers."""

    def __init__(self, home: Path, main_plugin: str) -> None:
        self.home = home
        self.main_plugin = main_plugin
        self.leases = home / "leases" / "demo"
        self.results: dict[str, Any] = {}
        ipam = {"type": "host-local", "dataDir": str(home / "leases"), "ranges": RANGES}
        network = {"cniVersion": "1.0.0", "name": "demo"}
        self.config = {**network, "type": main_plugin, "bridge": "demo0", "isGateway": True, "ipam": ipam}

    def tell(self) -> None:
        """All chapters in order."""
        self.install()
        self.configure()
        heading("Three containers get an address of each family")
        say("  CNI_ARGS, which is not shown, names the pod of each, as the runtimes of Kubernetes do.")
        for pod in PODS:
            self.add(pod)
        if self.main_plugin == "bridge":
            self.ping()
        heading("The leases are plain files, in Go host-local's own format")
        self.show_leases()
        heading("… with pod, time and history beside them")
        self.ipam("leases", "demo")
        self.ipam("usage", "demo")
        heading("CHECK: is everything as it was recorded?")
        self.cni("CHECK", "red", prev_result=self.results["red"])
        say("    yes (exit 0, no output)")
        self.errors()
        heading("DEL gives the addresses back, and may come twice")
        for pod in [*PODS, "red"]:
            self.cni("DEL", pod, prev_result=self.results[pod])
            say("    exit 0, no output")
        if self.main_plugin == "bridge":
            show(self.run(["ip", "-netns", "red", "-brief", "link"]))
        heading("What is left: the cursors of the round robin, the lock, and who had which address")
        self.show_leases()
        self.ipam("history", "demo", "--address", "10.22.0.3")

    def install(self) -> None:
        """Put the plugin into a CNI bin directory, in host-local's place."""
        heading("Install the plugin into a CNI bin directory")
        say(f"  $ cd {self.home}")
        say("  $ ipam install --cni-bin-dir bin")
        (self.home / "bin").mkdir()
        command = [sys.executable, "-m", "ipam.cli", "install", "--cni-bin-dir", str(self.home / "bin")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"the plugin could not be installed: {done.stderr}")
        show(done.stdout.replace(f"{self.home}/", ""))
        if self.main_plugin == "bridge":
            bridge = next(d / "bridge" for d in GO_PLUGIN_DIRS if (d / "bridge").exists())
            (self.home / "bin" / "bridge").symlink_to(bridge)
            say(f"  $ ln -s {bridge} bin/     # the real one; it asks our host-local for addresses")

    def configure(self) -> None:
        """Make the containers' namespaces, and write the network's config."""
        heading("A node with a dual stack network: exactly three IPv4 addresses, and a /64")
        if self.main_plugin == "bridge":
            for pod in [*PODS, LATE]:
                self.run(["ip", "netns", "add", pod])
        text = json.dumps(self.config)
        (self.home / "demo.conf").write_text(text)
        say("  $ cat demo.conf")
        show(text.replace(' "ipam"', '\n  "ipam"').replace(' "ranges"', '\n    "ranges"'))

    def add(self, pod: str) -> None:
        """Attach a container, and show what it got."""
        result = self.results[pod] = self.cni("ADD", pod)
        for ip in result["ips"]:
            say(f"    {ip['address']:<16} gateway {ip['gateway']}")

    def ping(self) -> None:
        """The addresses are not only on paper."""
        heading("They reach the gateway and each other")
        green = [ip["address"].partition("/")[0] for ip in self.results["green"]["ips"]]
        for target in ["10.22.0.1", *green]:
            said = self.run(["ip", "netns", "exec", "red", "ping", "-c", "1", "-W", "5", target])
            show("\n".join(line for line in said.splitlines() if "bytes from" in line))

    def errors(self) -> None:
        """What goes wrong is said so that people understand it."""
        heading("Errors: an address that is taken, and no address left")
        for args in ("IP=10.22.0.2", ""):
            error = self.cni("ADD", LATE, args=args, fails=True)
            say(f"    exit 1, code {error['code']}")
            say(f"    msg: {error['msg']}")
            if error.get("details"):
                say(f"    details: {error['details']}")
            # Every runtime sends this DEL after a failed ADD; bridge removes the interface it had begun.
            self.cni("DEL", LATE, quiet=True)

    def show_leases(self) -> None:
        """The network's directory, and what the lease files say."""
        say("  leases/demo/")
        for path in sorted(self.leases.iterdir()):
            say(f"    {path.name:<20} {' '.join(path.read_text().split())}".rstrip())

    def ipam(self, *words: str) -> None:
        """One of the operator's commands."""
        command = [sys.executable, "-m", "ipam.cli", *words, "--conf-dir", str(self.home)]
        show(self.run(command, said=f"ipam {' '.join(words)} --conf-dir ."))

    def cni(
        self,
        command: str,
        pod: str,
        *,
        args: str = "",
        prev_result: Any = None,
        fails: bool = False,
        quiet: bool = False,
    ) -> Any:
        """One call as a runtime makes it; returns the parsed answer."""
        path = self.home / "bin" / self.main_plugin
        netns = f"/run/netns/{pod}"
        parameters = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod,
            "CNI_NETNS": netns,
            "CNI_IFNAME": "eth0",
        }
        if args:
            parameters["CNI_ARGS"] = args
        if not quiet:
            words = " ".join(f"{key}={value}" for key, value in parameters.items())
            say(f"  $ {words} bin/{self.main_plugin} < demo.conf")
        pod_args = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=demo;K8S_POD_NAME={pod}"
        env = {
            **parameters,
            "CNI_PATH": str(path.parent),
            "CNI_ARGS": f"{pod_args};{args}" if args else pod_args,
            "PATH": os.environ.get("PATH", os.defpath),
        }
        config = self.config if prev_result is None else {**self.config, "prevResult": prev_result}
        done = subprocess.run([path], env=env, input=json.dumps(config).encode(), stdout=subprocess.PIPE, check=False)
        if (done.returncode != 0) != fails:
            sys.exit(f"{command} of {pod} was to {'fail' if fails else 'succeed'}: {done.stdout.decode()}")
        return json.loads(done.stdout) if done.stdout else None

    def run(self, command: list[str], said: str = "") -> str:
        """Show a command (as `said`, where that reads better) and run it."""
        say(f"  $ {said or ' '.join(command)}")
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{command[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout


def heading(text: str) -> None:
    """Begin a chapter."""
    say("")
    say(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else f"## {text}")


def show(output: str) -> None:
    """What a command said, indented."""
    for line in output.splitlines():
        say(f"    {line}")


def say(line: str) -> None:
    """Print a line at once, so that it comes in order with what others print."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
