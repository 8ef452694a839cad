"""The frames between launcher and daemon: one call and its answer, as bytes. launcher/launcher.c speaks the same.

A frame is a length (4 bytes, big-endian) and as many bytes, its payload:

    request   protocol (1 byte), then NAME=VALUE NUL for each CNI_ variable, for TRACEPARENT, and for OWN_NETNS where
              that is so; NUL, all of stdin
    reply     protocol (1 byte), exit status (1 byte), length of the text for stderr (4 bytes, big-endian),
              that text, and to the end what goes to stdout

A connection carries one request and one reply. Afterwards the daemon reads on, until the launcher closes:

    end of file   the answer was written to the caller's stdout
    UNDELIVERED   it was not, or the launcher gave up waiting: undo what the call took, then close
    reset         the launcher died before it read the answer: the same

A daemon that does not speak a request's protocol must not do anything, and answers in its own with the exit
status REFUSED. These two, a foreign protocol and REFUSED, and the places of both bytes stay as they are in every
protocol to come: a launcher falls back to the one-shot plugin when it sees them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL = 1
REFUSED = 255
"""The exit status that stands for "I do not speak your protocol, and nothing was done"."""

OWN_NETNS = "IPAM_OWN_NETNS"
"""The variable that a launcher adds where CNI_NETNS is the network namespace that it runs in itself."""

UNDELIVERED = b"U"
"""What a launcher sends after its request, when the caller did not get the answer and never will."""

PREFIX = 4
"""Bytes of a frame that give the length of the rest."""

STDIN_LIMIT = 1 << 20
VARIABLES_LIMIT = 256 << 10
REQUEST_LIMIT = STDIN_LIMIT + VARIABLES_LIMIT
REPLY_LIMIT = 4 << 20
"""Bytes at most: of stdin, of the variables with what frames them, of both payloads."""

_REPLY_HEAD = 6


class FrameError(ValueError):
    """Bytes that are no frame of this protocol, or are longer than one may be."""


def payload_length(prefix: bytes, limit: int) -> int:
    """How many bytes follow the first PREFIX bytes of a frame. Raises FrameError for none, and past `limit`."""
    length = int.from_bytes(prefix[:PREFIX], "big")
    if len(prefix) < PREFIX or not 0 < length <= limit:
        raise FrameError(f"a frame of {length} bytes, where 1 to {limit} are allowed")
    return length


def encode_request(env: Mapping[str, str], stdin: bytes, protocol: int = PROTOCOL) -> bytes:
    """The whole frame for one call. Raises FrameError where it would be too long, or a variable cannot be one."""
    variables = b""
    for name, value in env.items():
        text = f"{name}={value}".encode("utf-8", "surrogateescape")
        if not name or "=" in name or b"\0" in text:
            raise FrameError(f"not an environment variable: {name!r}")
        variables += text + b"\0"
    if len(variables) + 2 > VARIABLES_LIMIT or len(stdin) > STDIN_LIMIT:
        raise FrameError("the request is too long")
    return _frame(bytes([protocol]) + variables + b"\0" + stdin)


def decode_request(payload: bytes) -> tuple[int, dict[str, str], bytes]:
    """The protocol, the variables and stdin of a request's payload.

    Of a protocol other than ours nothing else is known: no variables, no stdin. Bytes that are no UTF-8 become
    surrogates; of variables with one name the first counts, and one without "=" is dropped, as Python does with
    its own. Raises FrameError.
    """
    if len(payload) < 2:
        raise FrameError("a request without protocol or variables")
    if payload[0] != PROTOCOL:
        return payload[0], {}, b""
    end = 1 if payload[1] == 0 else payload.find(b"\0\0", 1) + 1
    if end == 0:
        raise FrameError("the variables of the request do not end")
    text = payload[1:end].decode("utf-8", "surrogateescape")
    variables = [variable.partition("=") for variable in reversed(text.split("\0"))]  # the last one put is the first
    env = {name: value for name, equals, value in variables if equals}
    return PROTOCOL, env, payload[end + 1 :]


def encode_reply(exit_code: int, stdout: bytes, stderr: bytes = b"", protocol: int = PROTOCOL) -> bytes:
    """The whole frame for one answer. Raises FrameError where it would be too long."""
    head = bytes([protocol, exit_code]) + len(stderr).to_bytes(4, "big")
    if len(head) + len(stderr) + len(stdout) > REPLY_LIMIT:
        raise FrameError("the reply is too long")
    return _frame(head + stderr + stdout)


def decode_reply(payload: bytes) -> tuple[int, int, bytes, bytes]:
    """The protocol, the exit status, and what goes to stdout and to stderr, of a reply's payload.

    Of a protocol other than ours nothing but the exit status is known. Raises FrameError.
    """
    if len(payload) < 2:
        raise FrameError("a reply without protocol or exit status")
    protocol, exit_code = payload[:2]
    if protocol != PROTOCOL:
        return protocol, exit_code, b"", b""
    answer = _REPLY_HEAD + int.from_bytes(payload[2:_REPLY_HEAD], "big")
    if len(payload) < answer:
        raise FrameError("a reply that is shorter than it says")
    return protocol, exit_code, payload[answer:], payload[_REPLY_HEAD:answer]


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(PREFIX, "big") + payload
