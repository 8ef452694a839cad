"""Proof that history is what was written: the chain from line to line, the seal of what was forgotten, and the end."""

from __future__ import annotations

from backends.directory import journal
from backends.directory.index import checksum
from backends.directory.leasefile import made_in
from backends.directory.reading import Scan, last_claims, read_lines
from backends.directory.seal import parse_seal
from ipam import chain
from ipam.address import format_address
from ipam.verdict import Problem
from ipam.walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from backends.directory.journal import Place as Where
    from backends.directory.place import Place
    from ipam.verdict import Verdict
    from ipam.walk import Known


def verify(place: Place, known: Known, boot: str) -> Verdict:
    """Look at every line; see Store.verify(). Call it under the lock, if only a shared one, in the present `boot`."""
    size, last = place.index.chained()
    walk = Walk(last or chain.START, known)
    sealed: dict[str, Any] | None = None
    carried: list[bytes] = []
    for number, (where, line) in enumerate(read_lines(place.records)):
        if not number and (sealed := parse_seal(line)) is not None:
            _look_at_seal(walk, line)
        elif sealed is not None and len(carried) < sealed["carried"]:
            carried.append(line + b"\n")
            walk.carry()
        else:
            _look_at_event(walk, where, line)
        if sealed is not None and number == len(carried) == sealed["carried"]:
            _look_at_carried(walk, sealed, carried)
    now = place.journal.file_size()
    missing = f"{size - now} bytes are missing" if now < size else ""
    if last is None:
        _look_at_leases(walk, place, boot, f"byte {now}")
    return walk.verdict(sealed["removed"] if sealed is not None else 0, f"byte {now}", missing)


def _look_at_leases(walk: Walk, place: Place, boot: str, end: str) -> None:
    """Without the index, which knows where history ends, the leases do: each that we made has its claim there."""
    holders = Scan(place.leases).holders
    claims = last_claims(place.records)
    for address, who in sorted(holders.items(), key=lambda each: each[0]):
        if (checksum(who), address) not in claims and made_in(boot, address, place.leases):
            why = f"{format_address(address)} is leased, and no event claims it: the end was cut off"
            walk.doubt(Problem(walk.events + 1, end, why))


def _look_at_seal(walk: Walk, line: bytes) -> None:
    parts = chain.split(line)
    if parts is None or chain.link(chain.START, parts[0]) != parts[1]:
        walk.doubt(Problem(0, "the first line", "the seal of what was forgotten was changed"))


def _look_at_carried(walk: Walk, sealed: dict[str, Any], carried: list[bytes]) -> None:
    digest = chain.text(chain.link(chain.START, b"".join(carried))).decode()
    if digest != sealed["digest"]:
        walk.doubt(Problem(1, "behind the seal", "the claims that were kept of forgotten events were changed"))
    walk.begin(chain.parse(sealed["head"].encode("ascii", "replace")) or chain.START)


def _look_at_event(walk: Walk, where: Where, line: bytes) -> None:
    parts = chain.split(line)
    if parts is None:
        walk.skip(lambda: (f"byte {where[0]}", journal.decode(line)), early=True)  # of a time before there was a chain
    else:
        walk.take(*parts, lambda: (f"byte {where[0]}", journal.decode(line)))
