"""The second reading: of what several nodes seem to have, the leases and events, and whether they really do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from ipam.address import format_address
from ipam.audit.finding import RULES, Finding, advice
from ipam.audit.records import Chained, Held, NetworkInfo
from ipam.audit.snapshot import Damaged, Header
from ipam.audit.survey import EXAMPLES, Index, Survey, Suspect
from ipam.audit.timeline import Overlap, Tenure, overlaps, tenures
from ipam.errors import CniError
from ipam.jsontext import quote
from ipam.model import Address, Event, Lease

MOST = 1000
"""Findings of a kind that are told one by one; of the others, how many there are."""

_MOST_OF_ONE = 1000
"""Leases, and events, of one suspect that are looked at: a snapshot may be made to have very many."""


T = TypeVar("T")


class _Sighting(NamedTuple):
    node: str
    network: str
    lease: Lease


class Collisions:
    """What is on two nodes at once. Memory: what concerns the suspects, of which there are at most MOST a kind."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._addresses = _first(survey.addresses.suspects())
        self._containers = _first(survey.containers.suspects())
        self._pods = _first(survey.pods.suspects())
        self._held: dict[tuple[str, Address], dict[str, list[Lease]]] = {}
        self._told: dict[tuple[str, Address], dict[str, list[Event]]] = {}
        self._of_container: dict[str, list[_Sighting]] = {}
        self._of_pod: dict[tuple[str, str], list[_Sighting]] = {}
        wanted = {node for group in (self._addresses, self._containers, self._pods) for node in _nodes(group)}
        places = {place for node in wanted for place in survey.seen_on.get(node, ())}
        for place in sorted(places):
            self._read(place)

    def _read(self, place: int) -> None:
        source, header = self._survey.sources[place]
        networks = self._survey.counted(place, header)
        try:
            with source.open() as reading:
                for record in reading.records():
                    if isinstance(record, Held) and record.network in networks:
                        self._take_lease(networks[record.network], header, record.lease)
                    elif isinstance(record, Chained) and record.event.network in networks:
                        self._take_event(networks[record.event.network], header, record.event)
        except (Damaged, CniError):
            return  # the survey has told of it

    def _take_lease(self, info: NetworkInfo, header: Header, lease: Lease) -> None:
        owner = (lease.node or header.node) if info.shared else header.node
        pod, container = (lease.pod.namespace, lease.pod.name), lease.attachment.container_id
        if Index.key(info.name, lease.address) in self._addresses and info.name not in self._survey.limits.local:
            _note(self._held.setdefault((info.name, lease.address), {}).setdefault(owner, []), lease)
        if container and Index.key(container) in self._containers:
            _note(self._of_container.setdefault(container, []), _Sighting(owner, info.name, lease))
        if pod[1] and Index.key(*pod) in self._pods:
            _note(self._of_pod.setdefault(pod, []), _Sighting(owner, info.name, lease))

    def _take_event(self, info: NetworkInfo, header: Header, event: Event) -> None:
        owner = (event.lease.node or header.node) if info.shared else header.node
        key = (info.name, event.lease.address)
        if Index.key(*key) in self._addresses and info.name not in self._survey.limits.local:
            _note(self._told.setdefault(key, {}).setdefault(owner, []), event)

    def findings(self) -> Iterator[Finding]:
        """Duplicate addresses, containers and pods."""
        for key in sorted({*self._held, *self._told}):
            yield from self._of_address(key)
        both = {}
        for container, sightings in sorted(self._of_container.items()):
            if len({each.node for each in sightings}) > 1:
                both[container] = True
                yield _on_two_nodes("container-on-two-nodes", f"container {quote(container)}", container, sightings)
        for (namespace, name), sightings in sorted(self._of_pod.items()):
            containers = {each.lease.attachment.container_id for each in sightings}
            if len({each.node for each in sightings}) > 1 and not containers <= both.keys():
                pod = f"{namespace}/{name}"
                yield _on_two_nodes("pod-on-two-nodes", f"pod {quote(pod)}", pod, sightings)

    def _of_address(self, key: tuple[str, Address]) -> Iterator[Finding]:
        network, address = key
        held, told = self._held.get(key, {}), self._told.get(key, {})
        every = [tenure for node in {*held, *told} for tenure in tenures(node, held.get(node, ()), told.get(node, ()))]
        now: list[Overlap] = []
        past: list[Overlap] = []
        for overlap in overlaps(every, self._survey.limits.overlap_tolerance):
            (past if overlap.end is not None else now).append(overlap)
        if now:
            yield _duplicate("duplicate-address", network, address, now)
        if past:
            yield _duplicate("duplicate-address-past", network, address, past)

    def untold(self) -> dict[str, int]:
        """How many suspects of each kind there were beyond those that were looked at."""
        counts = {}
        kinds: dict[str, tuple[Index, dict[int, Suspect]]] = {
            "duplicate-address": (self._survey.addresses, self._addresses),
            "container-on-two-nodes": (self._survey.containers, self._containers),
            "pod-on-two-nodes": (self._survey.pods, self._pods),
        }
        for name, (index, looked_at) in kinds.items():
            if len(looked_at) == MOST:
                counts[name] = sum(1 for _ in index.suspects()) - MOST
        return {name: count for name, count in counts.items() if count > 0}


