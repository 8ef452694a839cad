"""`ipam who ADDRESS`: the holder now, or at another time, with pod, node, interval and why it ended."""

from __future__ import annotations

from datetime import datetime

import click

from ipam.address import format_address
from ipam.cli import output, sites
from ipam.cli.output import Column, counted, emit, note
from ipam.cli.rows import ADDRESS, CONTAINER, IFNAME, NAMESPACE, NETWORK, NODE, POD, lease_row
from ipam.inspection.holdings import at, holdings
from ipam.inspection.selection import one_address
from ipam.inspection.times import MOMENTS, format_moment, parse_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.holdings import Holding
    from ipam.inspection.sites import Site
    from ipam.model import Address

NOBODY = 3
"""The exit status where nobody held the address then."""

COLUMNS = (
    NETWORK,
    ADDRESS,
    CONTAINER,
    IFNAME,
    NAMESPACE,
    POD,
    NODE,
    Column("start", format_moment, title="FROM"),
    Column("end", format_moment, title="UNTIL"),
    Column("ended_by", title="ENDED BY"),
    Column("end_note", title="NOTE"),
)


@click.command("who", epilog=f"TIME is like {MOMENTS}. Exit status: {NOBODY} where nobody held it.")
@click.argument("address")
@click.option("--at", "time", metavar="TIME", help="Who held it then, by history.")
@click.option("--network", metavar="NAME", help="In this network alone.")
@sites.options
@output.option
def command(*, address: str, time: str | None, network: str | None, scope: Scope, output: str) -> int:
    """Who holds an address, or held it at some time, and why that ended.

    UNTIL is `-` where the address is held to this day.
    """
    wanted = one_address(address)
    now = datetime.fromtimestamp(scope.host.clock())  # without a zone: summer's offset is not winter's
    moment = parse_moment(time, now) if time is not None else None
    rows, others = [], []
    with scope.sites(network) as found:
        for site in found:
            past = _holdings(site, wanted)
            held = at(past, now.timestamp() if moment is None else moment)
            others += past
            if held is not None:
                rows.append(_row(site, held))
    if rows or output != "table":
        emit(rows, COLUMNS, output)
    if rows:
        return scope.status
    then = now.timestamp() if moment is None else moment
    note(f"nobody held {format_address(wanted)} at {format_moment(then)}{_around(others, then)}")
    return NOBODY


def _holdings(site: Site, address: Address) -> list[Holding]:
    held = [lease for lease in sites.leases_of(site) if lease.address == address]
    return holdings(site.name, counted(site.store.history(site.name, address=address), "reading history"), held)


def _row(site: Site, held: Holding) -> Row:
    return lease_row(site, held.lease) | {
        "start": held.start,
        "cause": held.cause,
        "note": held.note,
        "end": held.end,
        "ended_by": held.ended_by,
        "end_note": held.end_note,
    }


def _around(past: Iterable[Holding], moment: float) -> str:
    """Who held it before and after, in words."""
    before = max((each for each in past if each.end is not None and each.end <= moment), key=_end, default=None)
    after = min((each for each in past if each.start is not None and each.start > moment), key=_start, default=None)
    text = ""
    if before is not None:
        who = before.lease.attachment.container_id
        text += f"; before, {who} until {format_moment(_end(before))} ({before.ended_by or 'not told why'})"
    if after is not None:
        text += f"; after, {after.lease.attachment.container_id} from {format_moment(_start(after))}"
    return text


def _end(held: Holding) -> float:
    return held.end or 0.0


def _start(held: Holding) -> float:
    return held.start or 0.0
