"""The session that README shows: from "no IP addresses available" to the cause and the repair, recorded anew.

`python -m tests.session` prints it, and with `--write` puts it into README. It is recorded as root on a
pseudo-terminal, in a mount and a network namespace of its own: a node whose directory Go's host-local filled, and
leaked into. Ids are made up, and times are made alike.
"""

import contextlib
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from ipam.address import parse_address
from ipam.model import Attachment, Cause, Host, Lease, Pod, StoreConfig
from ipam.registry import open_store

COLUMNS = 116
NAME = "containers"
CONFIG = Path(f"/etc/cni/net.d/10-{NAME}.conflist")
LEASES = Path(f"/var/lib/cni/networks/{NAME}")
RESULTS = Path("/var/lib/cni/results")
IPAM = {"type": "host-local", "ranges": [[{"subnet": "10.203.7.0/29"}]]}
BRIDGE = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "ipam": IPAM}
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- session:begin -->\n", "<!-- session:end -->\n"
PRIVATE = ["unshare", "--net", "--mount", "--propagation", "private"]
DIRECTORIES = ("/run", "/etc/cni", "/var/lib/cni")
DAY = 86400

LAST_BOOT = ("29ab6d10f4c8",)
LOST = ("17d2c5e08b94", "5e6a0f3c9d21")
LIVING = ("a3f09c1d52e7",)

COMMANDS = f"""\
ls -m {LEASES}
ipam usage
ipam map {NAME}
ipam check
ipam check --repair
ipam gc --all
ipam gc --apply --now --reason "ticket 4711" -o csv | cut -d, -f1-4,6
ipam map {NAME}
ipam who 10.203.7.3
ipam restore 10.203.7.3 --reason "was it alive after all?"
ipam explain {CONFIG}
"""

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}")
STYLE = re.compile(r"\x1b\[[0-9;]*m|.*\r\x1b\[K")
"""Colours, and what was shown for as long as something took."""


def record(go_host_local: Path) -> str:
    """The session, as text."""
    command = [*PRIVATE, sys.executable, "-m", "tests.session", "--inside", str(go_host_local)]
    root = Path(__file__).parents[1]
    made = [Path(each) for each in DIRECTORIES if not Path(each).exists()]  # to mount on
    for directory in made:
        directory.mkdir()
    try:
        return subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout
    finally:
        for directory in made:
            directory.rmdir()


def inside(go_host_local: Path) -> str:
    """The same, in namespaces where it may do what it likes."""
    for directory in DIRECTORIES:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory], check=True)
    for path in (CONFIG.parent, RESULTS, LEASES.parent):
        path.mkdir(parents=True, mode=0o755)
    CONFIG.write_text(json.dumps({"cniVersion": "1.0.0", "name": NAME, "plugins": [BRIDGE, {"type": "portmap"}]}))
    leak(go_host_local)
    said = ["# host-local says, and the runtime passes it on:", add(go_host_local, "9e2d7b60c4f1")]
    for line in COMMANDS.splitlines():
        said += [f"$ {line}", shown(line)]
    return "\n".join(each for each in said if each) + "\n"


def leak(go_host_local: Path) -> None:
    """What went wrong on this node: a reboot, DELs that never came, and a host-local that was killed half-way."""
    yesterday = time.time() - DAY - 7300
    host = Host(os.uname().nodename, "6c0e14b2-3d5f-4f0a-9a7e-1f5f2b8f7c11", lambda: yesterday)
    store = open_store(StoreConfig(f"file://{LEASES.parent}"), host)
    for number, name in enumerate(LAST_BOOT):
        address = parse_address(f"10.203.7.{number + 2}")
        assert address is not None
        lease = Lease(address, Attachment(name, "eth0"), 0, Pod(), yesterday, host.boot, host.node)
        store.transact(NAME, lambda tx, lease=lease: tx.claim(lease, Cause.ADD))
    store.transact(NAME, lambda tx: tx.begin_boot(host.node, host.boot))
    store.close()
    for name in (*LOST, *LIVING):
        add(go_host_local, name)
    an_hour_ago = time.time() - 3700
    for path in LEASES.glob("10.*"):
        if path.read_text().startswith((*LOST, *LIVING)):
            os.utime(path, (an_hour_ago, an_hour_ago))
        if path.read_text().startswith(LIVING):
            attach(path.name, path.read_text()[:12])
    (LEASES / "10.203.7.6").touch()


def attach(address: str, name: str) -> None:
    """A container that lives: a namespace with a process and the address in it, and libcni's cached result."""
    script = f"ip link set lo up && ip address add {address}/32 dev lo && echo ready && exec sleep 300"
    process = subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    PROCESSES.append(process)
    (RESULTS / f"{NAME}-{name}-eth0").touch()


PROCESSES: list[subprocess.Popen[bytes]] = []


def add(go_host_local: Path, container: str) -> str:
    """Go's host-local: its error message, or nothing."""
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": container, "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}
    stdin = json.dumps({"cniVersion": "1.0.0", "name": NAME, **BRIDGE}).encode()
    netns = {"CNI_NETNS": "/run/netns/none"}
    done = subprocess.run([go_host_local], env=env | netns, input=stdin, capture_output=True, check=False)
    return "" if done.returncode == 0 else str(json.loads(done.stdout)["msg"])


def shown(line: str) -> str:
    """What a terminal shows of a command, without colours; times are always the same ones."""
    ours, theirs = pty.openpty()
    ipam = shlex.join([sys.executable, "-m", "ipam.cli"])
    env = os.environ | {"TERM": "xterm", "COLUMNS": str(COLUMNS), "TZ": "UTC", "SUDO_USER": "erika"}
    env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    words = f'ipam() {{ {ipam} "$@"; }}; {line}'
    process = subprocess.Popen(["sh", "-c", words], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    data = b""
    with contextlib.suppress(OSError):  # EIO: the command has ended
        while part := os.read(ours, 1 << 16):
            data += part
    os.close(ours)
    process.wait()
    text = STYLE.sub("", data.decode()).replace("\r\n", "\n")
    text = re.sub(r"process \d+", "process 4711", MOMENT.sub("2026-03-01 03:07:42 +0000", text))
    return "\n".join(each.rstrip() for each in text.rstrip("\n").split("\n"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        try:
            print(inside(Path(sys.argv[2])), end="")
        finally:
            for each in PROCESSES:
                each.kill()
                each.wait()
    else:
        text = record(Path("/usr/lib/cni/host-local"))
        if sys.argv[1:] == ["--write"]:
            before, rest = README.read_text().split(BEGIN)
            README.write_text(f"{before}{BEGIN}```\n{text}```\n{END}{rest.partition(END)[2]}")
        else:
            print(text, end="")
