"""`ipam check`: is the store consistent with itself and with the config? Mends what needs no guessing, if told to."""

from __future__ import annotations

import sys

import click

from ipam.cli import output, sites
from ipam.cli.output import Column, emit, is_terminal, note, number, say, waiting
from ipam.cli.steadfast import to_the_end
from ipam.inspection.consistency import findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site
    from ipam.store import Finding

FOUND = 3
"""The exit status where something is wrong, and still is."""

COLUMNS = (Column("network"), Column("code", style=lambda _: "yellow"), Column("found"), Column("remedy"))


@click.command("check", epilog=f"Exit status: 0 where all is well, {FOUND} where something is wrong and still is.")
@sites.network_argument
@click.option("--repair", is_flag=True, help="Mend what can be mended without guessing who holds what.")
@sites.options
@output.option
def command(*, network: str | None, repair: bool, scope: Scope, output: str) -> int:
    """Find what is wrong with the leases: damaged records, leases that cannot be.

    Unreadable and empty lease files, index, bitmaps and history that disagree with them, leases outside of the
    ranges, leased gateways, and attachments with two leases of one range set.
    """
    if repair:
        to_the_end()
    with scope.sites(network) as found:
        rows = list(scope.readable(found, lambda site: _checked(site, repair=repair)))
    if not rows and output == "table" and not scope.status and is_terminal(sys.stdout):
        say(f"nothing was found wrong in {number(len(found), 'network')}")
    if rows or output != "table":
        emit(rows, COLUMNS, output, (Column("store"),))
    return FOUND if rows else scope.status


def _checked(site: Site, *, repair: bool) -> list[Row]:
    before = _findings(site)
    if repair and site.store.audit(site.name) and site.store.repair(site.name):
        after = _findings(site)
        for code, what, _ in before:
            if (code, what) not in {(each[0], each[1]) for each in after}:
                note(f"mended on {site.name}: {code}: {what}")
        before = after
    return [_row(site, finding) for finding in before]


def _findings(site: Site) -> list[Finding]:
    leases = sites.leases_of(site)
    with waiting(f"checking {site.name}"):
        return [*site.store.audit(site.name), *findings(leases, site.network)]


def _row(site: Site, finding: Finding) -> Row:
    code, what, remedy = finding
    return {"network": site.name, "code": code, "found": what, "remedy": remedy, "store": site.url}
