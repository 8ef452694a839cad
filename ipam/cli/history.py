"""`ipam history`: every claim and drop, oldest first, and those that come."""

from __future__ import annotations

import heapq
import json
import sys
import time
from datetime import datetime

import click

from ipam.cli import output, sites
from ipam.cli.output import aligned, counted, emit, end_at_once, is_terminal, write_csv
from ipam.cli.rows import EVENT, EVENT_MORE, event_row
from ipam.inspection.selection import Selection
from ipam.inspection.times import MOMENTS, parse_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site
    from ipam.model import Clock, Event

_PAUSE = 0.5  # seconds between two looks, with --follow
_DISAGREEMENT = 60.0  # seconds that the clocks of nodes may differ by, which an audit does not tell of either


@click.command("history", epilog=f"TIME is like {MOMENTS}.")
@sites.network_argument
@click.option("--address", default="", metavar="CIDR", help="Events of this address, or in this subnet.")
@click.option("--pod", default="", metavar="[NAMESPACE/]NAME", help="Events of this pod, or of a whole NAMESPACE/.")
@click.option(
    "--container", default="", metavar="ID", help="Events of this container; the beginning of its id will do."
)
@click.option("--since", metavar="TIME", help="Nothing older.")
@click.option("--until", metavar="TIME", help="Nothing of that moment or later.")
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl-C. JSON is then one object a line.")
@sites.options
@output.option
def command(
    *,
    network: str | None,
    address: str,
    pod: str,
    container: str,
    since: str | None,
    until: str | None,
    follow: bool,
    scope: Scope,
    output: str,
) -> int:
    """Every claim and drop of an address, oldest first: when, by whom, and why.

    Of all networks, or of NETWORK.
    """
    now = datetime.fromtimestamp(scope.host.clock())  # without a zone: summer's offset is not winter's
    first = parse_moment(since, now) if since is not None else None
    end = parse_moment(until, now) if until is not None else None
    wanted = Selection(pod, container, address)
    if follow and end is not None:
        raise click.UsageError("--follow has no end: leave out --until")
    with scope.sites(network) as found:
        sites.require_history(found)
        if follow:
            _follow(found, wanted, first, output, scope.host.clock)
        events = counted(_merged(found, wanted, first, scope), "reading history")
        emit((event_row(event) for event in events if end is None or event.time < end), EVENT, output, EVENT_MORE)
    return scope.status


def _merged(found: Iterable[Site], wanted: Selection, since: float | None, scope: Scope) -> Iterator[Event]:
    """The events of several networks in the order of their times."""
    return heapq.merge(
        *(scope.readable([site], lambda site: _chosen(site, wanted, since)) for site in found),
        key=lambda event: event.time,
    )


def _chosen(site: Site, wanted: Selection, since: float | None) -> Iterator[Event]:
    for event in site.store.history(site.name, since=since, address=wanted.address):
        if event.lease in wanted:
            yield event


def _follow(found: list[Site], wanted: Selection, since: float | None, output: str, clock: Clock) -> None:
    """Print what was, and then what comes, for ever."""
    end_at_once()
    titles, widths = True, [0] * len(EVENT)
    last: dict[str, Event] = {}
    now = clock()
    while True:
        before, now = now, clock()
        for site in found:
            place = site.name + site.url
            events = _behind(site, wanted, since, last.get(place), min(before, now))
            if events:
                last[place] = events[-1]
            _print(events, output, widths, titles=titles)
            titles = False
        sys.stdout.flush()
        time.sleep(_PAUSE)


def _behind(site: Site, wanted: Selection, since: float | None, last: Event | None, now: float) -> list[Event]:
    """The events that were written behind the `last` one that was told: clocks may be set back, and nodes disagree."""
    if last is None:
        return list(_chosen(site, wanted, since))
    reach = min(last.time, now) - _DISAGREEMENT
    found: list[Event] = []
    met = False
    for event in _chosen(site, wanted, reach if since is None else max(reach, since)):
        found.append(event)
        if event == last:
            found, met = [], True
    return found if met else [event for event in found if event.time > last.time]  # the last one was forgotten


def _print(events: list[Event], output: str, widths: list[int], *, titles: bool) -> None:
    rows = [event_row(event) for event in events]
    if output == "json":
        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in rows)
        return
    if output == "csv":
        write_csv(rows, (*EVENT, *EVENT_MORE), titles=titles)
        return
    lines = aligned(rows, EVENT, narrow=is_terminal(sys.stdout), widths=widths)
    sys.stdout.writelines(f"{line}\n" for number, line in enumerate(lines) if number or titles)
