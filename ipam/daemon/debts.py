"""Leases that nobody was told of: they are given back, and where that fails, again and again until it is done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ipam import jsontext
from ipam.daemon.executor import Executor
from ipam.request import Reply, Work


class Debts:
    """What is still to be given back."""

    def __init__(self, executor: Executor, log: Callable[[str], None]) -> None:
        """`log` is told, a line each, what could not be given back at once."""
        self._executor = executor
        self._log = log
        self._owed: list[Work] = []

    def give_back(self, undo: Work, done: Callable[[], None]) -> None:
        """Have `undo` done at the executor's next run(), and call `done`; where it fails, it waits for try_again()."""

        def look(reply: Reply) -> None:
            if reply.exit_code:
                why = _reason(reply)
                self._log(f"network {undo.network}: what nobody was told of could not be given back: {why}\n")
            self._look(undo, reply)
            done()

        self._executor.submit(undo, look)

    def try_again(self) -> None:
        """Do so with all that failed before."""
        owed, self._owed = self._owed, []
        for undo in owed:
            self._executor.submit(undo, partial(self._look, undo))

    def _look(self, undo: Work, reply: Reply) -> None:
        if reply.exit_code:
            self._owed.append(undo)

    def told(self) -> str:
        """What is left, in a line for who has to look after it now; empty where nothing is."""
        names = sorted({undo.network for undo in self._owed})
        return f"not given back, see `ipam gc`: leases on {', '.join(names)} that nobody was told of\n" if names else ""


def _reason(reply: Reply) -> str:
    error = jsontext.decode(reply.stdout)
    return str(error.get("msg")) if isinstance(error, dict) else ""
