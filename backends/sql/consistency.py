"""Do the free intervals agree with the leases? They say the same twice, for speed; the leases have the last word."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from backends.sql.keys import SPACES, address_of, after, before, key_in, key_of
from ipam.address import format_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backends.sql.database import Session
    from backends.sql.intervals import Interval
    from backends.sql.rows import Row
    from ipam.store import Finding

LEASED, RESTING, FREE = "leased", "resting", "free"
_REMEDY = "somebody changed the tables by hand; --repair mends it"


class Parts:
    """What the three tables say of one network's addresses."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """`rows` are those of the statement `parts`."""
        self.leased: set[bytes] = set()
        self.resting: set[bytes] = set()
        self.free: list[Interval] = []
        for kind, first, last in rows:
            if kind == FREE:
                self.free.append((key_in(first), key_in(last)))
            else:
                (self.leased if kind == LEASED else self.resting).add(key_in(first))
        self.free.sort()

    def rightly_free(self) -> Iterator[Interval]:
        """The intervals as they have to be."""
        taken = sorted(self.leased | self.resting)
        for family, last in SPACES.items():
            begin: bytes | None = key_of(family, 0)
            for key in (key for key in taken if key[0] == family):
                if begin is not None and begin < key:
                    yield begin, before(key) or begin
                begin = after(key)
            if begin is not None:
                yield begin, key_of(family, last)

    def findings(self) -> Iterator[Finding]:
        """What is wrong."""
        right = list(self.rightly_free())
        if self.free == right and not self.leased & self.resting:
            return
        for key in sorted(self.leased & self.resting):
            yield "resting-lease", f"{_text(key)} is leased, and rests", _REMEDY
        ends = [last for _, last in self.free]
        for key in sorted(self.leased | self.resting):
            place = bisect_left(ends, key)
            if place < len(ends) and self.free[place][0] <= key:
                yield "leased-and-free", f"{_text(key)} is leased or rests, and may be given to another", _REMEDY
        if any(first <= last for (_, last), (first, _) in pairwise(self.free)):
            yield "free-twice", "intervals of free addresses overlap", _REMEDY
        known = set(self.free)
        for first, last in right:
            if (first, last) not in known and not self._covers(first, last):
                yield "lost-address", f"from {_text(first)} to {_text(last)} not all that is free is given out", _REMEDY

    def _covers(self, first: bytes, last: bytes) -> bool:
        """Whether all from `first` to `last` is in intervals."""
        at: bytes | None = first
        for begin, end in self.free:
            if at is None or at > last:
                break
            if begin <= at <= end:
                at = after(end)
        return at is None or at > last


def repair(session: Session, network: int) -> None:
    """Write the intervals anew, from leases and addresses that rest."""
    parts = Parts(session.fetch("parts", {"net": network}))
    for key in parts.leased & parts.resting:
        session.run("remove_resting", {"net": network, "key": key})
    right = [{"network": network, "first": first, "last": last} for first, last in parts.rightly_free()]
    session.run("clear_free", {"net": network})
    session.run_many("add_free", right)


def _text(key: bytes) -> str:
    return format_address(address_of(key))
