"""How full range sets are, and when they will be: from a tally of leases and the events of the last day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ipam.audit.survey import Scope, Survey


class Usage(NamedTuple):
    """One range set of one scope. `exhausted_in`: seconds, see inspection.usage.Growth; None: not in sight."""

    scope: Scope
    range_set: int
    capacity: int
    leased: int
    resting: int
    exhausted_in: float | None

    @property
    def free(self) -> int:
        """Addresses that nobody holds and that do not rest."""
        return max(0, self.capacity - self.leased - self.resting)

    @property
    def left(self) -> int:
        """Addresses that ADD could still get: free ones, and at last those that rest."""
        return max(0, self.capacity - self.leased)

    @property
    def share(self) -> float:
        """How much of it is leased: 0 to 1."""
        return 1.0 if not self.capacity else min(1.0, self.leased / self.capacity)


def usages(survey: Survey) -> Iterator[Usage]:
    """Of each range set of each scope whose config is known."""
    for scope, tally in sorted(survey.tallies.items()):
        if tally.layout is None:
            continue
        for index, capacity in sorted(tally.layout.capacities.items()):
            leased, resting = tally.leased[index], tally.resting[index]
            ahead = tally.growth.exhausted_in(index, capacity - leased)
            yield Usage(scope, index, capacity, leased, resting, ahead)
