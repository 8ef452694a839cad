"""Stores full of leases and history to move, and a move that is killed."""

import subprocess
import sys
import time
from pathlib import Path

from ipam.model import IPV4, IPV6, Address, Attachment, Cause, Lease, Pod
from ipam.store import Transaction
from tests.sql.allocation import opened

FIRST4, FIRST6 = 0x0A140000 + 2, 0xFD00 << 112 | 2
_BATCH = 1000
IN_SMALL_STEPS = """\
import sys
from ipam import migration
from ipam.cli import main
migration._BATCH = 20
main(sys.argv[1:])
"""


def fill(url: str, leases: int, network: str = "net") -> None:
    """Claim so many leases, of both families, and every third of them before, for a container that went away."""
    with opened(url) as store:
        for begin in range(0, leases, _BATCH):
            store.transact(network, lambda tx, begin=begin: _fill(tx, begin, min(begin + _BATCH, leases)))  # type: ignore[misc]


def _fill(tx: Transaction, begin: int, end: int) -> None:
    for number in range(begin, end):
        address = Address(IPV6, FIRST6 + number) if number % 10 == 0 else Address(IPV4, FIRST4 + number)
        pod = Pod("default", f"web-{number}", f"uid-{number}")
        since = 1_700_000_000.25 + number
        lease = Lease(address, Attachment(f"c{number}", "eth0"), int(number % 10 == 0), pod, since, "boot", "node-a")
        if number % 3 == 0:
            old = lease.replace(attachment=Attachment(f"old{number}", "eth0"))
            tx.claim(old, Cause.ADD)
            tx.drop(old, Cause.RELEASE, "by root: it was gone")
        tx.claim(lease, Cause.ADD)


def files(directory: Path) -> dict[str, bytes]:
    """Everything that Go knows of in a network's directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def migrate(source: str, target: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`ipam store migrate`."""
    return subprocess.run(command(source, target, *options), capture_output=True, text=True, check=False)


def command(source: str, target: str, *options: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "ipam.cli", "store", "migrate", source, target, *options]


def kill_half_way(source: str, target: str, events: int, *, at_least: int = 1) -> int:
    """Begin to move, and kill that when the target has some of so many events; how many it has then."""
    argv = [sys.executable, "-c", IN_SMALL_STEPS, "store", "migrate", source, target]
    mover = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with opened(target) as store:
        while sum(1 for _ in store.history("net")) < at_least:
            assert mover.poll() is None, "it was through before it could be killed"
            time.sleep(0.001)
        mover.kill()
        mover.wait()
        there = sum(1 for _ in store.history("net"))
    assert there < events, "it was through before it could be killed"
    return there
