"""Leases and events as rows, and rows as leases and events."""

from __future__ import annotations

from backends.sql.keys import address_of, key_of
from ipam.model import Attachment, Event, Lease, Pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Row = Sequence[Any]
    Values = dict[str, Any]

LEASE_COLUMNS = (
    "address",
    "container_id",
    "ifname",
    "range_set",
    "namespace",
    "pod",
    "uid",
    "since",
    "claimed_in",
    "node",
)
EVENT_COLUMNS = ("time", "boot", "what", "cause", "note", *LEASE_COLUMNS)
SEAL_COLUMNS = ("forgotten", "begins", "head", "carried")
CHAIN_COLUMNS = ("written", "last", *SEAL_COLUMNS)
_OF_EVENT = len(EVENT_COLUMNS) - len(LEASE_COLUMNS)

# Text from outside may have bytes that are no UTF-8, which Python holds as lone surrogates, or NUL: databases take
# neither. They are kept as characters of the last private plane, which nobody else uses.
_PLANE = 0x100000


def text(value: str) -> str:
    """A text as a database takes it."""
    if value.isprintable():
        return value
    return "".join([chr(_PLANE + ord(c)) if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value])


def _original(value: object) -> str:
    shown = str(value)
    if shown.isascii():
        return shown
    return "".join(
        [chr(ord(c) - _PLANE) if c == chr(_PLANE) or "\U0010d800" <= c <= "\U0010dfff" else c for c in shown]
    )


def lease_values(network: int, lease: Lease) -> Values:
    """A row of `leases`."""
    return {
        "network": network,
        "address": key_of(*lease.address),
        "container_id": text(lease.attachment.container_id),
        "ifname": text(lease.attachment.ifname),
        "range_set": lease.range_set,
        "namespace": text(lease.pod.namespace),
        "pod": text(lease.pod.name),
        "uid": text(lease.pod.uid),
        "since": float(lease.since),
        "claimed_in": text(lease.boot),
        "node": text(lease.node),
    }


def lease_of(row: Row) -> Lease:
    """The lease of a row of LEASE_COLUMNS."""
    key, container_id, ifname, range_set, namespace, pod, uid, since, boot, node = row
    return Lease(
        address_of(key),
        Attachment(_original(container_id), _original(ifname)),
        range_set,
        Pod(_original(namespace), _original(pod), _original(uid)),
        since,
        _original(boot),
        _original(node),
    )


def event_values(network: int, event: Event) -> Values:
    """A row of `events`."""
    return {
        **lease_values(network, event.lease),
        "time": float(event.time),
        "boot": text(event.boot),
        "what": event.what,
        "cause": text(event.cause),
        "note": text(event.note),
    }


def event_of(network: str, row: Row) -> Event:
    """The event of a row of EVENT_COLUMNS."""
    time, boot, what, cause, note = row[:_OF_EVENT]
    return Event(
        time,
        _original(boot),
        network,
        str(what),
        lease_of(row[_OF_EVENT:]),
        _original(cause),
        _original(note),
    )
