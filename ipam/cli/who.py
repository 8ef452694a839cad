"""`ipam who ADDRESS`: the holder now, or at another time, with pod, node, interval and why it ended."""

from __future__ import annotations

from datetime import datetime

import click

from ipam.address import format_address
from ipam.allocator import holder_text
from ipam.cli import output, sites
from ipam.cli.output import Column, counted, emit, note
from ipam.cli.rows import (
    ADDRESS,
    CONTAINER,
    IFNAME,
    LEASE_MORE,
    NAMESPACE,
    NETWORK,
    NODE,
    POD,
    RANGE_SET,
    SINCE,
    lease_row,
)
from ipam.inspection.holdings import at, holdings
from ipam.inspection.selection import one_address
from ipam.inspection.times import MOMENTS, format_moment, parse_moment
from ipam.store import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.holdings import Holding
    from ipam.inspection.sites import Site
    from ipam.model import Address

NOBODY, UNKNOWN = 3, 1
"""The exit status where nobody held the address then, and where history does not reach back so far."""

_SECOND = 0.999999  # to its end, in the microseconds of history

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
MORE = (*LEASE_MORE, RANGE_SET, SINCE, Column("cause"), Column("note"))


@click.command(
    "who",
    epilog=f"TIME is like {MOMENTS}. Exit status: {NOBODY} where nobody held it, {UNKNOWN} where that is forgotten.",
)
@click.argument("address")
@click.option("--at", "time", metavar="TIME", help="Who held it then, by history.")
@sites.network_option("In this network alone.")
@sites.options
@output.option
def command(*, address: str, time: str | None, network: str | None, scope: Scope, output: str) -> int:
    """Who holds an address, or held it at some time, and why that ended.

    UNTIL is `-` where the address is held to this day.
    """
    wanted = one_address(address)
    now = datetime.fromtimestamp(scope.host.clock())  # without a zone: summer's offset is not winter's
    then = parse_moment(time, now) if time is not None else now.timestamp()
    if then > now.timestamp():
        raise click.UsageError(f"{format_moment(then)} is yet to come: nobody knows who will hold an address")
    rows, others, forgotten = [], [], []
    with scope.sites(network) as found:
        for site, past in scope.readable(found, lambda site: [(site, _holdings(site, wanted))]):
            held = _at(past, then)
            others += past
            if held is not None:
                rows.append(_row(site, held))
            elif then < now.timestamp() and then < (since := site.store.whole_since(site.name)):
                until = "" if since == NEVER else f" before {format_moment(since)}"
                forgotten.append(f"on {site.name}{until}")
    if rows or output != "table":
        emit(rows, COLUMNS, output, MORE)
    if rows:
        return scope.status
    told = f"{format_address(wanted)} at {format_moment(then)}"
    if forgotten:
        note(f"who held {told} is not known, history is forgotten {', '.join(forgotten)}{_around(others, then)}")
        return UNKNOWN
    note(f"nobody held {told}{_around(others, then)}")
    return scope.status or NOBODY


def _at(past: list[Holding], moment: float) -> Holding | None:
    """The holding of that moment; where it is told to the second, as tables tell it, any within that second."""
    return at(past, moment) or (at(past, moment + _SECOND) if moment.is_integer() else None)


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
        text += f"; before, {_holder(before)} until {format_moment(_end(before))} ({before.ended_by or 'not told why'})"
    if after is not None:
        text += f"; after, {_holder(after)} from {format_moment(_start(after))}"
    return text


def _holder(held: Holding) -> str:
    return f"{holder_text(held.lease)} on {held.network}"


def _end(held: Holding) -> float:
    return held.end or 0.0


def _start(held: Holding) -> float:
    return held.start or 0.0
