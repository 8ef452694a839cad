"""What `ipam status` tells of a daemon: since when, how many requests of each kind, how long they took."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Mapping

from ipam import __version__, cni, frame, jsontext
from ipam.errors import CniError
from ipam.request import Reply
from ipam.store import Store

_REMEMBERED = 2048
_QUANTILES = (0.5, 0.9, 0.99)

BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper ends of the classes of durations, in seconds; one more class has no end."""


class Durations:
    """How many durations were in each class, and their sum."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def read(self) -> tuple[list[int], float]:
        """The counts by class, and the sum."""
        return list(self._counts), self._sum


class Statistics:
    """Counts since the start; times of the last requests of each command."""

    def __init__(self, now: float) -> None:
        self.since = now
        self.requests: Counter[tuple[str, str]] = Counter()
        self.waits = Durations()
        self._seconds: dict[str, deque[float]] = {}
        self._durations: dict[str, Durations] = {}

    def count(self, command: str, reply: Reply, seconds: float) -> None:
        """Note an answered request. What callers make up instead of a command counts as one and the same."""
        command = command if command in cni.REQUIRED else "other"
        result = "ok" if reply.exit_code == 0 else _code(reply)
        self.requests[command, result] += 1
        if command not in self._seconds:
            self._seconds[command], self._durations[command] = deque(maxlen=_REMEMBERED), Durations()
        self._seconds[command].append(seconds)
        self._durations[command].add(seconds)

    def latencies(self) -> dict[str, tuple[list[int], float]]:
        """The durations of each command's requests: counts by class, and their sum."""
        return {command: durations.read() for command, durations in self._durations.copy().items()}

    def to_json(self, health: Mapping[str, str]) -> bytes:
        """Everything, as one JSON object; `health` is what look_at() found."""
        status = {
            "version": __version__,
            "protocol": frame.PROTOCOL,
            "pid": os.getpid(),
            "since": self.since,
            "requests": {f"{command} {result}": number for (command, result), number in sorted(self.requests.items())},
            "seconds": {command: _quantiles(list(times)) for command, times in sorted(self._seconds.items())},
            "stores": dict(health),
        }
        return jsontext.to_bytes(jsontext.pretty(status))


def look_at(stores: Iterable[tuple[str, Store]]) -> dict[str, str]:
    """How each store is, by its URL. May take as long as a server that does not answer."""
    health = {}
    for url, store in stores:
        try:
            store.check()
            health[url] = "ok"
        except CniError as error:
            health[url] = f"{error.msg}; {error.details}"
        except Exception as error:  # a store of somebody else's: others' health is to be told all the same
            health[url] = f"{type(error).__name__}: {error}"
    return health


def _code(reply: Reply) -> str:
    value = jsontext.decode(reply.stdout)
    return f"error {value.get('code')}" if isinstance(value, dict) else "error"


def _quantiles(times: list[float]) -> dict[str, float]:
    times.sort()
    return {f"p{quantile * 100:g}": round(times[int(quantile * (len(times) - 1))], 6) for quantile in _QUANTILES}
