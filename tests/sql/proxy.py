"""Stands between a store and its server, and loses what a test wants lost."""

import select
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT"
_PIECE = 1 << 16

PASS = "pass"
FREEZE = "freeze"
LOSE_COMMIT = "lose the commit"
LOSE_ANSWER = "lose its answer"


class Proxy:
    """A server at a unix socket in `directory`, within `with`, which passes on what it gets, as `mode` has it.

    What `mode` loses, it loses once: then it is PASS again. `lost` is called before that.
    """

    def __init__(self, directory: Path, server: Path) -> None:
        self.mode = PASS
        self.lost: Callable[[], object] = lambda: None
        self._server = str(server / SOCKET)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(directory / SOCKET))
        self._listener.listen(64)
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for each in [self._listener, *self._sockets]:
            _shut(each)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._sockets += [client, server]
                server.connect(self._server)
            except OSError:
                return
            Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    data = end.recv(_PIECE)
                    if self.mode == FREEZE:
                        return  # and answer nobody, ever
                    if not data or (end is client and _COMMIT in data and self._loses(data, server)):
                        raise ConnectionAbortedError
                    (server if end is client else client).sendall(data)
        except (OSError, ValueError):
            _shut(client)
            _shut(server)

    def _loses(self, data: bytes, server: socket.socket) -> bool:
        mode = self.mode
        if mode not in {LOSE_COMMIT, LOSE_ANSWER}:
            return False
        self.mode = PASS
        if mode == LOSE_ANSWER:
            server.sendall(data)
            server.recv(_PIECE)
        self.lost()
        return True


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
