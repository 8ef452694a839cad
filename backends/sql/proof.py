"""Proof that history is what was written: every event follows from the one before it, up to the last one."""

from __future__ import annotations

from backends.sql.chains import digest
from backends.sql.rows import event_of
from ipam import chain
from ipam.errors import InputOutput, TryAgain
from ipam.verdict import Problem, Verdict
from ipam.walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from backends.sql.rows import Row
    from ipam.walk import Known

    Read = Callable[..., Iterator[Row]]


_TRIES = 5
_UNREADABLE = (InputOutput, IndexError, KeyError, OverflowError, TypeError, ValueError)  # of a row that is no event
_NEW: Row = (0, chain.START, 0, 0, chain.START, chain.START)
_SEAL = slice(2, None)  # of CHAIN_COLUMNS
_TABLE = "table chains"


def verify(read: Read, network: str, known: Known) -> Verdict:
    """Look at every event; see Store.verify(). `read` takes a network, a statement about it, and more of its values.

    Nobody has to wait meanwhile: events that come in are looked at too, and where older ones were forgotten
    meanwhile, it is done again. Raises TryAgain where that happens again and again.
    """
    for _ in range(_TRIES):
        before = list(read(network, "chain"))
        verdict = _verdict(read, network, known, before)
        if [row[_SEAL] for row in read(network, "chain")] == [row[_SEAL] for row in before]:
            return verdict
    raise TryAgain(f"history of {network} is being forgotten all the time", "verify it when that is over")


def _verdict(read: Read, network: str, known: Known, found: list[Row]) -> Verdict:
    row = found[0] if found else _NEW
    if [type(value) for value in row] != [type(value) for value in _NEW]:
        return Verdict(0, 0, 0, "", (Problem(0, _TABLE, "what it says of this network was changed"),))
    written, last, forgotten, begins, head, carried = row
    walk = Walk(last, known)
    if not found and any(read(network, "linked_from", begins=0)):
        walk.doubt(Problem(0, _TABLE, "what it says of this network was removed"))
    try:
        unchanged = digest(network, _carried(walk, read(network, "linked_before", until=begins))) == carried
    except _UNREADABLE:
        unchanged = False
    if not unchanged:
        walk.doubt(Problem(1, f"before id {begins}", "the claims that were kept of forgotten events were changed"))
    walk.begin(head)
    place = begins
    for row in read(network, "linked_from", begins=begins):
        place = row[0]
        _look_at(walk, network, row)
    missing = written - forgotten - walk.events
    verdict = walk.verdict(forgotten, f"behind id {place}", f"{missing} events are missing" if missing > 0 else "")
    if verdict.problems or walk.arrived == written - forgotten:
        return verdict
    why = f"it tells of {written} events, {forgotten} of them forgotten, where there are {walk.arrived}: it was changed"
    return verdict.replace(problems=(Problem(0, _TABLE, why),))


def _carried(walk: Walk, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        walk.carry()
        yield row


def _look_at(walk: Walk, network: str, row: Row) -> None:
    place, link, *columns = row
    try:
        event = event_of(network, columns)
        body = chain.body(event)
        if not isinstance(link, bytes):
            raise TypeError
    except _UNREADABLE:
        walk.skip(lambda: (f"id {place}", None))
        return
    walk.take(body, link, lambda: (f"id {place}", event))
