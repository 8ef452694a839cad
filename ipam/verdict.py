"""What a store finds when it looks at its own history: whether anything was changed, cut out or moved."""

from __future__ import annotations

from ipam.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.model import Event


class Problem(Value):
    """A place in history that is not as it was written: the event's number (from 1), where it is, what is wrong.

    `event` is the one that is there, None where there is none, or none that can be read.
    """

    __slots__ = ("event", "number", "place", "why")

    def __init__(self, number: int, place: str, why: str, event: Event | None = None) -> None:
        self.number = number
        self.place = place
        self.why = why
        self.event = event


class Verdict(Value):
    """`events` were looked at, `links` of them chained; `last` is the last link as text, "" where there is none.

    `sealed` is how many older events were forgotten: with `events`, how many there ever were. `problems` come in the
    order of history.
    """

    __slots__ = ("events", "last", "links", "problems", "sealed")

    def __init__(self, events: int, links: int, sealed: int, last: str, problems: tuple[Problem, ...] = ()) -> None:
        self.events = events
        self.links = links
        self.sealed = sealed
        self.last = last
        self.problems = problems
