"""`ipam release`: an operator frees an address, or all of a container's; history tells who it was."""

from __future__ import annotations

import click

from ipam.address import format_address
from ipam.allocator import holder_text
from ipam.cli import sites
from ipam.cli.durations import duration_option
from ipam.cli.evidence import REST, REST_HELP, Evidence, is_still, operator, results_option
from ipam.cli.output import say
from ipam.cli.steadfast import to_the_end
from ipam.inspection.selection import one_address
from ipam.inspection.staleness import LIVE, text_of
from ipam.model import Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ipam.cli.sites import Scope
    from ipam.inspection.sites import Site
    from ipam.model import Lease
    from ipam.store import Transaction


@click.command("release", epilog="DURATION is like 90s, 15m or 2h.")
@click.argument("address", required=False)
@click.option("--container", default="", metavar="ID", help="Every address of this container; its whole id.")
@sites.network_option("In this network alone.")
@click.option("--reason", default="", help="Goes into history, after who did it.")
@click.option("--force", is_flag=True, help="Although the container looks alive.")
@duration_option("--rest", REST, REST_HELP)
@results_option
@sites.options
def command(
    *,
    address: str | None,
    container: str,
    network: str | None,
    reason: str,
    force: bool,
    rest: float,
    results: tuple[Path, ...],
    scope: Scope,
) -> int:
    """Free an address, or all of a container's, and record who did it.

    Refuses where a witness sees the container alive: see `ipam gc`.
    """
    if bool(address) == bool(container):
        raise click.UsageError("say either an ADDRESS or --container ID")
    to_the_end()
    wanted = one_address(address) if address else None
    with scope.sites(network) as found:
        chosen = [
            (site, lease)
            for site in found
            for lease in site.store.leases(site.name)
            if (lease.address == wanted if wanted else lease.attachment.container_id == container)
        ]
        if not chosen:
            raise ValueError(f"nobody holds {address}" if wanted else f"container {container!r} holds nothing")
        if wanted and len(chosen) > 1:
            names = ", ".join(site.name for site, _ in chosen)
            raise ValueError(f"{address} is held on several networks ({names}): say which by --network")
        if not force:
            _refuse_living(chosen, Evidence(scope.host, results))
        for site in found:
            leases = [lease for at, lease in chosen if at is site]
            if leases:
                _release(site, leases, operator(reason), rest)
    return 0


def _refuse_living(chosen: Iterable[tuple[Site, Lease]], evidence: Evidence) -> None:
    for site, lease in chosen:
        verdict = evidence.verdict(site, lease)
        shown = f"{format_address(lease.address)} is held by {holder_text(lease)}"
        if verdict.says == LIVE:
            raise ValueError(f"{shown}, which looks alive: {text_of(verdict.signs)}; stop it, or say --force")
        if evidence.is_elsewhere(site, lease):
            raise ValueError(f"{shown} on node {lease.node}: release it there, where it can be told, or say --force")


def _release(site: Site, leases: list[Lease], by: str, rest: float) -> None:
    def change(tx: Transaction) -> list[Lease]:
        dropped = [lease for lease in leases if is_still(lease, tx.holder(lease.address))]
        for lease in dropped:
            tx.drop(lease, Cause.RELEASE, by, rest)
        return dropped

    released = site.store.transact(site.name, change)
    for lease in leases:
        done = "released " if lease in released else "changed meanwhile, left: "
        say(f"{done}{format_address(lease.address)} on {site.name}, held by {holder_text(lease)}")
