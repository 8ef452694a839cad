"""A snapshot's way back into a store: leases, and history and cursors where both sides have them."""

from __future__ import annotations

from ipam.address import format_address
from ipam.audit.records import Chained, Held, NetworkInfo
from ipam.audit.snapshot import Damaged, Record
from ipam.audit.source import Reading, Source
from ipam.cni import check_attachment
from ipam.config import name_of
from ipam.errors import BadEnvironment, InvalidConfig
from ipam.inspection.configs import in_words
from ipam.jsontext import quote
from ipam.model import CLAIM, Address, Cause, Event, Host, Lease
from ipam.store import Store, Trait, Transaction

_LONGEST = 1024
"""Characters: no text of a lease or an event is longer where it comes from, but for container ids."""


class Restored:
    """What a snapshot has of one network."""

    def __init__(self, info: NetworkInfo, node: str) -> None:
        self.name = info.name
        self.leases: list[Lease] = []
        self.events: list[Event] = []
        self._held: set[Address] = set()
        self._cursors = info.cursors or {}
        self._note = f"snapshot of {node}"

    def add_lease(self, lease: Lease) -> None:
        """One more. Raises ValueError where no plugin can have made it, or the address is another lease's already."""
        _refuse_strange(lease)
        if lease.address in self._held:
            raise ValueError(f"network {self.name} has two leases on {format_address(lease.address)}")
        self._held.add(lease.address)
        self.leases.append(lease)

    def add_event(self, event: Event) -> None:
        """One more. Raises ValueError where no store can have written it."""
        _refuse_strange(event.lease, event.boot, event.cause, event.note)
        self.events.append(event)

    def refuse_where_not_empty(self, store: Store) -> None:
        """Raises ValueError where the store has leases of that network, or events, and events are to come."""
        if next(store.leases(self.name), None) is not None:
            raise ValueError(f"network {self.name} has leases already: import restores into an empty store alone")
        if self.events and Trait.REPLAY in store.traits and next(store.history(self.name), None) is not None:
            raise ValueError(f"network {self.name} has a history already: import restores into an empty store alone")

    def write(self, store: Store) -> None:
        """All of it in one change. Raises ValueError where somebody was faster."""
        if self.leases or self.events:
            store.transact(self.name, lambda tx: self._change(tx, whole=Trait.REPLAY in store.traits))

    def _change(self, tx: Transaction, *, whole: bool) -> None:
        if next(tx.leases(), None) is not None:
            raise ValueError(f"network {self.name} got leases meanwhile: nothing of it was restored")
        held = {lease.address: lease for lease in self.leases}
        if whole:
            last = {event.lease.address: place for place, event in enumerate(self.events) if event.what == CLAIM}
            for place, event in enumerate(self.events):
                address = event.lease.address
                done = last.get(address) == place and held.get(address) == event.lease
                tx.replay(event, done=done)
                if done:
                    del held[address]
        # The newest last: without cursors the round robin goes on behind it.
        for lease in sorted(held.values(), key=lambda each: (each.since, each.address)):
            tx.claim(lease, Cause.IMPORT, self._note)
        for index, address in self._cursors.items() if whole else ():
            tx.put_cursor(index, address)


def read(source: Source, adopted_by: Host | None) -> dict[str, Restored]:
    """Every network of a snapshot that is whole. Raises OSError, and ValueError, which names the file and the line.

    Where it is `adopted_by` a host, its leases are taken for that host's, in its present boot.
    """
    try:
        with source.open() as reading:
            return _networks(reading, adopted_by)
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from None


def _networks(reading: Reading, adopted_by: Host | None) -> dict[str, Restored]:
    header = reading.header
    found = {}
    for info in header.networks:
        try:
            found[name_of({"name": info.name})] = Restored(info, header.node)
        except InvalidConfig as error:
            raise Damaged(1, in_words(error)) from None
    for line, record in enumerate(reading.records(), start=2):
        network = found.get(record.event.network if isinstance(record, Chained) else record.network)
        if network is None:
            continue
        try:
            _take(network, record, adopted_by)
        except ValueError as error:
            raise Damaged(line, str(error)) from None
    return found


def _take(network: Restored, record: Record, adopted_by: Host | None) -> None:
    if isinstance(record, Held):
        lease = record.lease
        if adopted_by is not None:
            lease = lease.replace(node=adopted_by.node, boot=adopted_by.boot)
        network.add_lease(lease)
    elif isinstance(record, Chained):
        network.add_event(record.event)


def _refuse_strange(lease: Lease, *texts: str) -> None:
    """Raise ValueError for what would make another lease, or none, of what is written into a store."""
    who, pod, address = lease.attachment, lease.pod, format_address(lease.address)
    try:
        check_attachment(who.container_id, who.ifname)
    except BadEnvironment as error:
        raise ValueError(f"the lease on {address} cannot be one: {error.msg}; {error.details}") from None
    for text in (pod.namespace, pod.name, pod.uid, lease.boot, lease.node, *texts):
        if len(text) > _LONGEST:
            raise ValueError(f"the lease on {address} has a text that is too long: {quote(text)}")
