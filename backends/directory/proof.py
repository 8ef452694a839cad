"""Proof that history is what was written: the chain from line to line, the seal of what was forgotten, and the end."""

from __future__ import annotations

from backends.directory import journal
from backends.directory.reading import read_lines
from ipam import chain, jsontext
from ipam.address import format_address
from ipam.errors import CniError
from ipam.verdict import Problem, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from backends.directory.journal import Place as Where
    from backends.directory.place import Place

    Lines = Iterable[tuple[Where, bytes]]

MOST_PROBLEMS = 100

_CHANGED = "it does not follow from the event before it: it was changed, or what stood before it was removed"
_MOVED = "it does not follow from the event before it, though the next one does: it was moved or put in"


def seal(now: float, removed: int, carried: list[bytes], head: bytes) -> bytes:
    """The line that stands in place of forgotten events, before the claims that were kept of them.

    `removed` is the number of events forgotten so far, `head` the link that the next event follows.
    """
    value = {
        "sealed": now,
        "removed": removed,
        "carried": len(carried),
        "bytes": sum(map(len, carried)),
        "digest": chain.text(chain.link(chain.START, b"".join(carried))).decode(),
        "head": chain.text(head).decode(),
    }
    return chain.chained(chain.START, jsontext.to_bytes(jsontext.encode(value)))[0]


def parse_seal(line: bytes) -> dict[str, Any] | None:
    """The object of a seal; None for any other line."""
    if not line.startswith(b'{"sealed":'):
        return None
    try:
        value = jsontext.decode(line)
    except CniError:
        return None
    texts = isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("digest", "head"))
    numbers = isinstance(value, dict) and all(
        isinstance(value.get(key), int) for key in ("removed", "carried", "bytes")
    )
    return value if texts and numbers and isinstance(value, dict) else None


Known = tuple[int, str] | None


def lost(known: Known) -> tuple[Problem, ...]:
    """The problem of a history in which the last event that a snapshot told of is not."""
    if known is None:
        return ()
    why = f"event {known[0]}, the last that a snapshot tells of, is not in it: cut off, or all of it made anew"
    return (Problem(known[0], "not there", why),)


def verify(place: Place, known: Known = None) -> Verdict:
    """Look at every line; see Store.verify(). Call it under the lock, if only a shared one."""
    size, last = place.index.chained()
    walk = _Walk(last or chain.START, chain.parse(known[1].encode("ascii", "replace")) if known else None)
    problems = list(walk.problems(read_lines(place.records)))
    now = place.journal.file_size()
    if not walk.arrived and (now < size or not problems):
        missing = f": {size - now} bytes are missing" if now < size else ""
        why = f"the last event is not the one that was written last, the end was cut off{missing}"
        problems.append(Problem(walk.events + 1, f"byte {now}", why))
    if known is not None and not walk.met and known[0] > walk.sealed + walk.carried:
        problems += lost(known)
    told = chain.text(walk.link).decode() if walk.links else ""
    return Verdict(walk.events, walk.links, walk.sealed, told, tuple(problems[:MOST_PROBLEMS]))


class _Walk:
    """Goes along the chain: `events` seen, `links` of them chained, `sealed` forgotten, `link` of the last one.

    `arrived` is whether a line had the link `last`, `met` whether one had the link `known`. `carried` claims stand
    behind the seal.
    """

    def __init__(self, last: bytes, known: bytes | None) -> None:
        self.events = self.links = self.sealed = self.carried = 0
        self.met = False
        self._known = known
        self.link = chain.START
        self.arrived = last == chain.START
        self._last = last
        self._doubt: tuple[Problem, bytes] | None = None

    def problems(self, lines: Lines) -> Iterator[Problem]:
        """What is wrong, in the order of history."""
        carried: list[bytes] = []
        sealed: dict[str, Any] | None = None
        for number, (where, line) in enumerate(lines):
            if not number:
                sealed = parse_seal(line)
            if sealed is not None and not number:
                yield from self._take_seal(sealed, line)
            elif sealed is not None and len(carried) < sealed["carried"]:
                carried.append(line + b"\n")
                self.events += 1
            else:
                yield from self._take_event(where, line)
            if sealed is not None and len(carried) == sealed["carried"] and number == len(carried):
                yield from self._end_seal(sealed, carried)
            self.arrived = self.arrived or self.link == self._last
            self.met = self.met or self.link == self._known
        yield from self._settle(None)

    def _take_seal(self, sealed: dict[str, Any], line: bytes) -> Iterator[Problem]:
        self.sealed, self.carried = sealed["removed"], sealed["carried"]
        parts = chain.split(line)
        if parts is None or chain.link(chain.START, parts[0]) != parts[1]:
            yield Problem(0, "the first line", "the seal of what was forgotten was changed")

    def _end_seal(self, sealed: dict[str, Any], carried: list[bytes]) -> Iterator[Problem]:
        digest = chain.text(chain.link(chain.START, b"".join(carried))).decode()
        if digest != sealed["digest"]:
            yield Problem(1, "behind the seal", "the claims that were kept of forgotten events were changed")
        self.link = chain.parse(sealed["head"].encode("ascii", "replace")) or chain.START
        self.links += self.link != chain.START

    def _take_event(self, where: Where, line: bytes) -> Iterator[Problem]:
        self.events += 1
        parts = chain.split(line)
        if parts is None:
            if self.links:  # events of a time before there was a chain have none, and come first
                yield from self._settle(None)
                yield Problem(self.events, _place(where, line), "it is not part of the chain: damaged, or put in")
            return
        body, told = parts
        yield from self._settle((body, told))
        if chain.link(self.link, body) != told:
            self._doubt = (Problem(self.events, _place(where, line), _CHANGED), self.link)
        self.link = told
        self.links += 1

    def _settle(self, follower: tuple[bytes, bytes] | None) -> Iterator[Problem]:
        """Tell of the event in doubt, once it is known whether the one behind it follows from the one before it."""
        if self._doubt is None:
            return
        (problem, before), self._doubt = self._doubt, None
        if follower is not None and chain.link(before, follower[0]) == follower[1]:
            self.link = before
            problem = problem.replace(why=_MOVED)
        yield problem


def _place(where: Where, line: bytes) -> str:
    event = journal.decode(line)
    if event is None:
        return f"byte {where[0]}"
    told = f"{event.what} of {format_address(event.lease.address)} by {event.lease.attachment.container_id}"
    return f"byte {where[0]}, {told} at {event.time!r}"
