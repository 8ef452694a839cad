"""A daemon that does what a test tells it: a unix socket, one thread, one function for each connection."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from ipam import frame

PATIENCE = 60.0
"""Seconds after which a test is stuck."""


class Caller:
    """One connection, seen from the daemon."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self.connection = connection

    def payload(self) -> bytes:
        """The request's payload; empty where the launcher closed without one."""
        prefix = self._exactly(frame.PREFIX)
        return self._exactly(frame.payload_length(prefix, frame.REQUEST_LIMIT)) if prefix else b""

    def request(self) -> tuple[int, dict[str, str], bytes]:
        """The protocol, the variables and stdin."""
        return frame.decode_request(self.payload())

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def farewell(self) -> bytes:
        """What a real daemon waits for after its answer: the end of the connection, or UNDELIVERED."""
        return self.connection.recv(1)

    def rest(self) -> bytes:
        """What the launcher sent after its request, until it closed."""
        data = b""
        while part := self.connection.recv(1 << 16):
            data += part
        return data

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length and (part := self.connection.recv(length - len(data))):
            data += part
        return data


class Daemon:
    """Listens within `with`; `behave` is called for each connection, which is closed when it returns.

    What `behave` returns is kept in `seen`; what it raises is raised at the end of the `with`.
    """

    def __init__(self, path: Path, behave: Callable[[Caller], object], *, backlog: int = 64) -> None:
        self.seen: list[Any] = []
        self._behave = behave
        self._failure: BaseException | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen(backlog)
        self._path = path
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Daemon":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(self._path))
        self._thread.join(PATIENCE)
        self._socket.close()
        self._path.unlink()
        if self._failure is not None and error is None:
            raise self._failure

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if peer_of(connection) == os.getpid():
                    return  # it is the last, from __exit__; those before it have been served
                try:
                    self.seen.append(self._behave(Caller(connection)))
                except Exception as error:
                    self._failure = error


def peer_of(connection: socket.socket) -> int:
    """The process that connected."""
    return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)


def answering(reply: bytes) -> Callable[[Caller], object]:
    """A daemon's behaviour: read the request, send `reply`; what it saw is the request and what came after it."""

    def behave(caller: Caller) -> tuple[tuple[int, dict[str, str], bytes], bytes]:
        request = caller.request()
        caller.send(reply)
        return request, caller.farewell()

    return behave
