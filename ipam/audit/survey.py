"""The first reading of all sources: what can be judged lease by lease, counts, and suspects for the second reading.

Memory: two numbers of eight bytes a lease and event; everything else is per node and network.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from ipam.audit.capacity import Layout
from ipam.audit.records import Chained, Held, NetworkInfo
from ipam.audit.snapshot import Damaged, Header, Record
from ipam.audit.source import Source, damage_of, header_of
from ipam.errors import CniError
from ipam.inspection.usage import DAY, Growth
from ipam.model import Address, Event, Lease

EXAMPLES = 5
"""How many leases a finding about many of them shows."""

_NODE_BITS = 20
MOST_NODES = 1 << _NODE_BITS


class Limits(NamedTuple):
    """What counts as what. Times in seconds; `local` networks are each node's own, whatever their name."""

    now: float
    local: frozenset[str] = frozenset()
    expected: frozenset[str] = frozenset()
    leak_age: float = 30 * DAY
    snapshot_age: float = DAY
    nearly_full: float = 0.9
    soon: float = DAY
    clock_tolerance: float = 60.0
    overlap_tolerance: float = 2.0


class Scope(NamedTuple):
    """Whose range sets: a network's on one node, or (`node` empty) those of a store that all nodes share."""

    network: str
    node: str


