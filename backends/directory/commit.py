"""A change's way to the disk: in an order that survives every kill, and is undone where it fails."""

from __future__ import annotations

from backends.directory import journal, leasefile, resting
from backends.directory.files import sync
from backends.directory.index import checksum
from backends.directory.taken import Taken
from ipam.model import CLAIM, Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backends.directory.place import Place
    from ipam.model import Address, Clock, Event, Lease


class Stale(Exception):
    """A lease file stands where the index knows of none: recover, and run the change again."""


class Change:
    """What a transaction has decided: all of it happens, or none.

    `rests` are all addresses that rest afterwards, None where that is as before; `boot` is (node, boot id) to
    be told.
    """

    def __init__(self, place: Place) -> None:
        self.events: list[Event] = []
        self.claimed: dict[Address, Lease] = {}
        self.dropped: dict[Address, Lease] = {}
        self.cursors: dict[int, Address] = {}
        self.taken = Taken(place.bitmaps)
        self.rests: dict[Address, float] | None = None
        self.boot: tuple[str, str] | None = None


class Commit:
    """Puts one change on the disk. Call it under the lock.

    The order is the guarantee. First the index says what is about to be claimed, at a place in history that is
    not written yet; then lease files come; the lines in history are the moment of commit; then lease files go.
    recover() undoes a change that never got its lines, and finishes one that did. What fails after that is found
    by the next call, because nothing has been stamped, and costs it a scan.
    """

    def __init__(self, place: Place, change: Change, clock: Clock, *, durable: bool) -> None:
        """`durable`: what happened is on the disk when run() returns."""
        self._place = place
        self._change = change
        self._clock = clock
        self._durable = durable
        self._lines, self._link = journal.encode_chained(change.events, place.index.chained()[1])
        self._end = place.index.history_size()
        # Each lease is listed before its file is touched: what failed half way must be undone as well.
        self._created: list[Lease] = []
        self._removed: list[Lease] = []
        self._announced: list[tuple[Lease, journal.Place | None]] = []

    def run(self, when_committed: Callable[[], None] | None = None) -> None:
        """Do it. An OSError means that nothing was changed; Stale, that the change must run again.

        `when_committed` is called when all that others can see is done.
        """
        place, change = self._place, self._change
        if not change.events:
            self._write_cursors()
            self._tell_boot()
            return
        if change.rests is not None:  # first, for a rest is nothing to a lease that stays; and no reason to fail
            _done(resting.write, place.records, change.rests)
            place.nothing_rests = False
        try:
            self._announce_claims()
            self._make_lease_files()
            written = self._write_history()
            self._remove_lease_files()
        except Stale:
            self._undo()
            raise
        except BaseException:
            if self._undo():
                _done(self._restamp)
            raise
        if not written:
            return
        self._write_cursors()
        try:
            # Whoever has the answer may change lease files without the lock: that must come after the mark.
            times = place.index.mark(place.leases, self._clock())
            if when_committed is not None:
                when_committed()
            self._write_index()
            change.taken.save()
            self._tell_boot()
            place.index.follow(self._link)
            place.journal.know(change.events, self._lines, self._end)
            place.stamp(self._end + sum(map(len, self._lines)), times)
        except OSError:
            return
        place.keep_learned()

    def _restamp(self) -> None:
        """After an undo: all is as it was, but for the times."""
        self._place.stamp(self._end, self._place.index.mark(self._place.leases, self._clock()))

    def _write_cursors(self) -> None:
        for range_set, address in self._change.cursors.items():
            _done(self._place.cursor(range_set).write, address)

    def _announce_claims(self) -> None:
        """Tell the index where in history the claims of this change are going to be."""
        index, end = self._place.index, self._end
        index.begin(end)
        for event, line in zip(self._change.events, self._lines, strict=True):
            lease = event.lease
            if event.what == CLAIM and self._change.claimed.get(lease.address) is lease:
                before = index.put(lease.attachment, lease.address, (end, end + len(line)))
                self._announced.append((lease, before))
            end += len(line)

    def _make_lease_files(self) -> None:
        for address, lease in self._change.claimed.items():
            if address in self._change.dropped:
                self._remove(self._change.dropped[address])
            self._created.append(lease)
            try:
                self._create(lease)
            except FileExistsError:
                self._created.pop()
                raise Stale from None
        if self._durable and self._created:
            sync(self._place.leases)

    def _remove_lease_files(self) -> None:
        for address, lease in self._change.dropped.items():
            if address not in self._change.claimed:
                self._remove(lease)
        if self._durable and self._removed:
            sync(self._place.leases)

    def _create(self, lease: Lease) -> None:
        place = self._place
        leasefile.create(lease, place.leases, place.records, spares=place.spares, durable=self._durable)

    def _remove(self, lease: Lease) -> None:
        self._removed.append(lease)
        if self._place.spares is not None:
            self._place.spares.take_away(leasefile.file_name(lease.address), self._place.leases)
        else:
            leasefile.remove(lease.address, self._place.leases)

    def _write_history(self) -> bool:
        """Commit; whether the lines are written.

        A full disk must not keep addresses leased: what is only dropped is dropped all the same, and the next
        call writes the missing lines, since nothing will have been stamped. Where all is to be on the disk before it
        is answered, that goes for what is given back alone: nobody gets an answer to that.
        """
        try:
            self._place.journal.append(self._lines, self._end, durable=self._durable)
            if self._durable and not self._end:
                self._place.sync()
        except OSError:
            given_back = all(event.cause == Cause.UNDELIVERED for event in self._change.events)
            if self._change.claimed or (self._durable and not given_back):
                raise
            return False
        return True

    def _undo(self) -> bool:
        """Put everything back; whether the file system let us. If not, recover() does the rest."""
        index, place = self._place.index, self._place
        done = [_done(place.journal.cut, self._end)]
        left = [lease for lease in self._created if not _done(leasefile.remove, lease.address, place.leases)]
        done += [_done(self._create, lease) for lease in self._removed]
        for lease, before in self._announced:
            if before is not None:
                done.append(_done(index.put, lease.attachment, lease.address, before))
            elif lease not in left:
                done.append(_done(index.remove, lease.attachment, lease.address))
        return all(done) and not left

    def _write_index(self) -> None:
        for address, lease in self._change.dropped.items():
            claimed = self._change.claimed.get(address)  # which has the slot now, where its checksum is the same
            if claimed is None or checksum(claimed.attachment) != checksum(lease.attachment):
                self._place.index.remove(lease.attachment, address)

    def _tell_boot(self) -> None:
        if self._change.boot is not None:
            _done(self._place.begin_boot, *self._change.boot)


def _done(action: Callable[..., object], *arguments: object) -> bool:
    try:
        action(*arguments)
    except OSError:
        return False
    return True
