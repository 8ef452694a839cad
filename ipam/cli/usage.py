"""`ipam usage`: how full each range set is, how fast it fills, and when it will be full."""

from __future__ import annotations

import sys

import click

from ipam.allocator import set_text
from ipam.cli import output, sites
from ipam.cli.output import Column, counted, emit, is_terminal, note
from ipam.inspection.times import format_duration
from ipam.inspection.usage import DAY, growth, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site

_BAR = 10
_FULL, _NEARLY = 0.95, 0.8
_FORESEEABLE = 3653 * DAY


def _number(value: int) -> str:
    """A whole number; those of IPv6 as a power of two, for nobody reads twenty digits."""
    return str(value) if value < 1 << 32 else f"2^{value.bit_length() - (not value & value - 1)}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f}%" if share >= 0.01 or not share else "<1%"


def _bar(share: float) -> str:
    """A bar, legible without colour; any lease at all shows."""
    filled = min(_BAR, max(round(share * _BAR), share > 0))
    return f"{'#' * filled}{'.' * (_BAR - filled)}"


def _change(growth: int) -> str:
    return f"{growth:+d}" if growth else "0"


def _style(share: float) -> str:
    return "bold red" if share >= _FULL else "yellow" if share >= _NEARLY else "green"


def _time_left(seconds: float) -> str:
    """Beyond ten years a rate of today foretells nothing."""
    if not seconds:
        return "full"
    return format_duration(seconds) if seconds < _FORESEEABLE else ">10y"


UNUSABLE = Column("unusable", _number, right=True)
BAR = Column("used", _bar, title="", style=_style)
COLUMNS = (
    Column("network"),
    Column("range_set", title="SET", right=True),
    Column("ranges"),
    Column("size", _number, right=True),
    Column("leased", _number, right=True),
    Column("resting", _number, right=True),
    Column("free", _number, right=True),
    Column("used", _percent, right=True, plain=True),
    Column("last_hour", _change, right=True),
    Column("last_day", _change, right=True),
    Column("exhausted_in", _time_left, title="FULL IN", right=True, plain=True),
)


@click.command("usage")
@sites.network_argument
@sites.options
@output.option
def command(*, network: str | None, scope: Scope, output: str) -> int:
    """How full each range set is, how fast it fills, and when it will be full.

    SIZE is what can be leased: the ranges without their gateways. LAST HOUR and LAST DAY say how many leases
    there are more than then, by history; FULL IN is the time until none is left at the faster of both rates.
    """
    with scope.sites(network) as found:
        rows = list(scope.readable(found, lambda site: _rows(site, scope.host.clock())))
        columns: tuple[Column, ...] = COLUMNS
        if output == "table" and is_terminal(sys.stdout):
            columns = (*COLUMNS[:8], BAR, *COLUMNS[8:])
        if output != "table" or any(row["unusable"] for row in rows):
            columns = (*columns[:6], UNUSABLE, *columns[6:])
        emit(rows, columns, output, (Column("store"),))
        for name in sorted({row["network"] for row in rows if row["unusable"]}):
            note(f"network {name}: something that is no lease keeps addresses; `ipam check {name}` tells what")
        for site in found:
            if site.network is None:
                note(f"network {site.name}: no config in {scope.conf_dir} tells its ranges")
    return scope.status


def _rows(site: Site, now: float) -> Iterator[Row]:
    if site.network is None:
        return
    leases = sites.leases_of(site)
    resting = [address for address, _ in site.store.resting(site.name)]
    events = counted(site.store.history(site.name, since=now - DAY), "reading history")
    grown = growth(site.network, leases, events, now)
    unusable = list(site.store.unusable(site.name))
    for each in usage(site.network, [lease.address for lease in leases], resting, unusable):
        hour, day = grown.of(each.range_set.index)
        yield {
            "network": site.name,
            "range_set": each.range_set.index,
            "ranges": set_text(each.range_set),
            "size": each.size,
            "leased": each.leased,
            "resting": each.resting,
            "unusable": each.unusable,
            "free": each.free,
            "used": round(each.share, 4),
            "last_hour": hour,
            "last_day": day,
            "exhausted_in": grown.exhausted_in(each.range_set.index, each.left),
            "store": site.url,
        }
