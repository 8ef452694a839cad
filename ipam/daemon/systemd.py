"""What systemd expects of a service: sockets handed over, readiness and a watchdog told. See sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket

_FIRST_FD = 3


def keeps_the_socket() -> bool:
    """Whether systemd opened a socket for us (LISTEN_FDS), which will be there for our successor."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS", "0") != "0"


def listener() -> socket.socket | None:
    """The socket that systemd opened for us, None where it did not."""
    if not keeps_the_socket():
        return None
    os.set_inheritable(_FIRST_FD, False)  # noqa: FBT003 - takes no keyword
    return socket.socket(fileno=_FIRST_FD)


def notify(state: str) -> None:
    """Tell systemd (NOTIFY_SOCKET); does nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(state.encode(), socket.MSG_DONTWAIT, address)
    except OSError:
        return  # a manager that cannot be told, for want of a descriptor too, must not end the service


def urgency(number: int) -> str:
    """What to begin a log line with, so that journald knows how urgent it is (sd-daemon(3)); nothing elsewhere."""
    return f"<{number}>" if "JOURNAL_STREAM" in os.environ else ""


def watchdog_seconds() -> float:
    """How often systemd wants to hear of us at the least (WATCHDOG_USEC); 0 where it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
