"""The reference store: the contract in the fewest lines, in one process's memory. An executable specification."""

from __future__ import annotations

from functools import partial
from threading import RLock

from ipam import chain
from ipam.address import format_address
from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Address, Attachment, Event
from ipam.store import NEVER, Store, Trait, Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ipam.model import Host, Lease, Range, StoreConfig
    from ipam.verdict import Verdict

    T = TypeVar("T")


class _Book:
    """What the store knows of one network."""

    def __init__(self) -> None:
        self.leases: dict[Address, Lease] = {}
        self.cursors: dict[int, Address] = {}
        self.boots: dict[str, str] = {}
        self.rests: dict[Address, float] = {}
        self.events: list[Event] = []
        self.links: list[bytes] = []  # one for each event; see ipam.chain
        self.carried = self.forgotten = 0  # so many of the first events are outside of the chain, so many gone
        self.head = chain.START  # what the first event in the chain follows

    def copy(self) -> _Book:
        copy = _Book()
        copy.leases, copy.cursors, copy.boots = dict(self.leases), dict(self.cursors), dict(self.boots)
        copy.rests, copy.events, copy.links = dict(self.rests), list(self.events), list(self.links)
        copy.carried, copy.forgotten, copy.head = self.carried, self.forgotten, self.head
        return copy

    def last(self) -> bytes:
        """The link that the next event follows."""
        return self.links[-1] if len(self.links) > self.carried else self.head

    def append(self, event: Event) -> None:
        """Write history."""
        self.links.append(chain.link(self.last(), chain.body(event)))
        self.events.append(event)


class MemoryTransaction(Transaction):
    """A change of a copy, which takes the book's place when the change is done."""

    def __init__(self, network: str, book: _Book, host: Host) -> None:
        self._network = network
        self._book = book
        self._host = host

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        return iter([lease for _, lease in sorted(self._book.leases.items())])

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction. (Looks at every lease: a specification may be slow.)"""
        names = (who, Attachment(who.container_id, ""))
        return [lease for lease in self.leases() if lease.attachment in names]

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        return self._book.leases.get(address)

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction."""
        now = self._host.clock()
        value = rng.start if after is None else max(after + 1, rng.start)
        while value <= rng.end:
            address = Address(rng.family, value)
            if address not in self._book.leases and (resting or self._book.rests.get(address, now) <= now):
                return value
            value += 1
        return None

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        return self._book.cursors.get(range_set)

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        if lease.address in self._book.leases:
            raise AddressInUse(f"{format_address(lease.address)} is leased on network {self._network}")
        self._book.leases[lease.address] = lease
        self._book.rests.pop(lease.address, None)
        if lease.range_set is not None:
            self._book.cursors[lease.range_set] = lease.address
        self._record(CLAIM, lease, why, note)

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""
        held = self._book.leases.get(lease.address)
        if held is not None and held.attachment == lease.attachment:
            self._record(DROP, self._book.leases.pop(lease.address), why, note)
            if rest > 0:
                self._book.rests[lease.address] = self._host.clock() + rest

    def _record(self, what: str, lease: Lease, why: str, note: str) -> None:
        self._book.append(Event(self._host.clock(), self._host.boot, self._network, what, lease, why, note))

    def replay(self, event: Event, *, done: bool) -> None:
        """See Transaction."""
        lease, leases = event.lease, self._book.leases
        held = leases.get(lease.address)
        if done and event.what == CLAIM:
            if held is not None:
                raise AddressInUse(f"{format_address(lease.address)} is leased on network {self._network}")
            leases[lease.address] = lease
            self._book.rests.pop(lease.address, None)
        elif done and held is not None and held.attachment == lease.attachment:
            del leases[lease.address]
        self._book.append(event)

    def put_cursor(self, range_set: int, address: Address) -> None:
        """See Transaction."""
        self._book.cursors[range_set] = address

    def last_boot(self, node: str) -> str | None:
        """See Transaction."""
        return self._book.boots.get(node)

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
        self._book.boots[node] = boot


def _is_held(book: _Book, event: Event) -> bool:
    return event.what == CLAIM and book.leases.get(event.lease.address) == event.lease


class MemoryStore(Store):
    """Forgets everything when the process ends; threads of the process may share it."""

    traits = frozenset({Trait.CHAINED, Trait.HISTORY, Trait.REPLAY})

    def __init__(self, host: Host) -> None:
        self._host = host
        self._books: dict[str, _Book] = {}
        self._lock = RLock()

    def transact(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        with self._lock:
            book = self._books.get(network, _Book()).copy()
            result = change(MemoryTransaction(network, book, self._host))
            self._books[network] = book
            return result

    def networks(self) -> Iterator[str]:
        """See Store."""
        return iter(sorted(self._books))

    def leases(self, network: str) -> Iterator[Lease]:
        """See Store."""
        with self._lock:
            book = self._books.get(network, _Book())
            return iter([lease for _, lease in sorted(book.leases.items())])

    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """See Store."""
        with self._lock:
            now, book = self._host.clock(), self._books.get(network, _Book())
            return iter(sorted((address, until) for address, until in book.rests.items() if until > now))

    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """See Store."""
        with self._lock:
            events = list(self._books.get(network, _Book()).events)
        for event in events:
            if since is not None and event.time < since:
                continue
            if who is not None and event.lease.attachment != who:
                continue
            if address is None or event.lease.address == address:
                yield event

    def forget(self, network: str, before: float) -> int:
        """See Store."""
        with self._lock:
            book = self._books.get(network, _Book())
            recent = book.carried  # the first event in the chain that is not older: from there on it stays whole
            while recent < len(book.events) and book.events[recent].time < before:
                recent += 1
            old = [event for event in book.events[:recent] if event.time >= before or _is_held(book, event)]
            removed = recent - len(old)
            if removed:
                book.head = book.links[recent - 1] if recent > book.carried else book.head
                book.events[:recent], book.links[:recent] = old, [b""] * len(old)
                book.carried, book.forgotten = len(old), book.forgotten + removed
            return removed

    def whole_since(self, network: str) -> float:
        """See Store."""
        with self._lock:
            book = self._books.get(network, _Book())
            chained = book.events[book.carried :]
            return 0.0 if not book.forgotten else chained[0].time if chained else NEVER

    def verify(self, network: str, known: tuple[int, str] | None = None) -> Verdict:
        """See Store."""
        from ipam.walk import Walk

        with self._lock:
            book = self._books.get(network, _Book()).copy()
        walk = Walk(book.last(), known)
        for _ in range(book.carried):
            walk.carry()
        walk.begin(book.head)
        for number, (event, link) in list(enumerate(zip(book.events, book.links, strict=True)))[book.carried :]:
            walk.take(chain.body(event), link, partial(_place, number, event))
        return walk.verdict(book.forgotten, "the end")

    def check(self) -> None:
        """See Store: memory is always there."""

    def close(self) -> None:
        """See Store."""


def _place(number: int, event: Event) -> tuple[str, Event]:
    return f"place {number}", event


def open_store(_config: StoreConfig, host: Host) -> MemoryStore:
    """The store for `memory:`."""
    return MemoryStore(host)
