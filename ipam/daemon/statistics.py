"""What `ipam status` tells of a daemon: since when, how many requests of each kind, how long they took."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Mapping

from ipam import __version__, cni, frame, jsontext
from ipam.errors import CniError
from ipam.request import Reply
from ipam.store import Store

_REMEMBERED = 2048
_QUANTILES = (0.5, 0.9, 0.99)


class Statistics:
    """Counts since the start; times of the last requests of each command."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._requests: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, deque[float]] = {}

    def count(self, command: str, reply: Reply, seconds: float) -> None:
        """Note an answered request. What callers make up instead of a command counts as one and the same."""
        command = command if command in cni.REQUIRED else "other"
        result = "ok" if reply.exit_code == 0 else _code(reply)
        self._requests[command, result] += 1
        self._seconds.setdefault(command, deque(maxlen=_REMEMBERED)).append(seconds)

    def to_json(self, health: Mapping[str, str]) -> bytes:
        """Everything, as one JSON object; `health` is what look_at() found."""
        status = {
            "version": __version__,
            "protocol": frame.PROTOCOL,
            "pid": os.getpid(),
            "since": self._since,
            "requests": {f"{command} {result}": number for (command, result), number in sorted(self._requests.items())},
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
