"""Connections to a PostgreSQL server that may be dead: nobody waits for one longer than he means to."""

from __future__ import annotations

from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from threading import Thread
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
    made: SimpleQueue[BoundedConnection | BaseException] = SimpleQueue()
    Thread(target=_put_outcome, args=(made, lambda: BoundedConnection.connect(**parameters)), daemon=True).start()
    try:
        outcome = made.get(timeout=max(0.001, timeout))
    except Empty:
        raise psycopg.errors.ConnectionTimeout("the server does not answer") from None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _put_outcome(queue: SimpleQueue[Any], action: Callable[[], object]) -> None:
    try:
        queue.put(action())
    except BaseException as error:
        queue.put(error)
