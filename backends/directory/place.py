"""The open directories of one network: Go's lease files on one side, our records of them on the other."""

from __future__ import annotations

import posix

from backends.directory import leasefile
from backends.directory.files import close, name_bytes, open_directory, readlink, symlink
from backends.directory.index import Index
from backends.directory.journal import Journal
from backends.directory.kept import KeptFile, Known
from backends.directory.lock import LOCK

BOOT = b"boot"
"""A link to `node boot-id`: the boot in which a call was made last."""

RECORDS = b".ipam"
"""Beside the networks' directories: no network's name begins with a dot, and Go never looks there."""


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
        named = ((self.name, self.leases), (f"{root}/{RECORDS.decode()}/{network}/taken", self.taken))
        self._named = [(name_bytes(name), _identity(posix.fstat(fd))) for name, fd in named]
        self.lock = KeptFile(LOCK, self.leases)
        self.journal = Journal(self.records)
        self.index = Index(self.records)
        self.cursors: dict[int, leasefile.Cursor] = {}
        self.known = Known()
        self.last_boot: tuple[str, str] | None = None
        """(node, boot id) as told last; None where it never was."""

    def _directory(self, name: bytes, parent: int | None, *, create: bool, link: bool = False) -> int:
        fd = open_directory(name, parent, create=create, link=link)
        self._open.append(fd)
        return fd

    def is_there(self) -> bool:
        """Whether the directories are still the ones under these names, and not removed or replaced since."""
        try:
            return all(_identity(posix.stat(name, follow_symlinks=False)) == known for name, known in self._named)
        except OSError:
            return False

    def begin_transaction(self) -> int:
        """Under the lock: look anew at what others may have changed. How long the history is, in bytes."""
        self.index.begin_transaction()
        target = readlink(BOOT, self.records)
        node, _, boot = (target or b"").decode("utf-8", "surrogateescape").rpartition(" ")
        self.last_boot = (node, boot) if target is not None else None
        return self.journal.file_size()

    def begin_boot(self, node: str, boot: str) -> None:
        """Remember the boot in which `node` is."""
        symlink(name_bytes(f"{node} {boot}"), BOOT, self.records, self.records)
        self.last_boot = (node, boot)

    def sync(self) -> None:
        """Have the disk know of directories and files that are new."""
        for fd in self._open:
            posix.fsync(fd)

    def cursor(self, range_set: int) -> leasefile.Cursor:
        """Go's cursor file of the range set with that index."""
        if range_set not in self.cursors:
            self.cursors[range_set] = leasefile.Cursor(range_set, self.leases)
        return self.cursors[range_set]

    def close(self) -> None:
        """Close everything."""
        if hasattr(self, "known"):
            self.lock.close()
            self.journal.close()
            self.index.close()
            for cursor in self.cursors.values():
                cursor.close()
        while self._open:
            close(self._open.pop())


def _identity(status: posix.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_dev


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
