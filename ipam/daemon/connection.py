"""One launcher's connection: its request comes in, its answer goes out, and what became of the answer."""

from __future__ import annotations

import _socket
import socket
import struct
from time import monotonic

from ipam import frame
from ipam.request import Reply, Request

SILENCE_DEADLINE = 35.0
"""Seconds until a request begins: a launcher connects first, and may wait 30 s for its own stdin."""

READ_DEADLINE = 5.0
"""Seconds for the rest of the request to come in."""

LINGER_DEADLINE = 125.0
"""Seconds for a launcher to take its answer and close: its own deadline, after which it says UNDELIVERED, is 120 s."""

_PIECE = 1 << 16
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED, unix(7)


class Gone(Exception):
    """The launcher is not there any more, or said nothing sensible: nothing can be answered."""


def user_of(sock: _socket.socket) -> int:
    """The user whose process connected."""
    _pid, uid, _gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


class Connection:
    """`deadline` (monotonic seconds) moves with the state: silent, reading, waiting for us (none), leaving.

    `started` is when the whole request was here, `watched` are the epoll events that it is registered for.
    """

    __slots__ = ("_gave_up", "_in", "_out", "answered", "deadline", "reply", "socket", "started", "watched")

    def __init__(self, sock: _socket.socket) -> None:
        self.socket = sock
        self.started = monotonic()
        self.deadline: float | None = self.started + SILENCE_DEADLINE
        self.reply: Reply | None = None
        self.answered = False
        self.watched = 0
        self._gave_up = False
        self._in = b""
        self._out = b""

    def read_request(self) -> tuple[int, Request] | None:
        """(protocol, request) once all of it is here, None before. Raises Gone, FrameError."""
        while True:
            try:
                data = self.socket.recv(_PIECE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except OSError as error:
                raise Gone from error
            if not data:
                raise Gone
            if not self._in:
                self.deadline = monotonic() + READ_DEADLINE
            self._in += data
            if len(self._in) < frame.PREFIX:
                continue
            end = frame.PREFIX + frame.payload_length(self._in, frame.REQUEST_LIMIT)
            if len(self._in) >= end:
                payload, rest, self._in = self._in[frame.PREFIX : end], self._in[end:], b""
                self._gave_up = rest.startswith(frame.UNDELIVERED)
                protocol, env, stdin = frame.decode_request(payload)
                self.started, self.deadline = monotonic(), None
                return protocol, Request(env, stdin, own_netns=frame.OWN_NETNS in env)

    @property
    def waits(self) -> bool:
        """Whether the next step is ours: its request is being worked on, or given back."""
        return self.deadline is None

    def has_left(self) -> bool:
        """Whether the launcher closed its end, or said that nobody waits, before it was answered."""
        try:
            return self._gave_up or self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) in (
                b"",
                frame.UNDELIVERED,
            )
        except BlockingIOError:
            return False
        except OSError:
            return True

    def answer(self, reply: Reply, protocol: int = frame.PROTOCOL) -> None:
        """Have the answer sent: by send()."""
        self.reply = reply
        stderr = reply.stderr.encode("utf-8", "backslashreplace")
        self._out = frame.encode_reply(reply.exit_code, reply.stdout, stderr, protocol)
        self.deadline = monotonic() + LINGER_DEADLINE

    def send(self) -> bool:
        """Send what can be sent now; whether something is left. Raises Gone."""
        try:
            while self._out:
                self._out = self._out[self.socket.send(self._out, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            return True
        except OSError as error:
            raise Gone from error
        self.answered = True
        return False

    def leaves(self) -> bool:
        """Whether the launcher took its answer and closed; False while it has not. Raises Gone: undelivered."""
        try:
            data = self.socket.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Gone from error
        if data.startswith(frame.UNDELIVERED) or (not data and not self.answered):
            raise Gone
        return not data
