"""What the page shows, from the sources: every lease as columns, the last events, and counts by time."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any, NamedTuple

from ipam.address import format_address
from ipam.audit.auditing import Audit
from ipam.audit.records import Chained, Held, NetworkInfo
from ipam.audit.snapshot import Damaged, Header
from ipam.audit.survey import Scope, Survey
from ipam.audit.usage import Usage
from ipam.errors import CniError
from ipam.inspection.usage import DAY
from ipam.model import CLAIM, Event, Lease

MOST_EVENTS = 20_000
"""The newest events of all are on the page; older ones are in the counts alone."""

BUCKETS = 60
_SPANS = (3600.0, 6 * 3600.0, DAY, 7 * DAY, 30 * DAY)

AGES = ((60.0, "< 1 min"), (600.0, "1–10 min"), (3600.0, "10–60 min"), (6 * 3600.0, "1–6 h"), (DAY, "6–24 h"),
        (7 * DAY, "1–7 d"), (30 * DAY, "7–30 d"), (float("inf"), "> 30 d"))  # fmt: skip
"""The upper ends of the classes of ages, in seconds, and how they are called."""


class Words:
    """Texts by number: what occurs often is on the page once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text, a new one where it has none."""
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return number


class Series(NamedTuple):
    """Counts by time: `allocated[i]` and `released[i]` in the i-th part of `span` seconds before now."""

    span: float
    allocated: list[int]
    released: list[int]


class Course(NamedTuple):
    """How many leases a range set had at the end of each part of the series' span."""

    usage: Usage
    leased: list[int]


class Gathered:
    """Everything that is on the page, in plain values. Reads every source once more."""

    def __init__(self, audit: Audit, *, courses: int = 6) -> None:
        self.audit = audit
        self.survey: Survey = audit.survey
        self.now = self.survey.limits.now
        first = min((tally.first_event for tally in self.survey.tallies.values()), default=self.now)
        self.span = next((span for span in _SPANS if self.now - first <= span), _SPANS[-1])
        self.words = {key: Words() for key in ("network", "node", "namespace", "ifname")}
        self.columns: dict[str, list[Any]] = {
            key: [] for key in ("network", "node", "address", "container", "ifname", "namespace", "pod", "set", "since")
        }
        self.resting: list[tuple[int, int, str, float]] = []
        self.ages, self.lifetimes = [0] * len(AGES), [0] * len(AGES)
        self._allocated, self._released = [0] * BUCKETS, [0] * BUCKETS
        self._events: list[tuple[float, int, tuple[Any, ...]]] = []
        self._told = 0
        chosen = sorted(audit.usages, key=lambda each: (each.exhausted_in or float("inf"), -each.share))[:courses]
        self._changes: dict[tuple[Scope, int], Counter[int]] = {
            (each.scope, each.range_set): Counter() for each in chosen
        }
        self._chosen = chosen
        for place in range(len(self.survey.sources)):
            self._read(place)

    def _read(self, place: int) -> None:
        source, header = self.survey.sources[place]
        networks = self.survey.counted(place, header)
        try:
            with source.open() as reading:
                for record in reading.records():
                    network = record.event.network if isinstance(record, Chained) else record.network
                    info = networks.get(network)
                    if info is None:
                        continue
                    if isinstance(record, Held):
                        self._take_lease(info, header, record.lease)
                    elif isinstance(record, Chained):
                        self._take_event(info, header, record.event)
                    else:
                        text = format_address(record.address)
                        numbers = self._numbers(info.name, header.node)
                        self.resting.append((*numbers, text, record.until))
        except (Damaged, CniError):
            return  # a finding tells of it

    def _numbers(self, network: str, node: str) -> tuple[int, int]:
        return self.words["network"].number(network), self.words["node"].number(node)

    def _take_lease(self, info: NetworkInfo, header: Header, lease: Lease) -> None:
        owner = (lease.node or header.node) if info.shared else header.node
        network, node = self._numbers(info.name, owner)
        layout = self.survey.tallies[self.survey.scope(info, header)].layout
        row = {
            "network": network,
            "node": node,
            "address": format_address(lease.address),
            "container": lease.attachment.container_id,
            "ifname": self.words["ifname"].number(lease.attachment.ifname),
            "namespace": self.words["namespace"].number(lease.pod.namespace),
            "pod": lease.pod.name,
            "set": layout.range_set_of(lease.address) if layout is not None else lease.range_set,
            "since": int(lease.since),  # cut, as the command line has it
        }
        for key, value in row.items():
            self.columns[key].append(value)
        if lease.since:
            self.ages[_class_of(self.now - lease.since)] += 1

    def _take_event(self, info: NetworkInfo, header: Header, event: Event) -> None:
        scope = self.survey.scope(info, header)
        part = int((event.time - (self.now - self.span)) / self.span * BUCKETS)
        claimed = event.what == CLAIM
        if 0 <= part < BUCKETS:
            (self._allocated if claimed else self._released)[part] += 1
            layout = self.survey.tallies[scope].layout
            index = layout.range_set_of(event.lease.address) if layout is not None else None
            changes = self._changes.get((scope, index)) if index is not None else None
            if changes is not None:
                changes[part] += 1 if claimed else -1
        if not claimed and event.lease.since:
            self.lifetimes[_class_of(event.time - event.lease.since)] += 1
        owner = (event.lease.node or header.node) if info.shared else header.node
        pod = event.lease.pod
        row = (
            *self._numbers(info.name, owner),
            format_address(event.lease.address),
            int(event.time),
            event.what,
            event.cause,
            event.lease.attachment.container_id,
            f"{pod.namespace}/{pod.name}" if pod.name else "",
            event.note,
        )
        self._told += 1
        put = heapq.heappush if len(self._events) < MOST_EVENTS else heapq.heappushpop
        put(self._events, (event.time, self._told, row))

    @property
    def series(self) -> Series:
        """Allocations and releases by time."""
        return Series(self.span, self._allocated, self._released)

    def courses(self) -> list[Course]:
        """How the range sets that will be exhausted first, or are the fullest, came to what they hold."""
        found = []
        for usage in self._chosen:
            changes = self._changes[usage.scope, usage.range_set]
            leased, line = usage.leased, []
            for part in range(BUCKETS - 1, -1, -1):
                line.append(max(0, leased))
                leased -= changes[part]
            found.append(Course(usage, line[::-1]))
        return found

    def data(self) -> dict[str, Any]:
        """What the page's script reads."""
        ranges = []
        for place, (_, header) in enumerate(self.survey.sources):
            for info in self.survey.counted(place, header).values():
                network, node = self._numbers(info.name, "" if info.shared else header.node)
                ranges += [
                    [network, node, each.index, rng.family, str(rng.start), str(rng.end), format_address(rng.gateway)]
                    for each in info.range_sets or ()
                    for rng in each.ranges
                ]
        return {
            "now": round(self.now),
            "words": {key: words.texts for key, words in self.words.items()},
            "leases": self.columns,
            "ranges": ranges,
            "resting": self.resting,
            "events": [row for _, _, row in sorted(self._events)],
            "older": self._told - len(self._events),
        }


def _class_of(age: float) -> int:
    return next(place for place, (limit, _) in enumerate(AGES) if age < limit)
