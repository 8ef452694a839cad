"""A full disk: nothing can be claimed, but what runtimes give up must go all the same, or no room is ever made."""

from __future__ import annotations

from backends.directory import leasefile
from backends.directory.files import NoSpace, close, name_bytes, open_directory, sync
from backends.directory.kept import KeptFile
from backends.directory.lock import LOCK, acquire
from backends.directory.place import RECORDS
from backends.directory.reading import Scan, read_events
from ipam.model import CLAIM, Address, Attachment, Cause, Lease
from ipam.store import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ipam.model import Event, Range

    T = TypeVar("T")

_ENDS_UNRECORDED = (Cause.DEL, Cause.GC, Cause.UNDELIVERED)
"""What is given up with or without a record. Who drops for another cause wants it recorded."""


class _NeedsSpace(Exception):
    """The change does more than drop leases. No CniError, which would be the answer to one of several changes."""


def transact(
    root: str, network: str, change: Callable[[Transaction], T], trouble: NoSpace, *, timeout: float, durable: bool
) -> T:
    """Run a change that was refused with `trouble`, on the lease files alone; one that claims is refused again.

    Nothing is recorded: the next call that finds room sees that lease files have gone, and tells history so.
    """
    place = f"{root}/{network}"
    leases = open_directory(name_bytes(place))
    try:
        lock = KeptFile(LOCK, leases)
        acquire(lock, place, timeout)
        try:
            tx = LeaseFiles(leases, f"{root}/{RECORDS.decode()}/{network}")
            result = change(tx)
            tx.commit(durable=durable)
        except _NeedsSpace:
            raise trouble from None
        finally:
            lock.close()
    finally:
        close(leases)
    return result


class LeaseFiles(Transaction):
    """What a change sees where there are lease files and no index."""

    def __init__(self, directory: int, records: str) -> None:
        """`records` is the path of our records of the network, which can be read at least."""
        self._directory = directory
        self._records = records
        self._holders = Scan(directory).holders
        self._dropped: list[Address] = []

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        return iter([Lease(address, who, None) for address, who in sorted(self._holders.items(), key=lambda it: it[0])])

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction. Where records can be made, it costs less."""
        names = (who, Attachment(who.container_id, ""))
        return [lease for lease in self.leases() if lease.attachment in names]

    def holder(self, address: Address) -> Lease | None:
        """See Transaction. Where records can be made, it costs less."""
        who = self._holders.get(address)
        if who is None and address not in self._dropped:
            who = leasefile.read(address, self._directory)
        return None if who is None else self._recorded(address, who) or Lease(address, who, None)

    def _recorded(self, address: Address, who: Attachment) -> Lease | None:
        """The lease as history has it."""
        try:
            records = open_directory(name_bytes(self._records))
        except FileNotFoundError:
            return None
        claimed = None
        try:
            for event in read_events(records, (address,)):
                if event.what == CLAIM and event.lease.address == address:
                    claimed = event.lease
        finally:
            close(records)
        return claimed if claimed is not None and claimed.attachment == who else None

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction: whoever asks wants to claim it."""
        raise _NeedsSpace

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        return None

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        raise _NeedsSpace

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""
        if why not in _ENDS_UNRECORDED or rest:
            raise _NeedsSpace
        if self._holders.get(lease.address) == lease.attachment:
            del self._holders[lease.address]
            self._dropped.append(lease.address)

    def replay(self, event: Event, *, done: bool) -> None:
        """See Transaction."""
        raise _NeedsSpace

    def put_cursor(self, range_set: int, address: Address) -> None:
        """See Transaction."""
        raise _NeedsSpace

    def last_boot(self, node: str) -> str | None:
        """See Transaction: nothing can be told of earlier boots, so the first call that can tell does what is due."""
        return None

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""

    def commit(self, *, durable: bool) -> None:
        """Remove the files of what was dropped. An OSError leaves those that were not reached; DEL comes again."""
        for address in self._dropped:
            leasefile.remove(address, self._directory)
        if durable and self._dropped:
            sync(self._directory)
