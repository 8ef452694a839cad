"""`ipam serve`: the daemon, on a socket of its own or on the one that systemd hands over."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import click

from ipam.daemon import systemd
from ipam.daemon.server import Server
from ipam.plugin import this_host

DEFAULT_SOCKET = "/run/ipam/ipam.sock"
_BACKLOG = 4096


@click.command("serve")
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), default=DEFAULT_SOCKET, metavar="PATH", show_default=True
)
def command(*, path: Path) -> None:
    """Run the daemon behind the launcher.

    Until SIGTERM.
    """
    os.umask(0o077)
    given = systemd.listener()
    if given is not None:
        Server(given, this_host(), os.geteuid()).run()
        return
    from filelock import FileLock, Timeout

    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another daemon serves {path}; see `ipam status`") from None
    _make_room(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
        try:
            Server(listener, this_host(), os.geteuid()).run()
        finally:
            path.unlink(missing_ok=True)
            lock.release()


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
