"""Connections to a PostgreSQL server that may be dead: nobody waits for one longer than he means to."""

from __future__ import annotations

from collections.abc import Generator
from threading import Condition, Thread
from time import monotonic
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up when an answer takes longer than `patience` seconds, and is closed then."""

    patience = float("inf")

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """See Connection. It looks at the clock every time that psycopg looks for signals: ten times a second."""
        try:
            return super().wait(_limited(gen, monotonic() + self.patience), *arguments, **options)
        except psycopg.errors.ConnectionTimeout:
            self.close()
            raise


def _limited(gen: Generator[Any, Any, T], deadline: float) -> Generator[Any, Any, T]:
    try:
        wanted = next(gen)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    while True:
        ready = yield wanted
        if not ready and monotonic() > deadline:
            raise psycopg.errors.ConnectionTimeout("the server does not answer")
        try:
            wanted = gen.send(ready)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


def connect(parameters: dict[str, Any], timeout: float) -> BoundedConnection:
    """A connection made within `timeout` seconds, looking up the server's name included.

    Raises psycopg.OperationalError. What the resolver or the server does after that goes on in a thread of its own.
    """
    return _Attempt(parameters).outcome(timeout)


class _Attempt:
    """One attempt to connect, in a thread. A connection that comes when nobody waits any more is closed."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._changed = Condition()
        self._made: BoundedConnection | BaseException | None = None
        self._is_waited_for = True
        Thread(target=self._connect, args=(parameters,), daemon=True).start()

    def _connect(self, parameters: dict[str, Any]) -> None:
        made: BoundedConnection | BaseException
        try:
            made = BoundedConnection.connect(**parameters)
        except BaseException as error:
            made = error
        with self._changed:
            self._made = made
            self._changed.notify()
            if isinstance(made, BoundedConnection) and not self._is_waited_for:
                made.close()

    def outcome(self, timeout: float) -> BoundedConnection:
        """What came of it, within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._made is not None, timeout)
            self._is_waited_for = False
            made = self._made
        if made is None:
            raise psycopg.errors.ConnectionTimeout("the server does not answer")
        if isinstance(made, BaseException):
            raise made
        return made
