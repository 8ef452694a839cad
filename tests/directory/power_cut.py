"""One power cut: a node on an ext4 of its own, which is shut down under it, recovers its journal and is looked at.

Run in a mount namespace of its own: `unshare -m python -m tests.directory.power_cut DIRECTORY DURABILITY BOOT SYNCED`.
BOOT is the same or the next, as the node takes it to be. SYNCED are the files, by the beginning of their names,
whose content the kernel had written back before the cut.
"""

import fcntl
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

from ipam.testing.fixtures import BOOT, NEXT_BOOT, huge_range, small_range
from tests.directory.node import Node, free

SMALL, HUGE = small_range(30), huge_range()
EXT4_IOC_SHUTDOWN = 0x8004587D
FLUSH_JOURNAL, NO_FLUSH = 1, 2


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def cut(mount: Path, how: int) -> None:
    """Stop all writing at once; with FLUSH_JOURNAL names and times reach the disk, contents do not."""
    fd = os.open(mount, os.O_RDONLY)
    fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", how))
    os.close(fd)


def write_back(root: Path, prefixes: list[str]) -> None:
    """Do for these files what the kernel does for any file sooner or later."""
    for path in root.rglob("*"):
        if path.is_file() and path.name.startswith(tuple(prefixes)):
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)


def work(node: Node) -> None:
    """Attachments that come and go."""
    for turn in range(12):
        node.add(f"pod-{turn}", SMALL, HUGE)
    for turn in range(4):
        node.delete(f"pod-{turn}")


def main() -> None:
    directory, durable, same, synced = (
        Path(sys.argv[1]),
        sys.argv[2] == "full",
        sys.argv[3] == "same",
        sys.argv[4].split(),
    )
    image, mount = directory / "image", directory / "mount"
    mount.mkdir()
    run("truncate", "-s", "32M", image)
    run("mkfs.ext4", "-q", "-F", image)
    run("mount", "-o", "loop", image, mount)
    node = Node(mount / "networks")
    node.durable = durable
    work(node)
    answered = node.leases()
    write_back(mount, synced)
    cut(mount, FLUSH_JOURNAL if synced else NO_FLUSH)
    run("umount", mount)
    run("mount", "-o", "loop", image, mount)
    node = Node(mount / "networks")
    node.durable = durable
    node.boot = BOOT if same else NEXT_BOOT
    node.delete("nobody")
    found = {
        "answered": answered,
        "leases": node.leases(),
        "files": node.files(),
        "free": len(free(node, SMALL)),
        "all": SMALL.end - SMALL.start + 1,
        "pods": sorted(lease.pod.name for lease in node.records_of_leases()),
    }
    run("umount", mount)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
