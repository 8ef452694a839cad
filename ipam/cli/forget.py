"""`ipam forget`: history that is old enough goes, in any store."""

from __future__ import annotations

import click

from ipam.cli import sites
from ipam.cli.output import number, say
from ipam.cli.steadfast import to_the_end
from ipam.inspection.times import format_moment, parse_duration


@click.command("forget")
@click.option("--older-than", "age", required=True, metavar="DURATION", help="Such as 90d: what is older goes.")
@sites.network_option("Of this network alone.")
@sites.options
def command(*, scope: sites.Scope, age: str, network: str | None) -> int:
    """Remove old events from history; claims of leases still held stay.

    For a timer, where `historyKeep` does not see to it: databases, and limits of the operator's own.
    """
    to_the_end()
    before = scope.host.clock() - parse_duration(age)
    with scope.sites(network) as found:
        for site in found:
            count = site.store.forget(site.name, before)
            say(f"{site.name}: {number(count, 'event')} from before {format_moment(before)} forgotten")
    return scope.status
