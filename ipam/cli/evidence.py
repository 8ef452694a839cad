"""What the witnesses of this node say of leases, for the commands that act on it."""

from __future__ import annotations

from pathlib import Path

import click

from ipam.cli.output import visible
from ipam.cli.sites import existing
from ipam.inspection.staleness import STALE, judge
from ipam.inspection.times import parse_duration
from ipam.witnesses.namespaces import Namespaces
from ipam.witnesses.results import DEFAULT_DIRS, Results
from ipam.witnesses.runtimes import Runtimes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ipam.inspection.sites import Site
    from ipam.inspection.staleness import Verdict
    from ipam.model import Address, Attachment, Host, Lease

YOUNGEST = "5m"
"""A lease that is younger may be that of a container which is only being made."""

REST = "10m"
REST_HELP = "For so long others get the address only where nothing else is left, and `ipam restore` may undo this."
"""How long an address rests that an operator freed."""


class Evidence:
    """All witnesses, each of whom looked at the node once."""

    def __init__(self, host: Host, results: Iterable[Path] = DEFAULT_DIRS, youngest: float | None = None) -> None:
        self._host = host
        self._youngest = parse_duration(YOUNGEST) if youngest is None else youngest
        self._namespaces = Namespaces()
        self._results = Results(results)
        self._runtimes = Runtimes()
        self._held: dict[tuple[str, str], dict[Attachment, list[Address]]] = {}

    def is_elsewhere(self, site: Site, lease: Lease) -> bool:
        """Whether the lease is another node's, of which the witnesses here know nothing."""
        return lease.node not in ("", self._host.named(site.node).node)

    def verdict(self, site: Site, lease: Lease) -> Verdict:
        """What they say together."""
        namespaces = self._namespaces.sign(lease, self._held_by(site, lease.attachment))
        signs = (namespaces, self._results.sign(site.name, lease), self._runtimes.sign(lease))
        return judge(lease, signs, self._host.named(site.node), self._youngest)

    def _held_by(self, site: Site, who: Attachment) -> list[Address]:
        held = self._held.get((site.url, site.name))
        if held is None:
            held = self._held[site.url, site.name] = {}
            for lease in site.store.leases(site.name):
                held.setdefault(lease.attachment, []).append(lease.address)
        return held.get(who, [])


def results_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--results-dir`; the command gets `results`."""
    return click.option(
        "--results-dir",
        "results",
        type=click.Path(path_type=Path),
        multiple=True,
        default=DEFAULT_DIRS,
        metavar="DIR",
        show_default=True,
        callback=existing,
        help="Where libcni caches results; may be repeated.",
    )(function)


def stale_ones(site: Site, leases: Iterable[Lease], host: Host) -> list[Lease]:
    """Those of the leases that are stale."""
    evidence = Evidence(host)
    return [lease for lease in leases if evidence.verdict(site, lease).says == STALE]


def is_still(lease: Lease, holder: Lease | None) -> bool:
    """Whether the holder of the address is the one that was judged, and not somebody who came meanwhile."""
    return holder is not None and (holder.attachment, holder.since) == (lease.attachment, lease.since)


def operator(reason: str) -> str:
    """Who does this, for history: the user behind sudo, or our own, and the reason that was given."""
    import os
    from pwd import getpwuid

    try:
        name = os.environ.get("SUDO_USER") or getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"user {os.getuid()}"
    return visible(f"by {name}: {reason}" if reason else f"by {name}")[:500]
