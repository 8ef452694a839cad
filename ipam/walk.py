"""Going along the chain of a history, event by event: what is not as it was written, and where."""

from __future__ import annotations

from ipam import chain
from ipam.verdict import Problem, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ipam.model import Event

    Known = tuple[int, str] | None
    Where = Callable[[], tuple[str, Event | None]]  # the place of an event, and the event, where it can be read

MOST_PROBLEMS = 100

_CHANGED = "it does not follow from the event before it: it was changed, or what stood before it was removed"
_MOVED = "it does not follow from the event before it, though the next one does: it was moved or put in"
_FOREIGN = "it is not part of the chain: damaged, or put in"
_CUT = "the last event is not the one that was written last, the end was cut off"


def lost(known: Known) -> tuple[Problem, ...]:
    """The problem of a history in which the last event that a snapshot told of is not."""
    if known is None:
        return ()
    why = f"event {known[0]}, the last that a snapshot tells of, is not in it: cut off, or all of it made anew"
    return (Problem(known[0], "not there", why),)


class Walk:
    """Goes from the first event to the last: carry() those outside of the chain, begin(), then take() the others.

    `events` are those seen so far, `links` those in the chain, `carried` those that were carried on when others were
    forgotten, `link` the last link. `arrived` is after how many events it was the one that was written last, None
    before that.
    """

    def __init__(self, last: bytes, known: Known = None) -> None:
        """`last` is the link that was written last; `known` is that of Store.verify()."""
        self.events = self.links = self.carried = 0
        self.link = chain.START
        self.arrived: int | None = None
        self.problems: list[Problem] = []
        self._last = last
        self._known = known
        self._wanted = chain.parse(known[1].encode("ascii", "replace")) if known else None
        self._met = False
        self._doubt: tuple[Problem, bytes] | None = None
        self.begin(self.link)

    def begin(self, head: bytes) -> None:
        """The next event to take() is the one that followed the link `head`."""
        self.link = head
        if self.arrived is None and head == self._last:
            self.arrived = self.events
        self._met = self._met or head == self._wanted

    def carry(self) -> None:
        """The next event is outside of the chain: those before it were forgotten."""
        self.events += 1
        self.carried += 1

    def take(self, body: bytes, link: bytes, where: Where) -> None:
        """The next event, and the link that it carries."""
        self.events += 1
        self._settle((body, link))
        if chain.link(self.link, body) != link:
            place, event = where()
            self._doubt = (Problem(self.events, place, _CHANGED, event), self.link)
        self.links += 1
        self.begin(link)

    def skip(self, where: Where, *, early: bool = False) -> None:
        """The next event has no link, or is none. `early`: before the first link of all that is right."""
        self.events += 1
        if self.link != chain.START or not early:
            self._settle(None)
            place, event = where()
            self.doubt(Problem(self.events, place, _FOREIGN, event))

    def doubt(self, problem: Problem) -> None:
        """Something else is wrong here."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def _settle(self, follower: tuple[bytes, bytes] | None) -> None:
        """Tell of the event in doubt, once it is known whether the one behind it follows from the one before it."""
        if self._doubt is None:
            return
        (problem, before), self._doubt = self._doubt, None
        if follower is not None and chain.link(before, follower[0]) == follower[1]:
            self.link = before
            problem = problem.replace(why=_MOVED)
        self.doubt(problem)

    def verdict(self, sealed: int, end: str, missing: str = "") -> Verdict:
        """After the last event: what was found. `sealed` events were forgotten.

        `end` is the place behind the last event, `missing` what the store knows to be missing there.
        """
        self._settle(None)
        if self.arrived is None and (missing or not self.problems):
            self.doubt(Problem(self.events + 1, end, _CUT + (f": {missing}" if missing else "")))
        if self._known is not None and not self._met and self._known[0] > sealed + self.carried:
            self.problems[MOST_PROBLEMS - 1 :] = lost(self._known)
        last = chain.text(self.link).decode() if self.link != chain.START else ""
        return Verdict(self.events, self.links, sealed, last, tuple(self.problems))
