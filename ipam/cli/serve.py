"""`ipam serve`: becomes the daemon."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

DEFAULT_SOCKET = "/run/ipam/ipam.sock"


@click.command("serve")
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), default=DEFAULT_SOCKET, metavar="PATH", show_default=True
)
@click.option(
    "--metrics", metavar="ADDRESS", default="",
    help="Serve /metrics for Prometheus at 127.0.0.1:9753, [::1]:9753, or the path of a socket.  [default: nowhere]",
)  # fmt: skip
def command(*, path: Path, metrics: str) -> None:
    """Run the daemon behind the launcher.

    It stays in the foreground until SIGTERM; SIGHUP makes it open the stores anew.
    """
    # In this process's place: for as long as the daemon runs, it would have the command line's modules in memory.
    lean = "-I" if sys.flags.isolated else "-P"
    daemon = [sys.executable, lean, "-m", "ipam.daemon", str(path), metrics]
    os.execv(sys.executable, daemon)  # noqa: S606 - no shell is wanted
