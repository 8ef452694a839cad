"""One change of one network's directory: decided in memory, on what the index and the lease files say."""

from __future__ import annotations

from backends.directory import journal, leasefile, resting
from backends.directory.commit import Change, Commit
from backends.directory.index import checksum
from ipam.address import format_address
from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Address, Attachment, Event, Lease
from ipam.store import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backends.directory.place import Place
    from ipam.model import Host, Range


class DirectoryTransaction(Transaction):
    """Reads through the index; keeps claims and drops until commit()."""

    def __init__(self, place: Place, network: str, host: Host, *, durable: bool) -> None:
        self._place = place
        self._network = network
        self._host = host
        self._durable = durable
        self._change = Change(place)
        self._holders: dict[Address, Attachment | None] = {}
        self._new: dict[str, set[Address]] = {}  # by container id: what was claimed, and maybe dropped again
        self._places: dict[Address, journal.Place] = {}
        self._recorded: dict[journal.Place, Lease] = {}
        self._rests: dict[Address, float] | None = None
        self._when_committed: Callable[[], None] | None = None

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        found = dict(self._change.claimed)
        for mark, address, where in self._place.index.entries():
            who = None if address in self._change.dropped or address in found else self._holder(address)
            if who is not None and checksum(who) == mark:
                found[address] = self._lease(address, who, where)
        return iter([lease for _, lease in sorted(found.items())])

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction."""
        names = [who, Attachment(who.container_id, "")] if who.ifname else [who]
        found = []
        for name in names:
            for address, where in self._place.index.find(name).items():
                if address not in self._change.dropped and self._holder(address) == name:
                    self._places[address] = where
                    found.append(self._lease(address, name, where))
        for address in self._new.get(who.container_id, ()):
            lease = self._change.claimed.get(address)
            if lease is not None and lease.attachment in names:
                found.append(lease)
        return sorted(found, key=lambda lease: lease.address)

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        if address in self._change.claimed:
            return self._change.claimed[address]
        who = None if address in self._change.dropped else self._holder(address)
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
        found = self._change.taken.next_free(rng.family, first, rng.end)
        while not resting and found is not None and (rng.family, found) in self._resting():
            found = self._change.taken.next_free(rng.family, found + 1, rng.end)
        return found

    def _resting(self) -> dict[Address, float]:
        if self._rests is None:
            place = self._place
            self._rests = {} if place.nothing_rests else resting.read(place.records, self._host.clock())
            place.nothing_rests = not self._rests
        return self._rests

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        if range_set in self._change.cursors:
            return self._change.cursors[range_set]
        return self._place.cursor(range_set).read()

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        if self._change.taken.is_taken(lease.address) and self.holder(lease.address) is not None:
            raise AddressInUse(f"{format_address(lease.address)} is leased on network {self._network}")
        self._change.claimed[lease.address] = lease
        self._new.setdefault(lease.attachment.container_id, set()).add(lease.address)
        if lease.range_set is not None:
            self._change.cursors[lease.range_set] = lease.address
        if self._resting().pop(lease.address, None) is not None:
            self._change.rests = self._resting()
        self._record(CLAIM, lease, why, note)

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""
        held = self.holder(lease.address)
        if held is None or held.attachment != lease.attachment:
            return
        if self._change.claimed.pop(lease.address, None) is None:
            self._change.dropped[lease.address] = held
        if rest > 0:
            self._resting()[lease.address] = self._host.clock() + rest
            self._change.rests = self._resting()
        self._record(DROP, held, why, note)

    def replay(self, event: Event, *, done: bool) -> None:
        """See Transaction."""
        change = self._change
        recorded, cursors = len(change.events), dict(change.cursors)
        if done:
            (self.claim if event.what == CLAIM else self.drop)(event.lease, event.cause)
        change.events[recorded:], change.cursors = [event], cursors

    def put_cursor(self, range_set: int, address: Address) -> None:
        """See Transaction."""
        self._change.cursors[range_set] = address

    def _record(self, what: str, lease: Lease, why: str, note: str) -> None:
        self._change.taken.mark(lease.address, taken=what == CLAIM)
        self._change.events.append(Event(self._host.clock(), self._host.boot, self._network, what, lease, why, note))

    def when_committed(self, action: Callable[[], None]) -> None:
        """See Transaction: nobody else comes in before transact() returns, but the caller can have its answer."""
        self._when_committed = action

    def last_boot(self, node: str) -> str | None:
        """See Transaction."""
        told = self._place.last_boot
        return told[1] if told is not None and told[0] == node else None

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
        self._change.boot = (node, boot)

    def commit(self) -> None:
        """Do what was decided. See Commit.run()."""
        Commit(self._place, self._change, self._host.clock, durable=self._durable).run(self._when_committed)
