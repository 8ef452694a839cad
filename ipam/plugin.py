"""Door 1: one process, one request. What stands in the CNI bin directory ends up in main()."""

from __future__ import annotations

import posix

from ipam import cni, handler
from ipam.errors import CniError, InputOutput, TryAgain, Undecodable
from ipam.jsontext import LIMIT
from ipam.model import Host
from ipam.registry import Stores
from ipam.request import Reply, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STDIN_DEADLINE = 30.0
"""Seconds until all of the config must have come in."""

VERSION_DEADLINE = 0.2
"""The same for VERSION, which answers without it."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_TAKING = ("ADD",)
_PIECE = 1 << 16


def main() -> None:
    """Answer the request in the environment and on stdin, then end the process at once."""
    posix._exit(run())


def run() -> int:
    """The same, but return the exit status."""
    posix.umask(0o077)
    env = environment(posix.environ)
    command = env.get("CNI_COMMAND", "")
    if not _occupy_standard_descriptors() and command in _TAKING:
        return 1  # nobody can be answered: take nothing
    return _deliver(_answer(env, command))


def _answer(env: dict[str, str], command: str) -> Reply:
    try:
        request = Request(env, _read_stdin(command))
        host = this_host()
    except OSError as error:
        failed = InputOutput(f"cannot begin: {error.strerror} ({error.filename or 'stdin'})", "nothing was changed")
        return Reply(1, cni.error_json(cni.NEWEST, failed))
    except CniError as error:
        return Reply(1, cni.error_json(cni.NEWEST, error))
    return handler.handle(request, host, Stores(host))


def environment(variables: Mapping[bytes, bytes]) -> dict[str, str]:
    """The CNI_* variables and TRACEPARENT as text; bytes that are no UTF-8 become surrogates."""
    return {
        name.decode("ascii"): value.decode("utf-8", "surrogateescape")
        for name, value in variables.items()
        if (name.startswith(b"CNI_") or name == b"TRACEPARENT") and name.isascii()
    }


def this_host() -> Host:
    """This node: its name, and the boot id that tells one boot from the next."""
    from time import time

    fd = posix.open("/proc/sys/kernel/random/boot_id", posix.O_RDONLY | posix.O_CLOEXEC)
    boot = posix.read(fd, 64).decode("ascii").strip()
    posix.close(fd)
    return Host(posix.uname().nodename, boot, lambda: round(time(), 6))


def _occupy_standard_descriptors() -> bool:
    """Whether stdout is open. Were one of 0, 1, 2 closed, the next file opened would take its number."""
    closed = []
    for fd in (_STDIN, _STDOUT, _STDERR):
        try:
            posix.fstat(fd)
        except OSError:
            closed.append(fd)
            posix.open("/dev/null", posix.O_RDWR)  # takes the lowest free number: this one
    return _STDOUT not in closed


def _read_stdin(command: str) -> bytes:
    """All of stdin; nothing without a command. VERSION, which needs none, does not wait for it long.

    Raises Undecodable past LIMIT, TryAgain when it stays open too long, OSError.
    """
    if not command:
        return b""
    import _signal  # type: ignore[import-not-found]  # signal itself imports enum

    def expire(_number: int, _frame: object) -> None:
        raise TryAgain(f"stdin was not closed within {STDIN_DEADLINE:g} s", "the caller must send the config")

    deadline = VERSION_DEADLINE if command == "VERSION" else STDIN_DEADLINE
    _signal.signal(_signal.SIGALRM, expire)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM,))  # which a caller may have blocked for us too
    _signal.setitimer(_signal.ITIMER_REAL, deadline)
    data = b""
    try:
        while part := posix.read(_STDIN, _PIECE):
            data += part
            if len(data) > LIMIT:
                raise Undecodable("error unmarshall network config: input is longer than 1 MiB")
    except TryAgain:
        if command != "VERSION":
            raise
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    return data


def _deliver(reply: Reply) -> int:
    """Write the answer; where it cannot be delivered, give back what the call took."""
    said = reply.stderr if reply.log is None else reply.stderr + reply.log[1]
    try:
        _write(_STDERR, said.encode("utf-8", "backslashreplace"))
    except OSError:
        reply.stderr = ""
    try:
        _write(_STDOUT, reply.stdout)
    except OSError as error:
        _give_back(reply, error)
        return 1
    return reply.exit_code


def _give_back(reply: Reply, error: OSError) -> None:
    message = f"the answer could not be delivered: {error}"
    if reply.undo is not None:
        failed = handler.perform(reply.undo).exit_code
        message += f"; what was leased {'could not be' if failed else 'has been'} given back"
    try:
        _write(_STDERR, f"{message}\n".encode())
    except OSError:
        return


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[posix.write(fd, data) :]


if __name__ == "__main__":
    main()