def _note(known: list[T], one: T) -> None:
    """One more; of very many the newest stay."""
    known.append(one)
    if len(known) > 2 * _MOST_OF_ONE:
        del known[:_MOST_OF_ONE]


def _first(suspects: Iterable[Suspect]) -> dict[int, Suspect]:
    return {suspect.key: suspect for suspect, _ in zip(suspects, range(MOST), strict=False)}


def _nodes(suspects: dict[int, Suspect]) -> Iterator[int]:
    for suspect in suspects.values():
        yield from suspect.nodes


def _duplicate(rule: str, network: str, address: Address, found: list[Overlap]) -> Finding:
    text = format_address(address)
    nodes = tuple(sorted({each.node for overlap in found for each in (overlap.one, overlap.other)}))
    later = found[0].other
    still = "is leased" if rule == "duplicate-address" else "was leased"
    return Finding(
        RULES[rule],
        f"{text} {still} on {_listed(nodes)} at the same time",
        nodes,
        network,
        text,
        tuple(_overlap_fact(overlap) for overlap in found[:EXAMPLES]),
        advice("ipam", "release", text, "--network", network, "--reason", "duplicate", on=later.node)
        if rule == "duplicate-address"
        else advice("ipam", "history", network, "--address", text),
        max(0, len(found) - EXAMPLES),
    )


def _overlap_fact(overlap: Overlap) -> dict[str, object]:
    return {
        "from": overlap.begin,
        "until": overlap.end,
        "holders": [_tenure_fact(each) for each in (overlap.one, overlap.other)],
    }


def _tenure_fact(tenure: Tenure) -> dict[str, object]:
    return {"node": tenure.node, **lease_fact(tenure.lease), "since": tenure.begin, "until": tenure.end}


def lease_fact(lease: Lease) -> dict[str, object]:
    """What a finding tells of a lease."""
    pod = f"{lease.pod.namespace}/{lease.pod.name}" if lease.pod.name else ""
    fact = {
        "address": format_address(lease.address),
        "container": lease.attachment.container_id,
        "ifname": lease.attachment.ifname,
        "pod": pod,
        "since": lease.since,
        "boot": lease.boot,
    }
    return {key: value for key, value in fact.items() if value != ""}


def _on_two_nodes(rule: str, what: str, subject: str, sightings: list[_Sighting]) -> Finding:
    in_turn: Callable[[_Sighting], tuple[float, str]] = lambda each: (each.lease.since, each.node)  # noqa: E731
    sightings = sorted(sightings, key=in_turn)
    nodes = tuple(sorted({each.node for each in sightings}))
    first = sightings[0]
    return Finding(
        RULES[rule],
        f"{what} holds leases on {_listed(nodes)}",
        nodes,
        first.network if len({each.network for each in sightings}) == 1 else "",
        subject,
        tuple({"node": each.node, "network": each.network, **lease_fact(each.lease)} for each in sightings[:EXAMPLES]),
        advice("ipam", "gc", first.network, on=first.node, then="which has the older lease"),
        max(0, len(sightings) - EXAMPLES),
    )


def _listed(nodes: tuple[str, ...]) -> str:
    shown = ", ".join(quote(node)[1:-1] for node in nodes[:EXAMPLES])
    return shown if len(nodes) <= EXAMPLES else f"{shown} and {len(nodes) - EXAMPLES} more nodes"