class Examples:
    """How many there are of something, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Lease] = []

    def add(self, lease: Lease) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < EXAMPLES:
            self.first.append(lease)


class Tally:
    """What one scope holds: leases and resting addresses by range set, and how the leases of the last day came."""

    def __init__(self, layout: Layout | None) -> None:
        self.layout = layout
        self.leased: Counter[int | None] = Counter()
        self.resting: Counter[int | None] = Counter()
        self.growth = Growth()
        self.first_event = float("inf")
        self.outside = Examples()


class Skew(NamedTuple):
    """By how many seconds a clock is wrong, and how that shows."""

    seconds: float
    why: str


class Suspect(NamedTuple):
    """The key of something that several nodes seem to have, and the places of those nodes in `Survey.nodes`."""

    key: int
    nodes: tuple[int, ...]


class Index:
    """Which node has a key, in eight bytes each. Keys are cut: what seems equal is looked at again."""

    def __init__(self) -> None:
        self._pairs = array("Q")

    @staticmethod
    def key(*parts: object) -> int:
        """What identifies something, in 44 bits."""
        return hash(parts) & (1 << 64 - _NODE_BITS) - 1

    def add(self, key: int, node: int) -> None:
        """Note that `node` has it."""
        self._pairs.append(key << _NODE_BITS | node)

    def suspects(self) -> Iterator[Suspect]:
        """What more than one node has."""
        ordered = sorted(self._pairs)
        for key, pairs in groupby(ordered, lambda pair: pair >> _NODE_BITS):
            nodes = sorted({pair & (1 << _NODE_BITS) - 1 for pair in pairs})
            if len(nodes) > 1:
                yield Suspect(key, tuple(nodes))


class Survey:
    """What the first reading found. `sources` are those that count: the newest of each node."""

    def __init__(self, sources: Iterable[Source], limits: Limits) -> None:
        self.limits = limits
        self.damaged: list[tuple[str, Damaged]] = []
        self.superseded: list[tuple[Source, Header]] = []
        self.sources: list[tuple[Source, Header]] = []
        self.nodes: list[str] = []
        self.places: dict[str, int] = {}
        self.seen_on: dict[int, set[int]] = {}
        self.tallies: dict[Scope, Tally] = {}
        self.boots: dict[Scope, str] = {}
        self.old_boot: dict[Scope, Examples] = {}
        self.old_age: dict[Scope, Examples] = {}
        self.skews: dict[str, Skew] = {}
        self.addresses, self.containers, self.pods = Index(), Index(), Index()
        self.leases = self.events = 0
        self._choose(sources)
        for place, (source, header) in enumerate(self.sources):
            self._read(place, source, header)

    def _choose(self, sources: Iterable[Source]) -> None:
        """Of each node the newest snapshot that is whole, and of each shared store the newest that holds it."""
        by_node: dict[str, list[tuple[Source, Header]]] = {}
        for source in sources:
            try:
                header = header_of(source)
            except (Damaged, CniError) as error:
                self.damaged.append((source.name, error if isinstance(error, Damaged) else Damaged(0, str(error))))
                continue
            by_node.setdefault(header.node, []).append((source, header))
        self.sources = [self._newest(found) for _, found in sorted(by_node.items())]
        self._shared: dict[str, int] = {}
        for place, (_, header) in enumerate(self.sources):
            for info in header.networks:
                best = self._shared.get(info.name)
                if info.shared and (best is None or self.sources[best][1].time < header.time):
                    self._shared[info.name] = place

    def _newest(self, found: list[tuple[Source, Header]]) -> tuple[Source, Header]:
        """The newest snapshot of a node; one that is damaged, or forged, takes no other one's place."""
        *older, newest = sorted(found, key=lambda each: each[1].time)
        while older and (damage := damage_of(newest[0])) is not None:
            self.damaged.append((newest[0].name, damage))
            newest = older.pop()
        self.superseded += older
        return newest

    def node_number(self, node: str) -> int:
        """The place of a node in `nodes`, made where it is new."""
        number = self.places.get(node)
        if number is None and len(self.nodes) == MOST_NODES:
            return MOST_NODES - 1  # those that come after so many are taken for one
        if number is None:
            number = self.places[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    def counted(self, place: int, header: Header) -> dict[str, NetworkInfo]:
        """The networks of a source that count: a shared store is told of by its newest snapshot alone."""
        return {info.name: info for info in header.networks if not info.shared or self._shared.get(info.name) == place}

    def scope(self, info: NetworkInfo, header: Header) -> Scope:
        """Whose ranges a network's are."""
        return Scope(info.name, "" if info.shared else header.node)

    def _read(self, place: int, source: Source, header: Header) -> None:
        self.node_number(header.node)
        skew = header.time - self.limits.now
        if skew > self.limits.clock_tolerance:
            self._skewed(header.node, skew, "its snapshot was taken in the future")
        reader = _SourceReader(self, place, header)
        try:
            with source.open() as reading:
                for record in reading.records():
                    reader.take(record)
        except (Damaged, CniError) as error:
            self.damaged.append((source.name, error if isinstance(error, Damaged) else Damaged(0, str(error))))

    def _skewed(self, node: str, seconds: float, why: str) -> None:
        known = self.skews.get(node)
        if known is None or known.seconds < seconds:
            self.skews[node] = Skew(seconds, why)

    skewed = _skewed


class _SourceReader:
    """Takes the records of one source into the survey."""

    def __init__(self, survey: Survey, place: int, header: Header) -> None:
        self._survey = survey
        self._place = place
        self._header = header
        self._limits = survey.limits
        self._networks = survey.counted(place, header)
        self._last_event: dict[str, Event] = {}
        for info in self._networks.values():
            scope = survey.scope(info, header)
            survey.tallies[scope] = Tally(None if info.range_sets is None else Layout(info.range_sets))

    def take(self, record: Record) -> None:
        """Judge and count one record."""
        network = record.event.network if isinstance(record, Chained) else record.network
        info = self._networks.get(network)
        if info is None:
            return
        tally = self._survey.tallies[self._survey.scope(info, self._header)]
        if isinstance(record, Held):
            self._take_lease(info, tally, record.lease)
        elif isinstance(record, Chained):
            self._take_event(info, tally, record.event)
        else:
            tally.resting[_range_set(tally, record.address)] += 1

    def owner(self, info: NetworkInfo, lease: Lease) -> str:
        """The node that a lease is of."""
        return (lease.node or self._header.node) if info.shared else self._header.node

    def _take_lease(self, info: NetworkInfo, tally: Tally, lease: Lease) -> None:
        survey, limits = self._survey, self._limits
        survey.leases += 1
        owner = self.owner(info, lease)
        scope = Scope(info.name, owner)
        place = _range_set(tally, lease.address)
        tally.leased[place] += 1
        tally.growth.note(lease.since, self._header.time)
        if place is None and tally.layout is not None:
            tally.outside.add(lease)
        boot = info.boots.get(owner, "" if info.shared else self._header.boot)
        if lease.boot and boot and lease.boot != boot:
            survey.boots[scope] = boot
            survey.old_boot.setdefault(scope, Examples()).add(lease)
        elif lease.since and self._header.time - lease.since > limits.leak_age:
            survey.old_age.setdefault(scope, Examples()).add(lease)
        if lease.since - self._header.time > limits.clock_tolerance:
            survey.skewed(owner, lease.since - self._header.time, "a lease was made after the snapshot that holds it")
        number = self._seen(owner)
        if info.name not in limits.local:
            survey.addresses.add(Index.key(info.name, lease.address), number)
        if lease.attachment.container_id:
            survey.containers.add(Index.key(lease.attachment.container_id), number)
        if lease.pod.name:
            survey.pods.add(Index.key(lease.pod.namespace, lease.pod.name), number)

    def _take_event(self, info: NetworkInfo, tally: Tally, event: Event) -> None:
        survey, limits = self._survey, self._limits
        survey.events += 1
        owner = self.owner(info, event.lease)
        if info.name not in limits.local:
            survey.addresses.add(Index.key(info.name, event.lease.address), self._seen(owner))
        tally.growth.take(event, _range_set(tally, event.lease.address), self._header.time)
        tally.first_event = min(tally.first_event, event.time)
        last = self._last_event.get(info.name)
        self._last_event[info.name] = event
        if event.time - self._header.time > limits.clock_tolerance:
            survey.skewed(owner, event.time - self._header.time, "an event happened after the snapshot that holds it")
        elif last is not None and last.time - event.time > limits.clock_tolerance:
            before = self.owner(info, last.lease)
            why = "its clock was set back" if before == owner else f"its events come before earlier ones of {before}"
            survey.skewed(owner, last.time - event.time, f"{why}, as the history of network {info.name} shows")

    def _seen(self, owner: str) -> int:
        number = self._survey.node_number(owner)
        self._survey.seen_on.setdefault(number, set()).add(self._place)
        return number


def _range_set(tally: Tally, address: Address) -> int | None:
    return tally.layout.range_set_of(address) if tally.layout is not None else None
