"""Witness: is the leased address on an interface of any network namespace of this node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path

from ipam.address import format_address, parse_address
from ipam.inspection.staleness import DEAD, KEPT, LIVE, SILENT, Sign
from ipam.model import IPV6, Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.model import Lease

NAME = "netns"

_INITIAL_PID_NAMESPACE = 4026531836  # the kernel's PROC_PID_INIT_INO
_LINK = re.compile(r"net:\[(\d+)\]")
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")
_TIMEOUT = 10  # seconds
_SHOW = "cat /proc/self/net/fib_trie && if test -e /proc/self/net/if_inet6; then cat /proc/self/net/if_inet6; fi"


class Namespaces:
    """The local addresses of every network namespace, each with who is in it, as they were at one moment."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        """`proc` is the node's procfs."""
        self.unseen: list[str] = []
        self.places: dict[Address, str] = {}
        self.empty: dict[Address, str] = {}
        self._proc = proc
        seen: set[int] = set()
        if os.geteuid():
            self.unseen.append("only root may look into all of them")
        if not _shows_the_node(proc):
            self.unseen.append(f"{proc} does not show all processes of the node")
        if not self.unseen:
            self._look_at_processes(seen)
            self._look_at_empty_ones(seen)

    def sign(self, lease: Lease, others: Iterable[Address] = ()) -> Sign:
        """What this witness says of a lease; `others` are the further addresses that its attachment holds.

        An interface that has one of its addresses is there, whatever became of the others.
        """
        for says, places, more in ((LIVE, self.places, ""), (KEPT, self.empty, ", which has no process")):
            for address in (lease.address, *others):
                if address in places:
                    of = "the address" if address == lease.address else f"{format_address(address)}, its other address,"
                    return Sign(NAME, says, f"{of} is in {places[address]}{more}")
        if self.unseen:
            more = f" (and {len(self.unseen) - 1} more)" if len(self.unseen) > 1 else ""
            return Sign(NAME, SILENT, f"not all could be looked at: {self.unseen[0]}{more}")
        return Sign(NAME, DEAD, "none has the address")

    def _look_at_processes(self, seen: set[int]) -> None:
        for pid in self._pids():
            for task in _listed(self._proc / pid / "task"):  # each thread may be in a namespace of its own
                inode = _inode(task / "ns/net")
                if inode in seen:
                    continue
                place = f"that of process {pid}"
                try:
                    four = (task / "net/fib_trie").read_text()
                except PermissionError:
                    self.unseen.append(place)
                    continue
                except OSError:  # it has ended, and maybe waits to be reaped; whoever else is in there is looked at too
                    continue
                self._note(four, _read(task / "net/if_inet6") or "", place, self.places)
                if inode is not None:
                    seen.add(inode)

    def _pids(self) -> list[str]:
        return sorted((name for name in os.listdir(self._proc) if name.isdigit()), key=int)  # noqa: PTH208

    def _look_at_empty_ones(self, seen: set[int]) -> None:
        """Namespaces that are kept by a mount or an open file alone: those of sandboxes without a process."""
        nsenter = shutil.which("nsenter")
        failed: dict[int, str] = {}
        for inode, path, text in chain(self._mounts(), self._open_files()):
            # A mount may be hidden below another one, or be gone, and its namespace be kept elsewhere too.
            if inode in seen or not _may_be_there(path, inode):
                continue
            if nsenter is None:
                failed[inode] = f"{text} (nsenter, of util-linux, is missing)"
                continue
            command = [nsenter, f"--net={path}", "sh", "-c", _SHOW]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
            except subprocess.TimeoutExpired:
                seen.add(inode)
                self.unseen.append(text)
                continue
            if done.returncode:
                if _may_be_there(path, inode):
                    failed[inode] = text
                continue
            seen.add(inode)
            self._note(done.stdout, done.stdout, text, self.empty)
        self.unseen += [text for inode, text in failed.items() if inode not in seen]

    def _mounts(self) -> Iterator[tuple[int, Path, str]]:
        """(inode, path from here, what it is) of each mounted network namespace, in any mount namespace."""
        tables: set[int | None] = set()
        for name in ("self", *self._pids()):
            inode = _inode(self._proc / name / "ns/mnt")
            if inode in tables:
                continue
            tables.add(inode)
            for line in (_read(self._proc / name / "mountinfo") or "").splitlines():
                fields = line.split(" ")
                found = _LINK.fullmatch(fields[3])
                if found and " - nsfs " in line:
                    point = fields[4].encode("latin-1", "replace").decode("unicode_escape")
                    path = self._proc / name / "root" / point.lstrip("/")
                    yield int(found[1]), path, point

    def _open_files(self) -> Iterator[tuple[int, Path, str]]:
        """The same of each network namespace that a process holds open."""
        for pid in self._pids():
            for path in _listed(self._proc / pid / "fd"):
                try:
                    found = _LINK.fullmatch(os.readlink(path))  # noqa: PTH115 - it is no path
                except OSError:
                    continue
                if found:
                    yield int(found[1]), path, f"one that process {pid} holds open"

    def _note(self, four: str, six: str, place: str, places: dict[Address, str]) -> None:
        for text in _LOCAL.findall(four):
            address = parse_address(text)
            if address is not None:
                places.setdefault(address, place)
        for line in six.splitlines():
            fields = line.split()
            if len(fields) == 6 and re.fullmatch(r"[0-9a-f]{32}", fields[0]):
                places.setdefault(Address(IPV6, int(fields[0], 16)), place)


def _shows_the_node(proc: Path) -> bool:
    """Whether all processes of the node are there, and not those of one container alone.

    True in the first of all PID namespaces, and where systemd is the init of this one: then it is that of a machine,
    be it one in a container.
    """
    if _INITIAL_PID_NAMESPACE in {_inode(proc / name / "ns/pid") for name in ("self", "1")}:
        return True
    return _read(proc / "1/comm") == "systemd\n"


def _may_be_there(path: Path, inode: int) -> bool:
    """Whether a namespace is there, or something keeps us from telling."""
    try:
        return path.stat().st_ino == inode
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return False
    except OSError:
        return True


def _listed(directory: Path) -> list[Path]:
    """What is in a directory of a process; nothing where that has ended."""
    try:
        return [directory / name for name in os.listdir(directory)]  # noqa: PTH208
    except OSError:
        return []


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
