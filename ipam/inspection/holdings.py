"""History read as intervals: who held an address, from when to when, and why that ended."""

from __future__ import annotations

from typing import NamedTuple

from ipam.model import CLAIM, Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.model import Address, Event, Lease


_BEFORE_THE_EVENT = (Cause.FOUND, Cause.MIGRATE, Cause.IMPORT)
"""Claims of leases that were there already, wherever that was."""


class Holding(NamedTuple):
    """One lease and its time: from `start` to before `end` (None: to this day), in seconds since the epoch.

    `cause` and `note` are those of its claim, `ended_by` and `end_note` of its drop. A `start` of None is not known.
    """

    network: str
    lease: Lease
    start: float | None
    cause: str
    note: str = ""
    end: float | None = None
    ended_by: str = ""
    end_note: str = ""

    def covers(self, moment: float) -> bool:
        """Whether the address was held at that moment."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


def holdings(network: str, events: Iterable[Event], held: Iterable[Lease]) -> list[Holding]:
    """The intervals that the events of a network tell of, by their beginning; `held` are the leases of now.

    A claim whose drop is not told ended with the next claim of the address, or is held to this day. What is held
    without any claim is an interval without a start. A lease that was found, or moved here, began when it was made.
    """
    done: list[Holding] = []
    current: dict[Address, Holding] = {}
    for event in events:
        lease = event.lease
        open_one = current.pop(lease.address, None)
        if event.what == CLAIM:
            if open_one is not None:
                done.append(open_one._replace(end=event.time))
            start = lease.since if event.cause in _BEFORE_THE_EVENT and lease.since else event.time
            current[lease.address] = Holding(network, lease, start, event.cause, event.note)
            continue
        began = open_one if open_one is not None and _same(open_one.lease, lease) else None
        if began is None and open_one is not None:
            done.append(open_one._replace(end=event.time))
        began = began or Holding(network, lease, lease.since or None, "")
        done.append(began._replace(end=event.time, ended_by=event.cause, end_note=event.note))
    now = {lease.address: lease for lease in held}
    for address, holding in current.items():
        if address in now and _same(now[address], holding.lease):
            del now[address]
        elif address not in now:
            holding = holding._replace(end=holding.start)  # noqa: PLW2901  # its end was never told: claim nothing
        done.append(holding)
    done += [Holding(network, lease, lease.since or None, "") for lease in now.values()]
    return sorted(done, key=lambda holding: holding.start or 0.0)


def at(found: Iterable[Holding], moment: float) -> Holding | None:
    """The holding of that moment; the last one that began, should there be two."""
    return max((holding for holding in found if holding.covers(moment)), key=lambda one: one.start or 0.0, default=None)


def _same(one: Lease, other: Lease) -> bool:
    return one.attachment == other.attachment
