"""The snapshot of a store: JSON lines, a header first, leases and events behind it, a digest of all of them at the end.

{"kind":"snapshot","schema":1,"version":…,"node":…,"boot":…,"time":…,"store":…,"networks":[…]}
{"kind":"lease","network":…,"address":…,…}       network by network, in address order
{"kind":"resting",…}
{"kind":"event",…}                               with history, oldest first
{"kind":"end","leases":…,"events":…,"sha256":…}  the SHA-256 of all bytes before this line
{"kind":"signature",…}                           where it was signed: Ed25519 over the end line
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from ipam import __version__
from ipam.audit.records import (
    Chained,
    Held,
    Json,
    Malformed,
    NetworkInfo,
    Resting,
    event_from_json,
    event_to_json,
    lease_from_json,
    lease_to_json,
    network_from_json,
    network_to_json,
    resting_from_json,
    resting_to_json,
)

SCHEMA = 1
LONGEST_LINE = 1 << 24
"""Bytes of a line: the header's, which has every range of every network, is the longest."""

Record = Held | Resting | Chained
Sign = Callable[[bytes], Json]


_DECODERS: dict[str, Callable[[Json], Record]] = {
    "lease": lease_from_json,
    "resting": resting_from_json,
    "event": event_from_json,
}


class Header(NamedTuple):
    """Whose snapshot it is, and when it was taken: seconds since the epoch, by the node's own clock."""

    node: str
    boot: str
    time: float
    store: str
    networks: tuple[NetworkInfo, ...]
    version: str = __version__
    schema: int = SCHEMA


class Signature(NamedTuple):
    """What the signature line says, and the bytes that it is about."""

    key: str
    signature: str
    signed: bytes


class Damaged(ValueError):
    """A snapshot that is not what was written: torn, changed, another kind. Says in which line (0: none), and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line
        self.why = why


def encode(header: Header, records: Iterable[Record], sign: Sign | None = None) -> Iterator[bytes]:
    """The lines of a snapshot. `sign` makes the fields of a signature line from the end line's bytes."""
    digest, leases, events = sha256(), 0, 0

    def out(value: Json) -> bytes:
        line = _line(value)
        digest.update(line)
        return line

    yield out(_header_to_json(header))
    for record in records:
        if isinstance(record, Held):
            leases += 1
            yield out(lease_to_json(*record))
        elif isinstance(record, Chained):
            events += 1
            yield out(event_to_json(*record))
        else:
            yield out(resting_to_json(record))
    end = _line({"kind": "end", "leases": leases, "events": events, "sha256": digest.hexdigest()})
    yield end
    if sign is not None:
        yield _line({"kind": "signature", **sign(end)})


def _line(value: Json) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _header_to_json(header: Header) -> Json:
    return {
        "kind": "snapshot",
        "schema": header.schema,
        "version": header.version,
        "node": header.node,
        "boot": header.boot,
        "time": header.time,
        "store": header.store,
        "networks": [network_to_json(info) for info in header.networks],
    }


class Reader:
    """Reads the lines of a snapshot one by one; `header` is there from the start, `signature` at the end."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Reads the header. Raises Damaged where this is no snapshot, or one of a newer schema."""
        self._lines = iter(lines)
        self._digest = sha256()
        self._number = 0
        self.signature: Signature | None = None
        self.leases = self.events = 0
        self.sha256 = ""
        self.header = self._read_header()

    def _read_header(self) -> Header:
        line = next(self._lines, b"")
        self._digest.update(line)
        self._number = 1
        value = self._decode(line)
        if value.get("kind") != "snapshot":
            raise Damaged(1, "no snapshot of ipam: it does not begin with a header")
        if value.get("schema") != SCHEMA:
            raise Damaged(1, f"schema {value.get('schema')!r}; this ipam reads {SCHEMA}: upgrade it")
        try:
            networks = tuple(network_from_json(item) for item in value["networks"])
            time = float(value["time"])
            if not abs(time) < 1e15:
                raise ValueError(f"time is {time}")
            texts = [str(value[key]) for key in ("node", "boot", "store", "version")]
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise Damaged(1, f"bad header: {error}") from None
        return Header(texts[0], texts[1], time, texts[2], networks, texts[3])

    def records(self) -> Iterator[Record]:
        """Every record. Raises Damaged at the first line that is not what was written, at the end at the latest."""
        for line in self._lines:
            self._number += 1
            value = self._decode(line)
            kind = value.get("kind")
            if kind == "end":
                self._check_end(line, value)
                return
            decoder = _DECODERS.get(str(kind))
            if decoder is None:
                raise Damaged(self._number, f"unknown kind {kind!r}")
            self._digest.update(line)
            self.leases += kind == "lease"
            self.events += kind == "event"
            try:
                yield decoder(value)
            except Malformed as error:
                raise Damaged(self._number, str(error)) from None
        raise Damaged(self._number, "it ends here, without its last line: the file was cut off")

    def _decode(self, line: bytes) -> Json:
        if not line.endswith(b"\n"):
            raise Damaged(self._number, "it ends here, in the middle of a line: the file was cut off")
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise Damaged(self._number, "no JSON") from None
        if not isinstance(value, dict):
            raise Damaged(self._number, "no JSON object")
        return value

    def _check_end(self, line: bytes, value: Json) -> None:
        self.sha256 = self._digest.hexdigest()
        if value.get("sha256") != self.sha256:
            raise Damaged(self._number, "the digest is another: something before this line was changed")
        if (value.get("leases"), value.get("events")) != (self.leases, self.events):
            raise Damaged(self._number, "the numbers of leases and events are others")
        for more in self._lines:
            self._number += 1
            told = self._decode(more)
            if told.get("kind") != "signature" or self.signature is not None:
                raise Damaged(self._number, "more behind the end")
            self.signature = Signature(str(told.get("key", "")), str(told.get("signature", "")), line)
