"""The daemon's process: on a socket of its own, or on the one that systemd hands over."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from ipam.daemon import systemd
from ipam.daemon.server import Server
from ipam.errors import CniError
from ipam.inspection.mistakes import Mistake
from ipam.plugin import this_host

CALLED_WRONGLY = 2
_BACKLOG = 4096


def main(arguments: list[str]) -> None:
    """Serve on the socket of that path until SIGTERM; metrics at the second argument, where there is one."""
    try:
        _serve(Path(arguments[0]), *arguments[1:2])
    except (CniError, OSError, ValueError) as error:
        details = getattr(error, "details", "")
        sys.stderr.write(f"ipam serve: {error}" + (f"; {details}" if details else "") + "\n")
        sys.exit(CALLED_WRONGLY if isinstance(error, Mistake) else 1)


def _serve(path: Path, metrics: str = "") -> None:
    os.umask(0o077)
    given = systemd.listener()
    if given is not None:
        _run(given, metrics)
        return
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _only_daemon_at(path):
        _make_room(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(_BACKLOG)
            try:
                _run(listener, metrics)
            finally:
                path.unlink(missing_ok=True)


def _run(listener: socket.socket, address: str) -> None:
    host = this_host()
    server = Server(listener, host, os.geteuid())
    if address:
        try:
            from ipam.daemon import metrics
        except ModuleNotFoundError as error:
            raise ValueError(f"--metrics needs {error.name}: {sys.prefix}/bin/pip install 'ipam-cni[audit]'") from None
        metrics.start(address, metrics.Figures(metrics.DaemonCollector(*server.observed), host).text)
    server.run()


@contextmanager
def _only_daemon_at(path: Path) -> Iterator[None]:
    """The same lock that filelock would take, without the 7 MiB that its import costs as long as the daemon runs."""
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another daemon serves {path}; see `ipam status`") from None
        yield
    finally:
        os.close(fd)


def _make_room(path: Path) -> None:
    """Remove a socket that a killed daemon left, and nothing else.

    Systemd's own socket has no lock file of ours: whoever answers there is not to be pushed out.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        try:
            other.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:  # also where no socket stands
            if not path.is_socket():
                raise ValueError(f"{path} is no socket; remove it, or serve another --socket") from None
            path.unlink(missing_ok=True)
            return
    raise ValueError(f"somebody listens at {path} already (ipam.socket?); see `ipam status`")


if __name__ == "__main__":
    main(sys.argv[1:])
