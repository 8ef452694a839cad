"""`ipam gc`: a verdict on every lease, with its evidence; frees what is surely stale, if told to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import click

from ipam.cli import output, sites, told
from ipam.cli.durations import duration_option
from ipam.cli.evidence import REST, REST_HELP, YOUNGEST, Evidence, is_still, operator, results_option
from ipam.cli.output import Column, emit, note, waiting
from ipam.cli.rows import ADDRESS, CONTAINER, LEASE, LEASE_MORE, NETWORK, POD, lease_row
from ipam.cli.steadfast import to_the_end
from ipam.inspection.sightings import DEFAULT_PATH, Sightings
from ipam.inspection.staleness import LIVE, STALE, Verdict, text_of
from ipam.inspection.times import format_duration
from ipam.model import Cause, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.cli.output import Row
    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site
    from ipam.store import Transaction

_STYLES = {LIVE: "green", STALE: "bold red"}

COLUMNS = (
    Column("verdict", style=lambda verdict: _STYLES.get(verdict, "yellow")),
    NETWORK,
    ADDRESS,
    CONTAINER,
    POD,
    Column("action"),
    Column("evidence", "; ".join),
)
MORE = (*(column for column in LEASE if column not in COLUMNS), *LEASE_MORE)


class Candidate(NamedTuple):
    """A lease with its verdict; `due` says that it is stale, and for long enough."""

    site: Site
    lease: Lease
    verdict: Verdict
    action: str | None = None
    due: bool = False


@click.command("gc", epilog="DURATION is like 90s, 15m or 2h.")
@sites.network_argument
@click.option("--apply", is_flag=True, help="Free what is due. Without it, nothing is freed.")
@click.option("--now", is_flag=True, help="Do not wait for a second pass.")
@duration_option("--grace", "5m", "Between the two passes.")
@duration_option("--youngest", YOUNGEST, "Younger leases are never stale: their containers may still be on their way.")
@duration_option("--rest", REST, REST_HELP)
@click.option("--all", "everything", is_flag=True, help="List live leases too.")
@click.option("--reason", default="", help="Goes into history.")
@click.option("--seen", type=click.Path(path_type=Path, readable=False), default=DEFAULT_PATH, metavar="FILE",
              show_default=True, help="Where one pass tells the next what it saw.")  # fmt: skip
@results_option
@sites.options
@output.option
def command(
    *,
    network: str | None,
    apply: bool,
    now: bool,
    grace: float,
    youngest: float,
    rest: float,
    everything: bool,
    reason: str,
    seen: Path,
    results: tuple[Path, ...],
    scope: Scope,
    output: str,
) -> int:
    """Find leases whose containers are gone, and with --apply free them.

    A lease is *live* where any witness saw it alive; *stale* where at least two independent ones call it dead and
    none calls it live: its boot, the network namespaces of this node, libcni's cached results, the container
    runtimes; *unknown* otherwise. Only stale ones are freed, and only if an earlier pass, at least a grace period
    ago, saw them stale as well, or with --now. `ipam restore` brings a lease back while its address rests.
    """
    if apply:
        to_the_end()
    moment = time.clock_gettime(time.CLOCK_BOOTTIME)  # whatever is done to the clock between two passes
    with scope.sites(network) as found:
        with waiting("looking for containers"):
            evidence = Evidence(scope.host, results, youngest)
        sightings = Sightings(seen, scope.host.boot)
        judged = [
            _considered(site, lease, evidence, sightings, moment, 0.0 if now else grace)
            for site, leases in scope.readable(found, lambda site: [(site, sites.leases_of(site))])
            for lease in leases
        ]
        if apply:
            judged = _freed(judged, rest, operator(reason), sightings)
        _keep(sightings, found)
        emit([_row(each) for each in judged if everything or each.verdict.says != LIVE], COLUMNS, output, MORE)
    if not apply and any(each.due for each in judged):
        note(f"nothing was freed: `ipam gc --apply{' --now' if now else ''}` frees what is due")
    return scope.status


def _considered(
    site: Site, lease: Lease, evidence: Evidence, sightings: Sightings, moment: float, grace: float
) -> Candidate:
    verdict = evidence.verdict(site, lease)
    if verdict.says != STALE:
        sightings.forget(site, lease)
        return Candidate(site, lease, verdict)
    waited = moment - sightings.note(site, lease, moment)
    if waited >= grace:
        return Candidate(site, lease, verdict, "due", due=True)
    return Candidate(site, lease, verdict, f"due in {format_duration(grace - waited)}")


def _freed(judged: list[Candidate], rest: float, by: str, sightings: Sightings) -> list[Candidate]:
    """Free what is due, each network's leases in one change, and say of each what became of it."""
    due: dict[tuple[str, str], list[Candidate]] = {}
    for each in judged:
        if each.due:
            due.setdefault((each.site.url, each.site.name), []).append(each)
            sightings.forget(each.site, each.lease)  # should it be restored, it is seen for the first time again
    gone: set[tuple[str, str, Lease]] = set()
    for (url, name), candidates in due.items():

        def change(tx: Transaction, candidates: list[Candidate] = candidates) -> list[Lease]:
            dropped = []
            for lease, verdict in ((each.lease, each.verdict) for each in candidates):
                if is_still(lease, tx.holder(lease.address)):
                    tx.drop(lease, Cause.GC, f"{by}; {text_of(verdict.signs)}", rest)
                    dropped.append(lease)
            return dropped

        gone.update((url, name, lease) for lease in candidates[0].site.store.transact(name, change))
    return [
        each._replace(action="freed" if (each.site.url, each.site.name, each.lease) in gone else "changed meanwhile")
        if each.due
        else each
        for each in judged
    ]


def _keep(sightings: Sightings, found: Iterable[Site]) -> None:
    try:
        sightings.save(found)
    except OSError as error:
        note(f"the next pass will not know of this one: {told(error)}")


def _row(each: Candidate) -> Row:
    return (
        {"verdict": each.verdict.says}
        | lease_row(each.site, each.lease)
        | {
            "action": each.action,
            "evidence": [str(sign) for sign in each.verdict.signs],
        }
    )
