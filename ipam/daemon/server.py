"""The event loop: one thread, epoll, and a backlog that is drained before anything is committed."""

from __future__ import annotations

import select
import signal
import socket
import struct
import sys
from time import monotonic

from ipam import frame, handler
from ipam.daemon import systemd
from ipam.daemon.connection import Connection, Gone
from ipam.daemon.executor import Executor
from ipam.daemon.statistics import Statistics
from ipam.model import Host
from ipam.registry import Stores
from ipam.request import Reply, Request

MOST_CONNECTIONS = 4096
_SWEEP = 1.0  # seconds between looks at deadlines
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED, unix(7)


class Server:
    """Serves a listening socket until told to stop. `uid` is the only user, besides root, who may call."""

    def __init__(self, listener: socket.socket, host: Host, uid: int) -> None:
        self._listener = listener
        self._host = host
        self._allowed = {0, uid}
        self._stores = Stores(host)
        self._statistics = Statistics(host.clock())
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._bell, self._ringer = socket.socketpair()
        self._executor = Executor(self._wake)
        self._stopping = False
        self._reopen = False
        for sock in (listener, self._bell, self._ringer):
            sock.settimeout(0)
        self._epoll.register(listener, select.EPOLLIN)
        self._epoll.register(self._bell, select.EPOLLIN)

    def _wake(self) -> None:
        try:
            self._ringer.send(b"!")
        except BlockingIOError:
            return  # it rings already

    def run(self) -> None:
        """Serve. SIGTERM and SIGINT: finish what was begun, then return. SIGHUP: open the stores anew."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        signal.signal(signal.SIGINT, lambda *_: self._stop())
        signal.signal(signal.SIGHUP, lambda *_: self._open_anew())
        signal.set_wakeup_fd(self._ringer.fileno(), warn_on_full_buffer=False)
        systemd.notify("READY=1")
        watchdog, pinged, swept = systemd.watchdog_seconds(), 0.0, 0.0
        pause = min(_SWEEP, watchdog / 3) if watchdog else _SWEEP
        while not self._stopping or self._connections or self._executor.unfinished:
            for fd, events in self._epoll.poll(pause):
                self._event(fd, events)
            self._executor.run()
            self._executor.collect()
            if self._reopen and not self._executor.unfinished:
                self._reopen = False
                self._stores.close()
            now = monotonic()
            if now - swept >= _SWEEP:
                swept = now
                self._sweep(now)
            if watchdog and now - pinged >= watchdog / 3:
                pinged = now
                systemd.notify("WATCHDOG=1")
        systemd.notify("STOPPING=1")
        self._stores.close()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._epoll.unregister(self._listener)  # who calls now waits in the backlog for our successor

    def _open_anew(self) -> None:
        self._reopen = True

    def _event(self, fd: int, events: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        elif fd == self._bell.fileno():
            try:
                while self._bell.recv(4096):
                    pass
            except BlockingIOError:
                return
        elif fd in self._connections:
            self._advance(self._connections[fd], events)

    def _accept(self) -> None:
        """Take everyone who waits, so that their requests share a commit."""
        while not self._stopping and len(self._connections) < MOST_CONNECTIONS:
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            sock.settimeout(0)
            pid, uid, _gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid not in self._allowed:
                sock.close()
                continue
            connection = Connection(sock, pid)
            self._connections[sock.fileno()] = connection
            self._advance(connection, select.EPOLLIN)

    def _advance(self, connection: Connection, events: int) -> None:
        """Do the next thing that a connection allows: read, send, or see how it ends."""
        try:
            if connection.reply is None:
                request = connection.read_request()
                if request is None:
                    self._watch(connection, select.EPOLLIN)
                    return
                # Not watched while it waits for us: has_left() tells whether it went when the answer is there.
                self._watch(connection, 0)
                self._begin(connection, *request)
            else:
                if events & select.EPOLLOUT:
                    self._send(connection)
                if connection.leaves():
                    self._drop(connection)
        except (Gone, frame.FrameError):
            self._drop(connection, delivered=False)

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.watched:
            return
        if not events:
            self._epoll.unregister(connection.socket)
        elif connection.watched:
            self._epoll.modify(connection.socket, events)
        else:
            self._epoll.register(connection.socket, events)
        connection.watched = events

    def _begin(self, connection: Connection, protocol: int, request: Request) -> None:
        if protocol != frame.PROTOCOL:
            connection.answer(Reply(frame.REFUSED))
            self._send(connection)
            return
        if request.env.get("IPAM_QUERY") == "status":
            connection.answer(Reply(0, self._statistics.to_json(self._stores)))
            self._send(connection)
            return
        work = handler.prepare(request, self._host, self._stores)
        command = request.env.get("CNI_COMMAND", "")
        if isinstance(work, Reply):
            self._finish(connection, command, work)
        else:
            self._executor.submit(work, lambda reply: self._finish(connection, command, reply))

    def _finish(self, connection: Connection, command: str, reply: Reply) -> None:
        self._statistics.count(command, reply, monotonic() - connection.started)
        if reply.stderr:
            sys.stderr.write(reply.stderr)
        try:
            if connection.has_left():
                connection.reply = reply
                raise Gone
            connection.answer(reply)
            self._send(connection)
        except (Gone, frame.FrameError):
            self._drop(connection, delivered=False)

    def _send(self, connection: Connection) -> None:
        left = connection.send()
        self._watch(connection, select.EPOLLIN | select.EPOLLOUT if left else select.EPOLLIN)

    def _drop(self, connection: Connection, *, delivered: bool = True) -> None:
        """Close a connection; what its call took is given back where the answer was not delivered."""
        self._connections.pop(connection.socket.fileno(), None)
        connection.socket.close()
        reply = connection.reply
        if not delivered and reply is not None and reply.undo is not None:
            undo, reply.undo = reply.undo, None
            self._executor.submit(undo, lambda _reply: None)
            self._wake()

    def _sweep(self, now: float) -> None:
        """Let go of those who hang: half a request, or an answer that nobody takes."""
        for connection in list(self._connections.values()):
            if connection.deadline is not None and now > connection.deadline:
                self._drop(connection, delivered=connection.answered)
