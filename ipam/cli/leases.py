"""`ipam leases`: who holds what, since when, in which pod, on which node, from which range set."""

from __future__ import annotations

import gc
import sys
import time

import click

from ipam.cli import output, sites
from ipam.cli.output import emit, end_at_once, is_terminal
from ipam.cli.rows import LEASE, LEASE_MORE, lease_row
from ipam.inspection.selection import ORDERS, Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site


@click.command("leases")
@sites.network_argument
@click.option("--pod", default="", metavar="[NAMESPACE/]NAME", help="Those of this pod, or of a whole NAMESPACE/.")
@click.option("--container", default="", metavar="ID", help="Those of this container; the beginning of its id will do.")
@click.option("--address", default="", metavar="CIDR", help="Those of this address, or in this subnet.")
@click.option("--stale", is_flag=True, help="Those that `ipam gc` finds stale, by the evidence of this moment.")
@click.option("--sort", type=click.Choice(list(ORDERS)), default="address", show_default=True)
@click.option("--watch", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Again and again, until Ctrl-C.")
@sites.options
@output.option
def command(
    *,
    network: str | None,
    pod: str,
    container: str,
    address: str,
    stale: bool,
    sort: str,
    watch: float | None,
    scope: Scope,
    output: str,
) -> int:
    """Who holds which address, since when, in which pod, on which node.

    Of all networks, or of NETWORK. SET is the number of the range set that the address is from.
    """
    wanted = Selection(pod, container, address)
    if watch:
        end_at_once()
    else:
        gc.disable()  # it would look again and again at leases that are all needed until the end
    while True:
        with scope.sites(network) as found:
            if watch and is_terminal(sys.stdout):
                sys.stdout.write("\x1b[H\x1b[J")
            rows = scope.readable(found, lambda site: _rows(site, wanted, sort, scope, stale=stale))
            emit(rows, LEASE, output, LEASE_MORE)
        if not watch:
            return scope.status
        sys.stdout.flush()
        time.sleep(watch)


def _rows(site: Site, wanted: Selection, sort: str, scope: Scope, *, stale: bool) -> Iterator[Row]:
    chosen = sites.leases_of(site)
    if wanted != Selection():
        chosen = [lease for lease in chosen if lease in wanted]
    if stale:
        from ipam.cli.evidence import stale_ones

        chosen = stale_ones(site, chosen, scope.host)
    if sort != "address":
        chosen.sort(key=ORDERS[sort])  # type: ignore[arg-type]
    return (lease_row(site, lease) for lease in chosen)
