"""`ipam networks`: which networks there are, where their leases lie, and which config describes them."""

from __future__ import annotations

import click

from ipam.allocator import set_text
from ipam.cli import output, sites
from ipam.cli.output import Column, emit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site

COLUMNS = (
    Column("network"),
    Column("leases", right=True),
    Column("ranges", "; ".join),
    Column("store"),
    Column("config"),
)


@click.command("networks")
@sites.options
@output.option
def command(*, scope: Scope, output: str) -> int:
    """The networks of this host: leases, ranges, store and config of each.

    RANGES is `-` where no config in --conf-dir tells them.
    """
    with scope.sites() as found:
        emit(scope.readable(found, lambda site: [_row(site)]), COLUMNS, output)
    return scope.status


def _row(site: Site) -> Row:
    return {
        "network": site.name,
        "leases": len(sites.leases_of(site)),
        "ranges": [set_text(range_set) for range_set in site.network.range_sets] if site.network else None,
        "store": site.url,
        "config": str(site.path) if site.path else None,
    }
