"""What was promised, contestant by contestant; the report says which of it holds."""

from collections.abc import Mapping
from typing import NamedTuple


class Target(NamedTuple):
    """At most `limit` times Go's figure; `stretch` is hoped for."""

    limit: float
    stretch: float | None = None

    def __str__(self) -> str:
        return f"≤ {times(self.limit)}" + (f" (stretch {times(self.stretch)})" if self.stretch else "")

    def verdict(self, ratio: float) -> str:
        """Whether a measured ratio keeps the promise."""
        if ratio > self.limit:
            return "missed"
        return "holds, stretch too" if self.stretch and ratio <= self.stretch else "holds"


class Targets(NamedTuple):
    """The promises of one contestant.

    `cpu` and `wall` go by the number of leases, `burst_wall` and its like by the number of calls at once;
    all of these compare with Go. The others compare the contestant with itself: `growth` is the wall time of an ADD
    at the largest number of leases by that at none, and then there are the last free address of a range by the
    first, and the system calls at the largest number of leases less those at none.
    """

    cpu: Mapping[int, Target] = {}
    wall: Mapping[int, Target] = {}
    burst_wall: Mapping[int, Target] = {}
    burst_p99: Mapping[int, Target] = {}
    burst_cpu: Mapping[int, Target] = {}
    growth: float | None = None
    last_to_first: float | None = None
    more_syscalls: int | None = None


TARGETS = {
    "one-shot": Targets(
        cpu={
            0: Target(3, stretch=2),
            110: Target(3, stretch=2),
            1_000: Target(1),
            10_000: Target(1 / 8),
            60_000: Target(1 / 40),
        },
        last_to_first=10,
        more_syscalls=20,
    ),
    "daemon": Targets(
        cpu={0: Target(1 / 4), 110: Target(1 / 4), 1_000: Target(1 / 4)},
        wall={
            0: Target(1 / 5, stretch=1 / 7),
            110: Target(1 / 7, stretch=1 / 10),
            1_000: Target(1 / 20),
            10_000: Target(1 / 150),
            60_000: Target(1 / 700),
        },
        burst_wall={110: Target(1 / 8, stretch=1 / 11), 1_000: Target(1 / 18)},
        burst_p99={110: Target(1 / 6)},
        burst_cpu={110: Target(1 / 4), 1_000: Target(1 / 4)},
        growth=1.3,
    ),
    "sqlite": Targets(
        wall={0: Target(1 / 3, stretch=1 / 4), 1_000: Target(1 / 12), 60_000: Target(1 / 600)},
        burst_wall={110: Target(1 / 8), 1_000: Target(1 / 20)},
    ),
    "sqlite one-shot": Targets(cpu={0: Target(5)}),
    "daemon full": Targets(
        burst_wall={110: Target(1 / 5), 1_000: Target(1 / 12)},
        burst_cpu={110: Target(1 / 4), 1_000: Target(1 / 4)},
    ),
}

COLD_START = 0.3
"""Seconds from the daemon's start to its first answer."""


def most_resident(leases: int) -> float:
    """MiB that the daemon may have where there are so many leases."""
    return 22 + 35 * leases / 60_000


def times(ratio: float) -> str:
    """A ratio as people say it: 2.1 x, or 1/40."""
    return f"{_short(ratio)} x" if ratio >= 0.95 else f"1/{_short(1 / ratio)}"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value < 10 else f"{value:.0f}"
