"""`ipam metrics`: figures for Prometheus, through node_exporter's textfile collector."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ipam.cli import sites

_EPILOG = (
    "Run it from a timer, with -o into the directory that node_exporter was given as --collector.textfile.directory. "
    "The file is replaced at once, and readable for all: it has names of networks, no leases. conf/ has alert rules "
    "and a dashboard for these figures."
)


@click.command("metrics", epilog=_EPILOG)
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to write them, such as /var/lib/node_exporter/ipam.prom.  [default: stdout]",
)  # fmt: skip
@sites.options
def command(*, scope: sites.Scope, path: Path | None) -> int:
    """Figures of this node's stores in Prometheus' text format: leases, room, events, time to exhaustion."""
    from ipam.audit import files
    from ipam.audit.metrics import StoreCollector, exposition

    with scope.sites() as found:
        text = exposition(StoreCollector(found, scope.host.clock(), scope.problems))
    if path is None:
        sys.stdout.write(text.decode())
    else:
        files.write(path, [text], mode=0o644)
    return scope.status
