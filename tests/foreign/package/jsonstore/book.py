"""What is known of one network, as JSON and in a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ipam.address import format_address, parse_address
from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Address, Attachment, Event, Host, Lease, Pod, Range
from ipam.store import Transaction


class Book:
    """Leases and addresses that rest, cursors, boots, history."""

    def __init__(self) -> None:
        self.leases: dict[Address, Lease] = {}
        self.rests: dict[Address, float] = {}
        self.cursors: dict[int, Address] = {}
        self.boots: dict[str, str] = {}
        self.events: list[Event] = []

    def tells_of_a_lease(self, event: Event) -> bool:
        """Whether it is the claim of a lease that is still held."""
        return event.what == CLAIM and self.leases.get(event.lease.address) == event.lease

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "leases": [_lease_to_json(lease) for lease in self.leases.values()],
            "rests": {format_address(address): until for address, until in self.rests.items()},
            "cursors": {str(number): format_address(address) for number, address in self.cursors.items()},
            "boots": self.boots,
            "events": [
                [
                    event.time,
                    event.boot,
                    event.network,
                    event.what,
                    _lease_to_json(event.lease),
                    event.cause,
                    event.note,
                ]
                for event in self.events
            ],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Book:
        """The same again."""
        book = cls()
        book.leases = {lease.address: lease for lease in map(_lease_from_json, value["leases"])}
        book.rests = {_address(text): until for text, until in value["rests"].items()}
        book.cursors = {int(number): _address(text) for number, text in value["cursors"].items()}
        book.boots = value["boots"]
        for time, boot, network, what, lease, cause, note in value["events"]:
            book.events.append(Event(time, boot, network, what, _lease_from_json(lease), cause, note))
        return book


def _address(text: str) -> Address:
    address = parse_address(text)
    assert address is not None
    return address


def _lease_to_json(lease: Lease) -> list[Any]:
    who, pod = lease.attachment, lease.pod
    return [
        format_address(lease.address),
        *(who.container_id, who.ifname, lease.range_set),
        *(pod.namespace, pod.name, pod.uid, lease.since, lease.boot, lease.node),
    ]


def _lease_from_json(value: list[Any]) -> Lease:
    text, container_id, ifname, range_set, namespace, pod, uid, since, boot, node = value
    return Lease(
        _address(text), Attachment(container_id, ifname), range_set, Pod(namespace, pod, uid), since, boot, node
    )


class FileTransaction(Transaction):
    """Changes the book; the store writes it when the change is done."""

    def __init__(self, network: str, book: Book, host: Host) -> None:
        self._network = network
        self._book = book
        self._host = host

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        return iter(sorted(self._book.leases.values(), key=lambda lease: lease.address))

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction."""
        return [lease for lease in self.leases() if lease.attachment in (who, Attachment(who.container_id, ""))]

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        return self._book.leases.get(address)

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction: behind each address that is taken, there may be a free one."""
        now = self._host.clock()
        rests = {address for address, until in self._book.rests.items() if until > now and not resting}
        value = rng.start if after is None else max(after + 1, rng.start)
        for family, taken in sorted({*self._book.leases, *rests}):
            if family == rng.family and taken == value:
                value += 1
        return value if value <= rng.end else None

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
        held = self.holder(lease.address)
        if held is None or held.attachment != lease.attachment:
            return
        del self._book.leases[lease.address]
        if rest > 0:
            self._book.rests[lease.address] = self._host.clock() + rest
        self._record(DROP, held, why, note)

    def _record(self, what: str, lease: Lease, why: str, note: str) -> None:
        self._book.events.append(Event(self._host.clock(), self._host.boot, self._network, what, lease, why, note))

    def last_boot(self, node: str) -> str | None:
        """See Transaction."""
        return self._book.boots.get(node)

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
        self._book.boots[node] = boot
