"""One change of one network, decided by statements: the same ones whatever database executes them."""

from __future__ import annotations

from backends.sql.chains import NOTHING, begin, lengthen, open_network
from backends.sql.database import require_schema, version
from backends.sql.intervals import Free
from backends.sql.keys import address_of, key_in, key_of
from backends.sql.rows import event_values, lease_of, lease_values, text
from ipam.address import format_address
from ipam.errors import AddressInUse
from ipam.model import CLAIM, DROP, Address, Attachment, Event, Lease
from ipam.store import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backends.sql.chains import End
    from backends.sql.database import Proof, Session
    from backends.sql.rows import Values
    from ipam.model import Host, Range


class SqlTransaction(Transaction):
    """Reads and writes rows of one network, which it locks; events and cursors are written by finish().

    A network that nobody leased anything of has no row: looking at it makes none.
    """

    def __init__(self, session: Session, network: str, host: Host) -> None:
        """Lock the network. Raises Outdated or StoreUnavailable where the schema is not ours."""
        self._session = session
        self._network = network
        self._host = host
        self._events: list[Event] = []
        self._cursors: dict[int, Address] = {}
        self._held: dict[Address, Lease] = {}  # as far as held_by() told, and it is still so
        self._boots: dict[str, str] = {}
        self._known_boots: dict[str, str | None] = {}
        rows = open_network(session, network)
        require_schema(rows[0][1] if rows else version(session), session.place)
        self._id = rows[0][0] if rows else None
        self._end: End = tuple(rows[0][2:]) if rows else NOTHING
        self._free = None if self._id is None else Free(session, self._id)
        self._rest_is_over = False

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        if self._id is None:
            return iter(())
        return map(lease_of, self._session.fetch("leases", {"net": self._id}))

    def leases_of(self, node: str) -> Iterator[Lease]:
        """See Transaction."""
        return iter(self._ours("leases_of_node", {"node": text(node)}))

    def _ours(self, statement: str, values: Values) -> list[Lease]:
        """Of the leases that a statement finds, those of this network, by address."""
        if self._id is None:
            return []
        found = [lease_of(row[:-1]) for row in self._session.fetch(statement, values) if row[-1] == self._id]
        return sorted(found, key=lambda lease: lease.address)

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction."""
        names: Values = {"container_id": text(who.container_id), "ifname": text(who.ifname)}
        found = self._ours("held_by", names)
        self._held.update({lease.address: lease for lease in found})
        return found

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        if address in self._held:  # nobody else changes anything while we have the network
            return self._held[address]
        if self._id is None:
            return None
        rows = self._session.fetch("holder", {"net": self._id, "key": key_of(*address)})
        return lease_of(rows[0]) if rows else None

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction."""
        first = rng.start if after is None else max(after + 1, rng.start)
        if first > rng.end:
            return None
        if self._free is None:
            return first
        self._end_rests()
        key = self._free.at_or_behind(key_of(rng.family, first))
        if resting:
            values: Values = {"net": self._id, "key": key_of(rng.family, first)}
            keys = [key_in(row[0]) for row in self._session.fetch("resting_from", values)]
            key = min(keys if key is None else [key, *keys], default=None)
        return None if key is None or key > key_of(rng.family, rng.end) else address_of(key).value

    def _end_rests(self) -> None:
        """Once in a change: addresses that have rested long enough are free like any other."""
        if self._rest_is_over or self._free is None:
            return
        self._rest_is_over = True
        for (key,) in self._session.fetch("rested", {"net": self._id, "now": self._host.clock()}):
            self._session.run("remove_resting", {"net": self._id, "key": key_in(key)})
            self._free.give_back(key)

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        if range_set in self._cursors:
            return self._cursors[range_set]
        rows = [] if self._id is None else self._session.fetch("cursor", {"net": self._id, "set": range_set})
        return address_of(rows[0][0]) if rows else None

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        self._take(lease)
        if lease.range_set is not None:
            self._cursors[lease.range_set] = lease.address
        self._record(CLAIM, lease, why, note)

    def replay(self, event: Event, *, done: bool) -> None:
        """See Transaction."""
        self._make_network()
        if done and event.what == CLAIM:
            self._take(event.lease)
        elif done:
            self._remove(event.lease, rest=0.0)
        self._events.append(event)

    def put_cursor(self, range_set: int, address: Address) -> None:
        """See Transaction."""
        self._make_network()
        self._cursors[range_set] = address

    def _take(self, lease: Lease) -> None:
        network, free = self._make_network()
        key = key_of(*lease.address)
        if not free.take(key) and not self._session.run("remove_resting", {"net": network, "key": key}):
            raise AddressInUse(f"{format_address(lease.address)} is leased on network {self._network}")
        self._session.run("add_lease", lease_values(network, lease))

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""
        held = self._remove(lease, rest)
        if held is not None:
            self._record(DROP, held, why, note)

    def _remove(self, lease: Lease, rest: float) -> Lease | None:
        """Remove a lease as its attachment holds it; what it was, None where it was not there."""
        held = self.holder(lease.address)
        if held is None or held.attachment != lease.attachment or self._free is None:
            return None
        key = key_of(*lease.address)
        self._held.pop(lease.address, None)
        self._session.run("remove_lease", {"net": self._id, "key": key})
        if rest > 0:
            until = self._host.clock() + rest
            self._session.run("add_resting", {"network": self._id, "address": key, "until": until})
        else:
            self._free.give_back(key)
        return held

    def _record(self, what: str, lease: Lease, why: str, note: str) -> None:
        self._events.append(Event(self._host.clock(), self._host.boot, self._network, what, lease, why, note))

    def _make_network(self) -> tuple[int, Free]:
        """The network's id and free intervals; its row is made where it has none."""
        if self._id is None or self._free is None:
            self._session.run("add_network", {"name": self._network})
            (row,) = self._session.fetch("find", {"name": self._network})
            self._id = row[0]
            begin(self._session, row[0])
            self._free = Free(self._session, self._id)
            self._free.begin()
        return self._id, self._free

    def last_boot(self, node: str) -> str | None:
        """See Transaction."""
        if node not in self._known_boots:
            rows = [] if self._id is None else self._session.fetch("boot", {"net": self._id, "of": text(node)})
            self._known_boots[node] = str(rows[0][0]) if rows else None
        return self._boots.get(node, self._known_boots[node])

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
        self._boots[node] = boot

    def finish(self) -> Proof | None:
        """Write what has been put off. Then a Proof that this was committed, where there is something to prove."""
        network = self._id
        if network is None:
            return None
        if self._free is not None:
            self._free.write()
        if self._events:
            rows = [event_values(network, event) for event in self._events]
            lengthen(self._session, network, self._network, self._end, rows)
            self._session.run_many("add_event", rows)
        for range_set, address in self._cursors.items():
            cursor = {"network": network, "range_set": range_set, "address": key_of(*address)}
            if not self._session.run("set_cursor", {"net": network, "set": range_set, "address": cursor["address"]}):
                self._session.run("add_cursor", cursor)
        for node, boot in self._boots.items():
            if not self._session.run("set_boot", {"net": network, "of": text(node), "boot": boot}):
                self._session.run("add_boot", {"network": network, "node": text(node), "boot": boot})
        if not self._events:
            return None
        name, last = self._network, event_values(network, self._events[-1])

        def is_committed(session: Session) -> bool:
            session.fetch("open", {"name": name})  # waits for whoever holds the network: maybe that transaction
            wanted = {key: last[key] for key in ("time", "what", "container_id", "ifname")}
            return bool(session.fetch("same_event", {"net": network, "key": last["address"], **wanted}))

        return is_committed
