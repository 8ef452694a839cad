"""Calls of a plugin that others disturb: a held lock, a caller that goes away."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NETWORK = "calls"
HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "r+")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def config(directory: Path, *, lock_timeout: int = 30, dual: bool = False) -> bytes:
    """A network configuration for the plugin's stdin."""
    ranges = [[{"subnet": "10.89.0.0/24"}]] + ([[{"subnet": "fd00:89::/64"}]] if dual else [])
    ipam = {
        "type": "host-local",
        "dataDir": str(directory),
        "ranges": ranges,
        "lockTimeout": lock_timeout,
    }
    return json.dumps({"cniVersion": "1.0.0", "name": NETWORK, "type": "bridge", "ipam": ipam}).encode()


def environment(command: str, who: str) -> dict[str, str]:
    """The CNI variables of a call, and nothing else."""
    return {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": who,
        "CNI_NETNS": "/var/run/netns/calls",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
    }


def leases(directory: Path) -> dict[str, bytes]:
    """The lease files; whatever lies in the network's directory beside lock and cursors counts as one."""
    if not (directory / NETWORK).exists():
        return {}
    own = ("lock", "last_reserved_ip.")
    files = (path for path in (directory / NETWORK).iterdir() if not path.name.startswith(own))
    return {path.name: path.read_bytes() for path in files}


def snapshot(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything under a directory: mode, modification time and content."""
    found = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        content = b""
        if path.is_symlink():
            content = bytes(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(directory))] = (status.st_mode, status.st_mtime_ns, content)
    return found


@contextmanager
def held_lock(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds flock on the file until its stdin is closed."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch(0o750)
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            yield holder
        finally:
            release(holder)


def release(holder: subprocess.Popen[bytes]) -> None:
    """Let the holder end."""
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait(30)


def waiters(lock: Path) -> set[int]:
    """The processes that the kernel keeps in the queue for a flock on this file."""
    inode = f":{lock.stat().st_ino}"
    found = set()
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "->" and fields[2] == "FLOCK" and fields[6].endswith(inode):
            found.add(int(fields[5]))
    return found


def await_waiters(lock: Path, count: int) -> None:
    """Return as soon as so many processes wait for the lock; fail after half a minute."""
    deadline = time.monotonic() + 30
    while len(waiters(lock)) < count:
        assert time.monotonic() < deadline, f"only {len(waiters(lock))} of {count} wait for the lock"
        time.sleep(0.02)
