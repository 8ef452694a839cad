"""A machine with a real systemd: PID 1 of its own namespaces, on an overlay of this file system that vanishes with it.

Nothing of the host's units runs in there, and nothing that is written in there reaches the host: /run, /etc, /opt and
/var are its own. The host's processes, network and cgroups are out of reach as well.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 60.0
"""Seconds after which something is stuck."""

SYSTEMD = Path("/lib/systemd/systemd")

# Arguments: a name for the cgroup, then the directories of this machine to be seen at the same place in the other.
BOOT = """\
set -e
mount --make-rprivate /
new=/mnt
mount -t tmpfs tmpfs $new
mkdir $new/upper $new/work $new/root $new/cgroup
mount -t cgroup2 cgroup2 $new/cgroup
mkdir $new/cgroup/$1
echo $$ >$new/cgroup/$1/cgroup.procs
shift
mount -t overlay -o lowerdir=/,upperdir=$new/upper,workdir=$new/work overlay $new/root
cd $new/root
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --rbind /dev dev
for directory; do
  mkdir -p ./$directory
  mount --rbind $directory ./$directory
done
exec unshare --pid --cgroup --ipc --uts --net --fork --kill-child --mount sh -e -c '
  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mkdir old
  pivot_root . old
  umount -l /old
  for directory in /lib/systemd/system/*.wants /lib/systemd/system-generators /etc/systemd/system /etc/tmpfiles.d; do
    if [ -d $directory ]; then mount -t tmpfs tmpfs $directory; fi
  done
  mkdir -p /etc/systemd/system /etc/tmpfiles.d
  printf "[Unit]\\nDefaultDependencies=no\\n" >/etc/systemd/system/sysinit.target
  mount --make-rshared /  # as systemd does where it is not in a container
  ip link set lo up
  container=test exec /lib/systemd/systemd --system --unit=basic.target --log-target=null --show-status=no
'
"""

# A cgroup can be removed when nothing is in it, the innermost first.
CLEAR = """\
mount --make-rprivate /
mount -t cgroup2 cgroup2 /mnt
find /mnt/"$1" -depth -type d -exec rmdir {} +
"""


class CannotBoot(Exception):
    """This host does not let systemd be PID 1 of a namespace."""


class Machine:
    """A booted machine, within `with`. `shown`: directories of this one that are to be seen in it."""

    def __init__(self, shown: Sequence[Path] = ()) -> None:
        self._cgroup = f"ipam-tests-{secrets.token_hex(4)}"
        self._shown = list(dict.fromkeys(map(str, shown)))
        self._process: subprocess.Popen[str] | None = None
        self.pid = 0

    @staticmethod
    def lacks() -> str:
        """What this host lacks for it, "" for nothing."""
        if os.geteuid() != 0:
            return "root"
        programs = [name for name in ("unshare", "nsenter", "ip", "systemctl") if not shutil.which(name)]
        return "" if not programs and SYSTEMD.exists() else "systemd, util-linux and iproute2"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", BOOT, "sh", self._cgroup, *self._shown],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait(self) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        stuck = time.monotonic() + PATIENCE
        while time.monotonic() < stuck:
            if self._process.poll() is not None:
                assert self._process.stdout is not None
                raise CannotBoot(self._process.stdout.read().strip())
            found = children.read_text().split()
            if found and Path(f"/proc/{found[0]}/comm").read_text() == "systemd\n":
                self.pid = int(found[0])
                if self.run("systemctl", "is-system-running", check=False).stdout.strip() == "running":
                    return
            time.sleep(0.1)
        raise CannotBoot("systemd does not get ready")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)  # and with it, by --kill-child, all that runs in there
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        stuck = time.monotonic() + PATIENCE
        while subprocess.run(
            ["unshare", "--mount", "sh", "-c", CLEAR, "sh", self._cgroup], capture_output=True, check=False
        ).returncode:
            assert time.monotonic() < stuck, f"cgroup {self._cgroup} cannot be removed"
            time.sleep(0.1)

    def command(self, *arguments: str | Path) -> list[str]:
        """The command that runs another one in there."""
        return ["nsenter", "--target", str(self.pid), "--all", "--", *map(str, arguments)]

    def run(
        self, *arguments: str | Path, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in there."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
            env={"PATH": os.defpath + ":/usr/sbin:/sbin", "SYSTEMD_PAGER": "cat"},
        )
        assert done.returncode == 0 or not check, (arguments, done.stdout, done.stderr)
        return done
