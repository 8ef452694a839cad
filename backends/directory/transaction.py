"""One change of one network's directory: decided in memory, then done in an order that survives every kill."""

from __future__ import annotations

import posix

from backends.directory import journal, leasefile, resting
from backends.directory.files import remove
from backends.directory.index import checksum
from backends.directory.taken import Taken
from ipam.address import format_address
from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Address, Attachment, Event, Lease
from ipam.store import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backends.directory.place import Place
    from ipam.model import Host, Range


class Stale(Exception):
    """A lease file stands where the index knows of none: recover, and run the change again."""


class DirectoryTransaction(Transaction):
    """Reads through the index; keeps claims and drops until commit()."""

    def __init__(self, place: Place, network: str, host: Host, *, durable: bool) -> None:
        self._place = place
        self._network = network
        self._host = host
        self._durable = durable
        self._taken = Taken(place.bitmaps)
        self._events: list[Event] = []
        self._claimed: dict[Address, Lease] = {}
        self._dropped: dict[Address, Lease] = {}
        self._cursors: dict[int, Address] = {}
        self._holders: dict[Address, Attachment | None] = {}
        self._places: dict[Address, journal.Place] = {}
        self._recorded: dict[journal.Place, Lease] = {}
        self._boot: tuple[str, str] | None = None
        self._rests: dict[Address, float] | None = None
        self._rests_changed = False
        self._when_committed: Callable[[], None] | None = None

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        found = dict(self._claimed)
        for mark, address, where in self._place.index.entries():
            who = None if address in self._dropped or address in found else self._holder(address)
            if who is not None and checksum(who) == mark:
                found[address] = self._lease(address, who, where)
        return iter([lease for _, lease in sorted(found.items())])

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction."""
        names = [who, Attachment(who.container_id, "")] if who.ifname else [who]
        found = []
        for name in names:
            for address, where in self._place.index.find(name).items():
                if address not in self._dropped and self._holder(address) == name:
                    self._places[address] = where
                    found.append(self._lease(address, name, where))
        for lease in self._claimed.values():
            if lease.attachment.container_id == who.container_id and lease.attachment in names:
                found.append(lease)
        return sorted(found, key=lambda lease: lease.address)

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        if address in self._claimed:
            return self._claimed[address]
        who = None if address in self._dropped else self._holder(address)
        if who is None:
            return None
        where = self._places.get(address)
        if where is None and who.container_id:
            where = self._place.index.find(who).get(address)
        return Lease(address, who, None) if where is None else self._lease(address, who, where)

    def _holder(self, address: Address) -> Attachment | None:
        """Whose lease file it is; read once, since nobody changes it while we have the lock."""
        if address not in self._holders:
            self._holders[address] = leasefile.read(address, self._place.leases)
        return self._holders[address]

    def _lease(self, address: Address, who: Attachment, where: journal.Place) -> Lease:
        """The lease as history has it; a bare one where history was damaged."""
        if where not in self._recorded:
            event = self._place.journal.event_at(where)
            if event is None or event.lease.address != address or event.lease.attachment != who:
                return Lease(address, who, None)
            self._recorded[where] = event.lease
        return self._recorded[where]

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction."""
        first = rng.start if after is None else max(after + 1, rng.start)
        found = self._taken.next_free(rng.family, first, rng.end)
        while not resting and found is not None and (rng.family, found) in self._resting():
            found = self._taken.next_free(rng.family, found + 1, rng.end)
        return found

    def _resting(self) -> dict[Address, float]:
        if self._rests is None:
            place = self._place
            self._rests = {} if place.nothing_rests else resting.read(place.records, self._host.clock())
            place.nothing_rests = not self._rests
        return self._rests

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        if range_set in self._cursors:
            return self._cursors[range_set]
        return self._place.cursor(range_set).read()

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        if self._taken.is_taken(lease.address) and self.holder(lease.address) is not None:
            raise AddressInUse(f"{format_address(lease.address)} is leased on network {self._network}")
        self._claimed[lease.address] = lease
        if lease.range_set is not None:
            self._cursors[lease.range_set] = lease.address
        if self._resting().pop(lease.address, None) is not None:
            self._rests_changed = True
        self._record(CLAIM, lease, why, note)

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""
        held = self.holder(lease.address)
        if held is None or held.attachment != lease.attachment:
            return
        if self._claimed.pop(lease.address, None) is None:
            self._dropped[lease.address] = held
        if rest > 0:
            self._resting()[lease.address] = self._host.clock() + rest
            self._rests_changed = True
        self._record(DROP, held, why, note)

    def _record(self, what: str, lease: Lease, why: str, note: str) -> None:
        self._taken.mark(lease.address, taken=what == CLAIM)
        self._events.append(Event(self._host.clock(), self._host.boot, self._network, what, lease, why, note))

    def when_committed(self, action: Callable[[], None]) -> None:
        """See Transaction: nobody else comes in before transact() returns, but the caller can have its answer."""
        self._when_committed = action

    def last_boot(self, node: str) -> str | None:
        """See Transaction."""
        told = self._place.last_boot
        return told[1] if told is not None and told[0] == node else None

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
        self._boot = (node, boot)

    def commit(self) -> None:
        """Do it. An OSError means that nothing was changed; Stale, that the change must run again.

        The order is the guarantee. First the index says what is about to be claimed, at a place in history
        that is not written yet; then lease files come; the lines in history are the moment of commit; then
        lease files go. recover() undoes a change that never got its lines, and finishes one that did. What
        fails after that is found by the next call, because nothing has been stamped, and costs it a scan.
        """
        if not self._events:
            if self._boot:
                _done(self._place.begin_boot, *self._boot)
            return
        if self._rests_changed:  # first, for a rest is nothing to a lease that stays; and no reason to fail
            _done(resting.write, self._place.records, self._resting())
            self._place.nothing_rests = False
        lines = [journal.encode(event) for event in self._events]
        end = self._place.journal.size()
        before: list[tuple[Lease, journal.Place | None]] = []
        removed: list[Lease] = []
        created: list[Lease] = []
        try:
            self._announce_claims(lines, end, before)
            self._make_lease_files(removed, created)
            written = self._write_history(lines, end)
            self._remove_lease_files(removed)
        except Stale:
            self._undo(removed, created, before, end)
            raise
        except BaseException:
            if self._undo(removed, created, before, end):
                _done(self._stamp, end)
            raise
        if not written:
            return
        for range_set, address in self._cursors.items():
            _done(self._place.cursor(range_set).write, address)
        if self._when_committed is not None:  # what Go would look at is done: the rest is our own records
            self._when_committed()
        try:
            self._write_index()
            self._stamp(end + sum(map(len, lines)))
        except OSError:
            return
        self._place.keep_learned()

    def _stamp(self, size: int) -> None:
        self._place.stamp(size, self._host.clock())

    def _announce_claims(self, lines: list[bytes], end: int, before: list[tuple[Lease, journal.Place | None]]) -> None:
        """Tell the index where in history the claims of this change are going to be."""
        index = self._place.index
        index.begin(end)
        for event, line in zip(self._events, lines, strict=True):
            lease = event.lease
            if event.what == CLAIM and self._claimed.get(lease.address) is lease:
                before.append((lease, index.put(lease.attachment, lease.address, (end, end + len(line)))))
            end += len(line)

    def _make_lease_files(self, removed: list[Lease], created: list[Lease]) -> None:
        """Lists each lease before its file is touched: what failed half way must be undone as well."""
        for lease in self._claimed.values():
            if lease.address in self._dropped:
                self._remove(self._dropped[lease.address], removed)
            created.append(lease)
            try:
                self._create(lease)
            except FileExistsError:
                created.pop()
                raise Stale from None
        if self._durable and created:
            posix.fsync(self._place.leases)

    def _remove_lease_files(self, removed: list[Lease]) -> None:
        for address, lease in self._dropped.items():
            if address not in self._claimed:
                self._remove(lease, removed)
        if self._durable and removed:
            posix.fsync(self._place.leases)

    def _remove(self, lease: Lease, removed: list[Lease]) -> None:
        removed.append(lease)
        remove(leasefile.file_name(lease.address), self._place.leases)

    def _create(self, lease: Lease) -> None:
        place = self._place
        leasefile.create(lease, place.leases, place.records, durable=self._durable)

    def _write_history(self, lines: list[bytes], end: int) -> bool:
        """Commit; whether the lines are written.

        A full disk must not keep addresses leased: what is only dropped is dropped all the same, and the next
        call writes the missing lines, since nothing will have been stamped.
        """
        try:
            self._place.journal.append(lines, end, durable=self._durable)
            if self._durable and not end:
                self._place.sync()
        except OSError:
            if self._claimed or self._durable:
                raise
            return False
        return True

    def _undo(
        self, removed: list[Lease], created: list[Lease], before: list[tuple[Lease, journal.Place | None]], end: int
    ) -> bool:
        """Put everything back; whether the file system let us. If not, recover() does the rest."""
        index, leases = self._place.index, self._place.leases
        done = [_done(self._place.journal.cut, end)]
        left = [lease for lease in created if not _done(remove, leasefile.file_name(lease.address), leases)]
        done += [_done(self._create, lease) for lease in removed]
        for lease, where in before:
            if where is not None:
                done.append(_done(index.put, lease.attachment, lease.address, where))
            elif lease not in left:
                done.append(_done(index.remove, lease.attachment, lease.address))
        return all(done) and not left

    def _write_index(self) -> None:
        for address, lease in self._dropped.items():
            claimed = self._claimed.get(address)
            if claimed is None or claimed.attachment != lease.attachment:
                self._place.index.remove(lease.attachment, address)
        self._taken.save()
        if self._boot:
            _done(self._place.begin_boot, *self._boot)


def _done(action: Callable[..., object], *arguments: object) -> bool:
    try:
        action(*arguments)
    except OSError:
        return False
    return True
