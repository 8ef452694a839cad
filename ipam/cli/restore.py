"""`ipam restore ADDRESS`: bring back a lease that an operator or gc took away."""

from __future__ import annotations

import click

from ipam.address import format_address
from ipam.allocator import holder_text
from ipam.cli import sites
from ipam.cli.evidence import operator
from ipam.cli.output import say
from ipam.cli.steadfast import to_the_end
from ipam.inspection.restoring import last_released, restore
from ipam.inspection.selection import one_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.cli.sites import Scope


@click.command("restore")
@click.argument("address")
@sites.network_option("In this network; needed where history of several knows the address.")
@click.option("--reason", default="", help="Goes into history, after who did it.")
@sites.options
def command(*, address: str, network: str | None, reason: str, scope: Scope) -> int:
    """Bring back a lease that an operator or gc took away.

    Works as long as nobody else has the address: for that reason it rests for a while after a release.
    """
    to_the_end()
    wanted = one_address(address)
    with scope.sites(network) as found:
        pasts = [(site, list(site.store.history(site.name, address=wanted))) for site in found]
        known = [(site, past) for site, past in pasts if past] or pasts[:1]
        if len(known) > 1:
            names = ", ".join(site.name for site, _ in known)
            raise ValueError(f"{address} was leased on several networks ({names}): say which by --network")
        if not known:
            raise ValueError("there are no networks here: see --conf-dir and --store")
        ((site, past),) = known
        lease = last_released(wanted, past)
        site.store.transact(site.name, lambda tx: restore(tx, lease, operator(reason)))
        say(f"restored {format_address(wanted)} on {site.name} to {holder_text(lease)}")
    return 0
