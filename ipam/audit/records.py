"""The lines of a snapshot: leases, resting addresses and events as JSON objects, and back again, trusting nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

from ipam.address import format_address, format_cidr, parse_address, parse_cidr
from ipam.inspection.problems import problem_to_json
from ipam.model import CLAIM, DROP, WIDTH, Address, Attachment, Event, Lease, Pod, Range, RangeSet
from ipam.verdict import Problem, Verdict

Json = dict[str, Any]

_RANGE_SETS = range(1 << 16)


class Malformed(ValueError):
    """A line that is no record: says which key, and what it holds."""


class NetworkInfo(NamedTuple):
    """What a snapshot knows of a network besides its leases.

    `range_sets` is None where no config of the network was found. `shared`: one store for several nodes, so that the
    leases' own node says whose they are. `boots` is the current boot of each node known, by its name. `verdict` is
    what the store found when it looked at its history, None where it cannot tell. `cursors`: see Store.cursors().
    """

    name: str
    range_sets: tuple[RangeSet, ...] | None
    shared: bool
    boots: dict[str, str]
    verdict: Verdict | None = None
    cursors: dict[int, Address] | None = None


class Resting(NamedTuple):
    """An address that was released and is not handed out before `until` (seconds since the epoch)."""

    network: str
    address: Address
    until: float


class Held(NamedTuple):
    """A lease and the network that it is on."""

    network: str
    lease: Lease


class Chained(NamedTuple):
    """An event and its link in the chain of its network's history, "" where its store keeps none."""

    event: Event
    chain: str


def network_to_json(info: NetworkInfo) -> Json:
    """One element of the header's `networks`."""
    sets = (
        None if info.range_sets is None else [[_range_to_json(rng) for rng in each.ranges] for each in info.range_sets]
    )
    found = {"name": info.name, "shared": info.shared, "boots": info.boots, "range_sets": sets}
    if info.cursors:
        found["cursors"] = {str(index): format_address(address) for index, address in info.cursors.items()}
    return found if info.verdict is None else found | {"history": _verdict_to_json(info.verdict)}


def _verdict_to_json(verdict: Verdict) -> Json:
    problems = list(map(problem_to_json, verdict.problems))
    numbers = {"events": verdict.events, "chained": verdict.links, "forgotten": verdict.sealed}
    return {**numbers, "last": verdict.last, "problems": problems}


def _verdict(value: object) -> Verdict | None:
    if value is None:
        return None
    try:
        if not isinstance(value, dict):
            raise TypeError
        events, links, sealed = (int(value[key]) for key in ("events", "chained", "forgotten"))
        told = tuple(Problem(int(each["event"]), str(each["place"]), str(each["why"])) for each in value["problems"])
        return Verdict(events, links, sealed, str(value["last"]), told)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Malformed("history is no verdict") from None


def _range_to_json(rng: Range) -> Json:
    return {
        "subnet": format_cidr(Address(rng.family, rng.subnet), rng.prefix),
        "start": format_address(Address(rng.family, rng.start)),
        "end": format_address(Address(rng.family, rng.end)),
        "gateway": format_address(rng.gateway),
    }


def network_from_json(value: Json) -> NetworkInfo:
    """Raises Malformed."""
    sets, boots = value.get("range_sets"), value.get("boots")
    if sets is not None and not isinstance(sets, list):
        raise Malformed("range_sets is no list")
    if not isinstance(boots, dict):
        raise Malformed("boots is no object")
    known = None if sets is None else tuple(_range_set(index, each) for index, each in enumerate(sets))
    return NetworkInfo(
        _text(value, "name", required=True),
        known,
        value.get("shared") is True,
        {str(node): str(boot) for node, boot in boots.items()},
        _verdict(value.get("history")),
        _cursors(value.get("cursors")),
    )


def _cursors(value: object) -> dict[int, Address] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(key.isdecimal() and len(key) < 4 for key in value):
        raise Malformed("cursors is no object of addresses")
    return {int(key): _address(value, key) for key in value}


