"""A node that uses a directory store as the plugin does, without the protocol around it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from backends.directory import DirectoryStore
from ipam import allocator
from ipam.address import format_address, parse_address
from ipam.model import CLAIM, Address, Attachment, Cause, Event, Host, Lease, Network, Pod, Range, RangeSet
from ipam.store import Transaction
from ipam.testing.fixtures import BOOT, NETWORK, Ticking, small_range, who

T = TypeVar("T")
NODE = "node-a"


def address(text: str) -> Address:
    """An address that is known to be one."""
    parsed = parse_address(text)
    assert parsed is not None, text
    return parsed


def texts(leases: Iterable[Lease]) -> list[str]:
    """The leases' addresses."""
    return [format_address(lease.address) for lease in leases]


class Node:
    """ADD, DEL and GC on a data directory.

    Each call opens the store anew, as each process does; `stays_open`: they all use one, as a daemon does.
    """

    def __init__(self, root: Path, *, boot: str = BOOT, stays_open: bool = False) -> None:
        self.root = root
        self.directory = root / NETWORK
        self.records = root / ".ipam" / NETWORK
        self.boot = boot
        self.name = NODE
        self.clock: Callable[[], float] = Ticking()
        self.durable = False
        self._stays_open = stays_open
        self._open: dict[str, DirectoryStore] = {}

    def host(self) -> Host:
        """This node in its present boot."""
        return Host(self.name, self.boot, self._now)

    def _now(self) -> float:
        """By whatever clock the node has at the moment."""
        return self.clock()

    @contextmanager
    def store(self) -> Iterator[DirectoryStore]:
        """The store: just opened, or what has been open since this boot began."""
        store = self._open.get(f"{self.name} {self.boot}")
        if store is None:
            self.close()
            store = DirectoryStore(str(self.root), self.host(), lock_timeout=30, durable=self.durable)
            self._open[f"{self.name} {self.boot}"] = store
        try:
            yield store
        finally:
            if not self._stays_open:
                self.close()

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            self._open.popitem()[1].close()

    def transact(self, change: Callable[[Transaction], T]) -> T:
        """One transaction."""
        with self.store() as store:
            return store.transact(NETWORK, change)

    def settle(self) -> None:
        """A transaction that changes nothing: what a crash or others left is put right before it."""
        self.transact(lambda _tx: None)

    def add(self, name: str, *ranges: Range, ifname: str = "eth0", requested: Iterable[str] = ()) -> list[str]:
        """ADD: one address from each range; the addresses."""
        sets = tuple(RangeSet(index, (rng,)) for index, rng in enumerate(ranges or (small_range(),)))
        network = Network(NETWORK, sets, tuple(map(address, requested)))

        def change(tx: Transaction) -> list[Lease]:
            allocator.reclaim_after_reboot(tx, self.host(), shared=False)
            return allocator.allocate(tx, network, who(name, ifname), Pod("ns", name, f"uid-{name}"), self.host())

        return texts(self.transact(change))

    def delete(self, name: str, ifname: str = "eth0") -> list[str]:
        """DEL: the addresses that it released."""

        def change(tx: Transaction) -> list[Lease]:
            allocator.reclaim_after_reboot(tx, self.host(), shared=False)
            return allocator.release(tx, who(name, ifname), Cause.DEL)

        return texts(self.transact(change))

    def collect(self, *valid: str) -> list[str]:
        """GC: the addresses that it released."""

        def change(tx: Transaction) -> list[Lease]:
            allocator.reclaim_after_reboot(tx, self.host(), shared=False)
            return allocator.reclaim(tx, {who(name) for name in valid}, self.host(), shared=False)

        return texts(self.transact(change))

    def forget(self) -> int:
        """Forget all history that can be forgotten."""
        with self.store() as store:
            return store.forget(NETWORK, before=4e9)

    def leases(self) -> dict[str, str]:
        """Which container holds which address, as the store has it."""
        return {format_address(lease.address): lease.attachment.container_id for lease in self.records_of_leases()}

    def records_of_leases(self) -> list[Lease]:
        """All that the store knows of its leases."""
        with self.store() as store:
            return list(store.leases(NETWORK))

    def held(self, name: str, ifname: str = "eth0") -> list[str]:
        """The addresses that an attachment holds, by the index."""
        return texts(self.held_by(who(name, ifname)))

    def held_by(self, holder: Attachment) -> list[Lease]:
        """The leases of an attachment, by the index."""
        return self.transact(lambda tx: tx.held_by(holder))

    def history(self) -> list[Event]:
        """Every event."""
        with self.store() as store:
            return list(store.history(NETWORK))

    def causes(self) -> list[tuple[str, str, str]]:
        """History in short: what, to which container, why."""
        return [(event.what, event.lease.attachment.container_id, event.cause) for event in self.history()]

    def files(self) -> dict[str, str]:
        """The lease files and the container in each."""
        if not self.directory.exists():
            return {}
        return {
            path.name: path.read_bytes().partition(b"\r\n")[0].decode("utf-8", "replace")
            for path in self.directory.iterdir()
            if path.is_file() and not path.is_symlink() and not path.name.startswith(("lock", "last_reserved_ip."))
        }


def free(node: Node, rng: Range) -> set[int]:
    """Every number that next_free() gives for a range."""

    def walk(tx: Transaction) -> set[int]:
        found: set[int] = set()
        after = tx.next_free(rng, None)
        while after is not None:
            found.add(after)
            after = tx.next_free(rng, after)
        return found

    return node.transact(walk)


def replayed(events: Iterable[Event]) -> dict[Address, Attachment]:
    """What history says is leased now; nobody claims what another holds by it."""
    held: dict[Address, Attachment] = {}
    for event in events:
        place, holder = event.lease.address, event.lease.attachment
        if event.what == CLAIM:
            assert held.get(place, holder) == holder, f"{format_address(place)} is claimed twice"
            held[place] = holder
        elif held.get(place) == holder:
            del held[place]
    return held


def assert_sound(node: Node, *ranges: Range, blocked: Iterable[str] = ()) -> None:
    """Lease files, index, bitmaps and history tell one and the same story, and nothing has leaked.

    `blocked` are the addresses that something else than a lease keeps.
    """
    node.settle()
    leases = node.records_of_leases()
    by_address = {lease.address: lease.attachment for lease in leases}
    files = {name: holder for name, holder in node.files().items() if name not in blocked}
    assert files == node.leases(), "the lease files are not what the store says"
    assert list(node.transact(lambda tx: list(tx.leases()))) == leases
    assert replayed(node.history()) == by_address, "history does not lead to the leases"
    for holder in set(by_address.values()):
        held = {lease.address for lease in node.held_by(holder)}
        assert {place for place, theirs in by_address.items() if theirs == holder} <= held
        assert held <= {place for place, theirs in by_address.items() if theirs.container_id == holder.container_id}
    for rng in ranges:
        taken = {place.value for place in [*by_address, *map(address, blocked)] if place in rng}
        assert free(node, rng) == set(range(rng.start, rng.end + 1)) - taken, "the bitmaps are wrong"
