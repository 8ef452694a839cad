"""The event loop: one thread, epoll, and a backlog that is drained before anything is committed."""

from __future__ import annotations

import _socket
import select
import signal
import socket
from pathlib import Path
from time import monotonic

from ipam import frame, handler
from ipam.config import Configs
from ipam.daemon import systemd
from ipam.daemon.complaints import say
from ipam.daemon.connection import READ_DEADLINE, Connection, Gone, user_of
from ipam.daemon.debts import Debts
from ipam.daemon.executor import Executor
from ipam.daemon.limits import NO_ROOM, room_for_connections
from ipam.daemon.statistics import Statistics, look_at
from ipam.model import Host
from ipam.registry import Stores
from ipam.request import Reply, Request

_SWEEP = 1.0  # seconds between looks at deadlines
_MOST_STORES = 32  # each keeps some ten files open for a network


class Server:
    """Serves a listening socket until told to stop. `uid` is the only user, besides root, who may call."""

    def __init__(self, listener: socket.socket, host: Host, uid: int) -> None:
        self._listener = listener
        self._host = host
        self._allowed = {0, uid}
        self._stores = Stores(host)
        self._configs = Configs()
        self._statistics = Statistics(host.clock())
        self._epoll = select.epoll()
        self._backlog = select.poll()
        self._backlog.register(listener, select.POLLIN)
        self._connections: dict[int, Connection] = {}
        self._most = room_for_connections()
        self._bell, self._ringer = socket.socketpair()
        self._executor = Executor(self._wake, self._statistics.waits.add)
        self._debts = Debts(self._executor, say)
        self._told: set[int] = set()
        self._stopping = self._listening = self._deaf = False
        for sock in (listener, self._bell, self._ringer):
            sock.settimeout(0)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._listen()

    @property
    def observed(self) -> tuple[Statistics, Executor]:
        """What metrics are made of."""
        return self._statistics, self._executor

    def _wake(self) -> None:
        try:
            self._ringer.send(b"!")
        except BlockingIOError:
            return  # it rings already

    def run(self) -> None:
        """Serve. SIGTERM, SIGINT: finish what was begun, return. SIGHUP: open the stores anew. Raises NotSynced."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._told.add(number))
        signal.set_wakeup_fd(self._ringer.fileno(), warn_on_full_buffer=False)
        systemd.notify("READY=1")
        watchdog, pinged, swept = systemd.watchdog_seconds(), 0.0, 0.0
        pause = min(_SWEEP, watchdog / 3) if watchdog else _SWEEP
        while not self._is_done():
            happened = self._epoll.poll(pause)
            if len(happened) > 1:
                happened.sort(key=lambda event: event[0] == self._listener.fileno())  # who came first is heard first
            for fd, events in happened:
                self._event(fd, events)
            self._executor.run()
            self._executor.collect()
            if self._executor.unsynced is not None:  # our successor reads from the disk what there is
                raise self._executor.unsynced
            if self._told:
                self._obey()
            now = monotonic()
            if now - swept >= _SWEEP:
                swept = now
                self._sweep(now)
            if watchdog and now - pinged >= watchdog / 3:
                pinged = now
                systemd.notify("WATCHDOG=1")
        self._stores.close()
        say(self._debts.told())

    def _is_done(self) -> bool:
        if not self._stopping or self._connections or self._executor.unfinished:
            return False
        if self._listening:
            self._accept()  # who was on the way when the socket's name went
        return not self._connections and not self._executor.unfinished

    def _obey(self) -> None:
        """Do what signals have asked for."""
        if signal.SIGHUP in self._told and not self._executor.unfinished:
            self._told.discard(signal.SIGHUP)
            self._open_anew()
        if self._told & {signal.SIGTERM, signal.SIGINT} and not self._stopping:
            self._stopping = True
            systemd.notify("STOPPING=1")
            if systemd.keeps_the_socket():
                self._ignore()  # who calls now waits in the backlog for our successor
                self._deaf = True
            else:
                Path(self._listener.getsockname()).unlink(missing_ok=True)  # who calls now becomes a one-shot
            self._hurry(monotonic() + READ_DEADLINE)

    def _open_anew(self) -> None:
        """Let go of every store; each is opened again when a request needs it. Nothing must be unfinished."""
        self._stores.close()
        self._executor.forget()

    def _hurry(self, latest: float) -> None:
        """A restart waits for work, not for those who hang."""
        for connection in self._connections.values():
            if connection.deadline is not None:
                connection.deadline = min(connection.deadline, latest)

    def _listen(self) -> None:
        if not self._listening and not self._deaf:
            self._listening = True
            self._epoll.register(self._listener, select.EPOLLIN)

    def _ignore(self) -> None:
        if self._listening:
            self._listening = False
            self._epoll.unregister(self._listener)

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
        """Take everyone who waits, so that their requests share a commit; no more than there is room for."""
        while self._listening:
            if len(self._connections) >= self._most:
                self._ignore()
                return
            try:
                fd, _ = self._listener._accept()  # type: ignore[attr-defined]
            except OSError as error:
                if error.errno in NO_ROOM:
                    self._ignore()
                return
            # What socket.accept() makes of it in Python takes as long as all else here.
            sock = _socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd)
            if user_of(sock) not in self._allowed:
                sock.close()
                continue
            connection = Connection(sock)
            self._connections[fd] = connection
            self._advance(connection, select.EPOLLIN)
            if not self._backlog.poll(0):  # which is quicker than to be refused
                return

    def _advance(self, connection: Connection, events: int) -> None:
        """Do the next thing that a connection allows: read, send, or see how it ends."""
        if connection.waits:
            self._watch(connection, 0)  # has_left() tells what became of it when the answer is there
            return
        try:
            if connection.reply is None:
                request = connection.read_request()
                if request is None:
                    self._watch(connection, select.EPOLLIN)
                    return
                self._begin(connection, *request)  # nothing need be watched until it is answered
            else:
                if events & select.EPOLLOUT:
                    self._send(connection)
                if connection.leaves():
                    self._close(connection)
        except (Gone, frame.FrameError):
            self._give_up(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.watched:
            return
        try:
            if not events:
                self._epoll.unregister(connection.socket)
            elif connection.watched:
                self._epoll.modify(connection.socket, events)
            else:
                self._epoll.register(connection.socket, events)
        except OSError:  # the kernel has no room for one more: the next sweep lets go of it
            connection.deadline = 0.0
        else:
            connection.watched = events

    def _begin(self, connection: Connection, protocol: int, request: Request) -> None:
        if protocol != frame.PROTOCOL:
            connection.answer(Reply(frame.REFUSED))
            self._send(connection)
            return
        if request.env.get("IPAM_QUERY") == "status":
            self._tell_status(connection)
            return
        command = request.env.get("CNI_COMMAND", "")
        if command == "STATUS":  # asks the store how it is, and a server may be slow to say so
            self._executor.submit_aside(
                request.stdin,
                lambda: handler.handle(request, self._host, self._stores),
                lambda reply: self._finish(connection, command, reply),
            )
            return
        work = handler.prepare(request, self._host, self._stores, self._configs.get)
        if isinstance(work, Reply):
            self._finish(connection, command, work)
        else:
            self._executor.submit(work, lambda reply: self._finish(connection, command, reply))

    def _finish(self, connection: Connection, command: str, reply: Reply) -> None:
        seconds = monotonic() - connection.started
        self._answer(connection, reply)
        self._statistics.count(command, reply, seconds)
        if reply.exit_code and reply.stderr:
            say(reply.stderr)
        if reply.log is not None:
            say(systemd.urgency(reply.log[0]) + reply.log[1])

    def _tell_status(self, connection: Connection) -> None:
        """Answer `ipam status`."""
        stores = self._stores.opened()
        health: dict[str, str] = {}

        def look() -> Reply:
            health.update(look_at(stores))
            return Reply(0)

        def tell(_: Reply) -> None:
            self._answer(connection, Reply(0, self._statistics.to_json(health)))

        self._executor.submit_aside("status", look, tell)

    def _answer(self, connection: Connection, reply: Reply) -> None:
        try:
            if connection.has_left():
                connection.reply = reply
                raise Gone
            connection.answer(reply)
            self._send(connection)
        except (Gone, frame.FrameError):
            self._give_up(connection)

    def _send(self, connection: Connection) -> None:
        left = connection.send()
        self._watch(connection, select.EPOLLIN | select.EPOLLOUT if left else select.EPOLLIN)

    def _give_up(self, connection: Connection) -> None:
        """Nobody got the answer: what the call took is given back, and then the launcher sees that we close."""
        reply = connection.reply
        if reply is None or reply.undo is None:
            self._close(connection)
            return
        undo, reply.undo, connection.deadline = reply.undo, None, None
        self._watch(connection, 0)
        self._debts.give_back(undo, lambda: self._close(connection))
        self._wake()

    def _close(self, connection: Connection) -> None:
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
        self._listen()  # there is room again

    def _sweep(self, now: float) -> None:
        """Let go of those who hang: half a request, or an answer that nobody takes."""
        for connection in list(self._connections.values()):
            if connection.deadline is not None and now > connection.deadline:
                if connection.answered:
                    self._close(connection)
                else:
                    self._give_up(connection)
        self._listen()
        if not self._stopping:
            self._debts.try_again()
        if not self._connections and not self._executor.unfinished:
            self._stores.tidy()
            if len(self._stores.opened()) > _MOST_STORES:
                self._open_anew()