def _range_set(index: int, value: object) -> RangeSet:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Malformed(f"range_sets[{index}] is no list of objects")
    return RangeSet(index, tuple(_range(item) for item in value))


def _range(value: Json) -> Range:
    subnet = parse_cidr(_text(value, "subnet"))
    start, end, gateway = (_address(value, key) for key in ("start", "end", "gateway"))
    if subnet is None or {start.family, end.family} != {subnet[0].family} or start > end:
        raise Malformed(f"no range: {value}")
    address, prefix = subnet
    first = address.value >> WIDTH[address.family] - prefix << WIDTH[address.family] - prefix
    return Range(address.family, first, prefix, start.value, end.value, gateway)


def lease_to_json(network: str, lease: Lease) -> Json:
    """A line of kind "lease"; empty fields are left out."""
    return {"kind": "lease", "network": network, **_lease_fields(lease), "since": lease.since, "boot": lease.boot}


def lease_from_json(value: Json) -> Held:
    """Raises Malformed."""
    return Held(_text(value, "network", required=True), _lease(value, _number(value, "since"), _text(value, "boot")))


def resting_to_json(resting: Resting) -> Json:
    """A line of kind "resting"."""
    address = format_address(resting.address)
    return {"kind": "resting", "network": resting.network, "address": address, "until": resting.until}


def resting_from_json(value: Json) -> Resting:
    """Raises Malformed."""
    return Resting(_text(value, "network", required=True), _address(value, "address"), _number(value, "until"))


def event_to_json(event: Event, chain: str = "") -> Json:
    """A line of kind "event". `since` and `claimed_in` are the lease's own, and always there."""
    return {
        "kind": "event",
        "time": event.time,
        "boot": event.boot,
        "network": event.network,
        "what": event.what,
        "cause": event.cause,
        **_lease_fields(event.lease),
        "since": event.lease.since,
        "claimed_in": event.lease.boot,
        **_filled({"note": event.note, "chain": chain}),
    }


def event_from_json(value: Json) -> Chained:
    """Raises Malformed."""
    if value.get("what") not in (CLAIM, DROP):
        raise Malformed(f"what is {value.get('what')!r}, not claim or drop")
    event = Event(
        _number(value, "time"),
        _text(value, "boot"),
        _text(value, "network", required=True),
        value["what"],
        _lease(value, _number(value, "since"), _text(value, "claimed_in")),
        _text(value, "cause"),
        _text(value, "note"),
    )
    return Chained(event, _text(value, "chain"))


def _lease_fields(lease: Lease) -> Json:
    return {
        "address": format_address(lease.address),
        "container": lease.attachment.container_id,
        **_filled(
            {
                "ifname": lease.attachment.ifname,
                "range_set": lease.range_set,
                "node": lease.node,
                "namespace": lease.pod.namespace,
                "pod": lease.pod.name,
                "uid": lease.pod.uid,
            }
        ),
    }


def _filled(fields: Json) -> Json:
    return {key: value for key, value in fields.items() if value not in ("", None)}


def _lease(value: Json, since: float, boot: str) -> Lease:
    range_set = value.get("range_set")
    return Lease(
        _address(value, "address"),
        Attachment(_text(value, "container"), _text(value, "ifname")),
        range_set if type(range_set) is int and range_set in _RANGE_SETS else None,
        Pod(_text(value, "namespace"), _text(value, "pod"), _text(value, "uid")),
        since,
        boot,
        _text(value, "node"),
    )


def _address(value: Json, key: str) -> Address:
    address = parse_address(_text(value, key))
    if address is None:
        raise Malformed(f"{key} is {value.get(key)!r}, no address")
    return address


def _text(value: Json, key: str, *, required: bool = False) -> str:
    text = value.get(key, "")
    if not isinstance(text, str) or (required and not text):
        raise Malformed(f"{key} is {text!r}, no text")
    return text


def _number(value: Json, key: str) -> float:
    number = value.get(key, 0.0)
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < 1e15:
        raise Malformed(f"{key} is {number!r}, no time")
    return float(number)
