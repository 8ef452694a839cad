"""Moving a network from one store to another: leases, cursors and history, verified, and begun again where it ended."""

# What the target's history has of the source's tells how far it came: events are replayed in their order, and each
# transaction of the target moves some. So moving again goes on where it was cut short, or catches up.
from __future__ import annotations

from hashlib import sha256
from itertools import islice, zip_longest

from ipam.address import format_address
from ipam.errors import CniError, InvalidConfig, StoreUnavailable
from ipam.jsontext import encode, to_bytes
from ipam.model import CLAIM, Cause, Event, Value
from ipam.store import Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ipam.model import Address, Host, Lease
    from ipam.store import Store, Transaction

    Progress = Callable[[int, int], object]

MOST_RANGE_SETS = 64  # as a config may have
_BATCH = 1000  # events that one transaction of the target moves


class Differs(CniError):
    """The target has leases or history that do not come from the source."""

    code = InvalidConfig.code


class Summary(Value):
    """What a store has of a network: numbers of leases, events and cursors, and a digest of all of them."""

    __slots__ = ("cursors", "digest", "events", "leases")

    def __init__(self, leases: int, events: int, cursors: int, digest: str) -> None:
        self.leases = leases
        self.events = events
        self.cursors = cursors
        self.digest = digest


class Moved(Value):
    """How it went: what the `source` has, how many events were `there` before in the target, and were `moved` now."""

    __slots__ = ("moved", "source", "there")

    def __init__(self, source: Summary, there: int, moved: int) -> None:
        self.source = source
        self.there = there
        self.moved = moved


def move(
    source: Store, target: Store, network: str, host: Host, *, dry_run: bool = False, progress: Progress | None = None
) -> Moved:
    """Have `target` hold of `network` what `source` holds; with `dry_run`, see whether it could.

    The source's network is locked all the time: whoever wants to change it gets TryAgain after his lock timeout.
    `progress` is called with (events moved, of how many). Raises Differs, and InvalidConfig where the target cannot
    do it.
    """
    for trait in (Trait.REPLAY, Trait.HISTORY):
        if trait not in target.traits:
            raise InvalidConfig("the store to move to cannot take over leases with their history", f"it lacks {trait}")
    return source.transact(
        network, lambda tx: _Move(tx, source, target, network, host).run(dry_run=dry_run, progress=progress)
    )


class _Move:
    """One move, within a transaction of the source."""

    def __init__(self, tx: Transaction, source: Store, target: Store, network: str, host: Host) -> None:
        self._tx = tx
        self._source = source
        self._target = target
        self._network = network
        self._host = host
        self._held = {lease.address: lease for lease in tx.leases()}
        self._cursors = _cursors(tx)
        self._claims: dict[Address, int] = {}
        self._count = 0
        for place, event in enumerate(source.history(network)):
            self._count = place + 1
            if event.what == CLAIM and self._held.get(event.lease.address) == event.lease:
                self._claims[event.lease.address] = place
        self._untold = [lease for address, lease in self._held.items() if address not in self._claims]

    def run(self, *, dry_run: bool, progress: Progress | None) -> Moved:
        there = self._already_there()
        total = self._count + len(self._untold)
        if dry_run:
            return Moved(self._summary(), there, total - there)
        rest = islice(self._events(), there, None)
        moved = there
        while batch := list(islice(rest, _BATCH)):
            self._target.transact(self._network, lambda tx, batch=batch: _replay(tx, batch))  # type: ignore[misc]
            moved += len(batch)
            self._tx.cursor(0)  # a server ends transactions that it hears nothing of
            if progress is not None:
                progress(moved, total)
        self._target.transact(self._network, self._put_cursors)
        summary = self._summary()
        found = summarize(self._target, self._network)
        if found != summary:
            raise StoreUnavailable(
                f"network {self._network} differs after it was moved: {found!r} instead of {summary!r}",
                "somebody changed the target meanwhile, or it did not keep what it was told",
            )
        return Moved(summary, there, moved - there)

    def _events(self) -> Iterator[tuple[Event, bool]]:
        """All events in their order, and whether each is to be done: claims only of leases that are held still.

        Leases of which the source's history does not tell come first, with a claim of ours.
        """
        for lease in self._untold:
            yield Event(lease.since, lease.boot, self._network, CLAIM, lease, Cause.MIGRATE), True
        for place, event in enumerate(self._source.history(self._network)):
            yield event, event.what != CLAIM or self._claims.get(event.lease.address) == place

    def _already_there(self) -> int:
        """How many events the target has of ours. Raises Differs where it has others, or leases without any."""
        count = 0
        ours = self._events()
        for count, theirs in enumerate(self._target.history(self._network), start=1):
            event, _ = next(ours, (None, False))
            if event != theirs:
                raise Differs(
                    f"network {self._network} of the target has a history of its own: its event {count} is not ours",
                    "move into a store that has no such network, or one that only moves from here have filled",
                )
        if not count and next(self._target.leases(self._network), None) is not None:
            raise Differs(
                f"network {self._network} of the target has leases already, and no history of them",
                "move into a store that has no such network",
            )
        return count

    def _put_cursors(self, tx: Transaction) -> None:
        for range_set, address in self._cursors.items():
            if tx.cursor(range_set) != address:
                tx.put_cursor(range_set, address)

    def _summary(self) -> Summary:
        leases = [self._held[address] for address in sorted(self._held)]
        return _summarize(leases, (event for event, _ in self._events()), self._cursors)


def _replay(tx: Transaction, batch: list[tuple[Event, bool]]) -> None:
    for event, done in batch:
        tx.replay(event, done=done)


def summarize(store: Store, network: str) -> Summary:
    """What the store has of the network now."""
    return _summarize(store.leases(network), store.history(network), store.transact(network, _cursors))


def _cursors(tx: Transaction) -> dict[int, Address]:
    found = ((number, tx.cursor(number)) for number in range(MOST_RANGE_SETS))
    return {number: address for number, address in found if address is not None}


def _summarize(leases: Iterable[Lease], events: Iterable[Event], cursors: dict[int, Address]) -> Summary:
    digest = sha256()
    counts = [0, 0]
    for lease, event in zip_longest(leases, events):
        if lease is not None:
            counts[0] += 1
            digest.update(_line("lease", _fields(lease)))
        if event is not None:
            counts[1] += 1
            what = [event.time, event.boot, event.what, event.cause, event.note]
            digest.update(_line("event", what + _fields(event.lease)))
    for number, address in sorted(cursors.items()):
        digest.update(_line("cursor", [number, format_address(address)]))
    return Summary(counts[0], counts[1], len(cursors), digest.hexdigest())


def _fields(lease: Lease) -> list[object]:
    who, pod = lease.attachment, lease.pod
    return [
        format_address(lease.address),
        *(who.container_id, who.ifname, lease.range_set),
        *(pod.namespace, pod.name, pod.uid, lease.since, lease.boot, lease.node),
    ]


def _line(kind: str, fields: list[object]) -> bytes:
    return to_bytes(encode([kind, *fields])) + b"\n"
