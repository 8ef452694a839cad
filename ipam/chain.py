"""The chain that holds history together: each event carries a digest of itself and of the event before it.

A link is the SHA-256 of the link before it and of the event's body, a line of JSON that is the same in every store: so
the same events have the same links wherever they are. In a file the line `{…}` becomes `{…,"chain":"…"}`, with its
link in base64 without padding. Whoever changes, removes or moves an event would have to make every later link anew;
what a store or a signed snapshot remembers of the last link tells that they did, or that the end was cut off.
"""

from __future__ import annotations

from _json import encode_basestring as quoted
from binascii import Error, a2b_base64, b2a_base64

try:  # the digest itself: hashlib around it costs as much to import as the rest of an ADD
    from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:  # Python 3.12 has it under another name
    from hashlib import sha256

from ipam import jsontext
from ipam.address import format_address
from ipam.model import NO_POD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.model import Event

START = bytes(32)
"""The link before the first."""

_MARK = b',"chain":"'
_LENGTH = 43  # of 32 bytes in base64, without padding
TAIL = len(_MARK) + _LENGTH + 2
"""Bytes that a link takes at the end of a line, the line's own end not counted."""


def body(event: Event) -> bytes:
    """What is digested of an event: a JSON object on one line, without its end.

    Empty fields are left out; `since` and `claimed_in` (the lease's boot) are there only where they are others.
    """
    lease, pod = event.lease, event.lease.pod
    who = lease.attachment
    line = (
        f'{{"time":{event.time!r}'
        f"{_field('boot', event.boot)}{_field('network', event.network)}"
        f'{_field("what", event.what)}{_field("cause", event.cause)},"address":"{format_address(lease.address)}"'
        f"{_field('container', who.container_id)}{_field('ifname', who.ifname)}{_field('node', lease.node)}"
    )
    if pod is not NO_POD:
        line += _field("namespace", pod.namespace) + _field("pod", pod.name) + _field("uid", pod.uid)
    line += _field("note", event.note)
    if lease.range_set is not None:
        line += f',"range_set":{lease.range_set}'
    if lease.since != event.time:
        line += f',"since":{lease.since!r}'
    if lease.boot != event.boot:
        line += f',"claimed_in":{quoted(lease.boot)}'
    return jsontext.to_bytes(line + "}")


def _field(key: str, text: str) -> str:
    return f',"{key}":{quoted(text)}' if text else ""


def link(before: bytes, body: bytes) -> bytes:
    """The link, 32 bytes, of an event that follows the link `before`, by its body."""
    digest: bytes = sha256(before + body).digest()
    return digest


def chained(before: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The line (with its end) that `body`, a JSON object, becomes behind the link `before`, and its own link."""
    found = link(before, body)
    return body[:-1] + _MARK + text(found) + b'"}\n', found


def text(found: bytes) -> bytes:
    """A link as it is written."""
    return b2a_base64(found, newline=False)[:_LENGTH]


def parse(written: bytes) -> bytes | None:
    """The link of a text, None where it is none."""
    try:
        found = a2b_base64(written + b"=")
    except Error:
        return None
    return found if len(found) == len(START) else None


def split(line: bytes) -> tuple[bytes, bytes] | None:
    """The body and the link of a line (with or without its end); None for one that is not chained."""
    line = line.removesuffix(b"\n")
    if line[-2:] != b'"}' or line[-TAIL : -TAIL + len(_MARK)] != _MARK:
        return None
    found = parse(line[-_LENGTH - 2 : -2])
    return None if found is None else (line[:-TAIL] + b"}", found)


def last(end: bytes) -> bytes | None:
    """The link of the line that some bytes end with, which may be its tail alone; None where it has none."""
    parts = split(end) if end.endswith(b"\n") else None
    return parts[1] if parts is not None else None
