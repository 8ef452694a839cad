"""A file system that keeps whole seconds alone, as ext4 with small inodes: what nobody changed is not read anew."""

import subprocess
import sys
from pathlib import Path

from tests.directory.test_power_cut import ROOT, loop_mounts

__all__ = ["loop_mounts"]

SCRIPT = """
import sys, time
from pathlib import Path
from backends.directory import recovery
from tests.directory.node import Node
calls = []
recover = recovery.recover
def counting(*arguments):
    calls.append(arguments)
    recover(*arguments)
recovery.recover = counting
node = Node(Path(sys.argv[1]))
node.clock = time.time
node.add("one")
before = len(calls)
for number in range(3):
    node.add(f"c{number}")
assert node.directory.stat().st_mtime_ns % 10**9 == 0, "this file system keeps more"
assert len(calls) == before, "it recovered though nobody else was there"
(node.directory / "10.0.0.9").write_bytes(b"other\\r\\neth0")
node.settle()
assert len(calls) == before + 1
"""


def test_what_nobody_changed_is_not_read_anew(tmp_path: Path, loop_mounts: None) -> None:
    mount = (
        'truncate -s 32M "$0/image" && mkfs.ext4 -q -F -I 128 "$0/image" && mkdir "$0/mount" && '
        'mount -o loop "$0/image" "$0/mount" && exec "$1" -c "$2" "$0/mount/networks"'
    )
    command = ["unshare", "-m", "sh", "-c", mount, str(tmp_path), sys.executable, SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
