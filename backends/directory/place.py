"""The open directories of one network: Go's lease files on one side, our records of them on the other."""

from __future__ import annotations

import posix
from time import time

from backends.directory import leasefile
from backends.directory.files import close, name_bytes, open_directory, readlink, symlink, sync
from backends.directory.index import Index
from backends.directory.journal import Journal
from backends.directory.kept import KeptFile, identity, same
from backends.directory.lock import LOCK
from backends.directory.taken import Bitmaps

BOOT = b"boot"
"""A link to `node boot-id`: the boot in which a call was made last."""

RECORDS = b".ipam"
"""Beside the networks' directories: no network's name begins with a dot, and Go never looks there."""

_TICK = 0.1
"""Seconds: two changes of a directory that are closer than the kernel's clock ticks may leave it the same times."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.spares import Spares

    Times = tuple[int, int, int, int]


class Place:
    """Descriptors of `<root>/<network>`, where Go's files are, and of `<root>/.ipam/<network>`, where ours are.

    Of ours there are `index`, the bitmaps in `taken`, `history`, the link `boot`, and `resting` where addresses rest.
    """

    def __init__(self, root: str, network: str, *, create: bool) -> None:
        """Open them, made where `create`. Raises FileNotFoundError, OSError, InputOutput."""
        self.name = f"{root}/{network}"
        self._open: list[int] = []
        try:
            base = self._directory(name_bytes(root), None, create=create, link=True)
            self.leases = self._directory(name_bytes(network), base, create=create)
            if create:
                self._directory(RECORDS, base, create=True)
            self.records = self._directory(RECORDS + b"/" + name_bytes(network), base, create=create)
            self.taken = self._directory(b"taken", self.records, create=create)
        except BaseException:
            self.close()
            raise
        self._paths = name_bytes(self.name), name_bytes(f"{root}/{RECORDS.decode()}/{network}")
        self.network = posix.fstat(self.leases)
        """The status of the network's directory when is_there() looked."""
        self._identities = identity(self.network), identity(posix.fstat(self.records))
        self._seen: Times | None = None
        self._learned_at: object = None
        self.last_boot: tuple[str, str] | None = None
        """(node, boot id) as told last; None where it never was."""
        self.nothing_rests = False
        self.lock = KeptFile(LOCK, self.leases)
        self.journal = Journal(self.records)
        self.index = Index(self.records)
        self.bitmaps = Bitmaps(self.taken)
        self.spares: Spares | None = None
        self._cursors: dict[int, leasefile.Cursor] = {}

    def _directory(self, name: bytes, parent: int | None, *, create: bool, link: bool = False) -> int:
        fd = open_directory(name, parent, create=create, link=link)
        self._open.append(fd)
        return fd

    def is_there(self) -> bool:
        """Whether the directories, and the lock that is held, are still the ones under their names.

        Lets go of files that may be others by now: all of them, unless no file has been created, removed or
        renamed in either directory since the last stamp().
        """
        try:
            network, records = [posix.stat(path, follow_symlinks=False) for path in self._paths]
        except OSError:
            return False
        if (identity(network), identity(records)) != self._identities:
            return False
        self.network = network
        seen = (network.st_mtime_ns, network.st_ctime_ns, records.st_mtime_ns, records.st_ctime_ns)
        if seen != self._seen:
            self._let_go()
            self._seen = seen if max(seen[2:]) < (time() - _TICK) * 1e9 else None
            if not self.lock.is_under_its_name() or not same(b"taken", self.records, self.taken):
                return False
            target = readlink(BOOT, self.records)
            node, _, boot = (target or b"").decode("utf-8", "surrogateescape").rpartition(" ")
            self.last_boot = (node, boot) if target is not None else None
        self.index.begin_transaction()
        return True

    def _let_go(self) -> None:
        self.journal.close()
        self.index.close()
        self.bitmaps.close()
        for cursor in self._cursors.values():
            cursor.close()

    def learn(self) -> None:
        """What is learned of our records from now on counts while nobody else gives the index a stamp."""
        stamp = self.index.identity()
        if stamp != self._learned_at:
            self._learned_at = stamp
            self.nothing_rests = False
            self.bitmaps.forget()

    def stamp(self, history: int, times: tuple[int, int]) -> None:
        """Declare the index current: call it last, under the lock. See Index.mark() and stamp()."""
        self.index.stamp(times, history)
        if self._seen is not None:
            self._seen = (*times, *self._seen[2:])

    def keep_learned(self) -> None:
        """What was learned is true after the stamp that was just given."""
        self._learned_at = self.index.identity()

    def keep_spares(self) -> None:
        """Keep lease files that are not needed any more for the next leases, from now on."""
        if self.spares is None:
            from backends.directory.spares import Spares

            self.spares = Spares(self.records)

    def begin_boot(self, node: str, boot: str) -> None:
        """Remember the boot in which `node` is."""
        symlink(name_bytes(f"{node} {boot}"), BOOT, self.records, self.records)
        self.last_boot = (node, boot)

    def sync(self) -> None:
        """Have the disk know of directories and files that are new."""
        for fd in self._open:
            sync(fd)

    def cursor(self, range_set: int) -> leasefile.Cursor:
        """Go's cursor file of the range set with that index."""
        if range_set not in self._cursors:
            self._cursors[range_set] = leasefile.Cursor(range_set, self.leases)
        return self._cursors[range_set]

    def close(self) -> None:
        """Close everything."""
        if hasattr(self, "_cursors"):
            self._let_go()
            if self.spares is not None:
                self.spares.close()
            self.lock.close()
        while self._open:
            close(self._open.pop())


def full_path(root: str, network: str, error: OSError) -> str:
    """Which file an error is about: file names are relative to one or another of our descriptors."""
    name = error.filename.decode("utf-8", "backslashreplace") if isinstance(error.filename, bytes) else ""
    if name.startswith("/") or not name:
        return name or f"{root}/{network}"
    if name == network or name.startswith(RECORDS.decode()):
        return f"{root}/{name}"
    if name[:2] in ("4-", "6-"):
        return f"{root}/{RECORDS.decode()}/{network}/taken/{name}"
    if name.partition(".")[0] in ("taken", "index", "history", "boot", "new", "forgetting", "resting"):
        return f"{root}/{RECORDS.decode()}/{network}/{name}"
    return f"{root}/{network}/{name}"
