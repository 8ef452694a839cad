"""`ipam verify`: that nothing in histories and snapshots was changed, cut out, moved or cut off."""

from __future__ import annotations

from pathlib import Path

import click

from ipam.cli import output, sites
from ipam.inspection.problems import problem_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.inspection.sites import Site

BROKEN = 3
"""The exit status where something is not what was written."""

_SHOWN = 20
_EPILOG = (
    f"Exit status: 0, or {BROKEN} where something is not what was written. The chain tells of changes by whoever did "
    "not make all later events anew; --against tells of those too, by what a snapshot that is kept elsewhere says."
)


@click.command("verify", epilog=_EPILOG)
@click.argument(
    "snapshots", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="[SNAPSHOT]..."
)
@sites.network_option("This network alone.")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="Snapshots must be signed with this public key."
)
@click.option(
    "--against", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="SNAPSHOT",
    help="History must have what this earlier snapshot of the same node saw of it.",
)  # fmt: skip
@sites.options
def command(
    *, scope: sites.Scope, snapshots: tuple[Path, ...], network: str | None, key: Path | None, against: Path | None
) -> int:
    """Prove that no event was changed, cut out, moved or cut off, and name the first that was.

    Of this node's histories, in whatever store they are; or of each SNAPSHOT, by its digest and signature, and what its
    node found in its history.
    """
    if snapshots and against is not None:
        raise click.UsageError("--against is for this node's histories: leave out --against, or the SNAPSHOTs")
    if key is not None and not snapshots and against is None:
        raise click.UsageError("--key is for snapshots: say a SNAPSHOT, or --against")
    from ipam.audit import signing

    trusted = signing.public_key(key) if key is not None else None
    if snapshots:
        found = [_snapshot(path, trusted) for path in snapshots]
        return 0 if all(found) else BROKEN
    known = _known(against, trusted) if against is not None else {}
    with scope.sites(network) as here:
        lost = {} if scope.problems else {name: each for name, each in known.items() if network in (None, name)}
        for site in here:
            lost.pop(site.name, None)
        found = list(
            scope.readable(
                output.counted(here, "networks"), lambda site: [_history(site, known.get(site.name), against)]
            )
        )
    found += [_tell(name, "no history", [f"{against} saw {seen} events of it"]) for name, (seen, _) in lost.items()]
    return scope.status if all(found) else BROKEN


def _history(site: Site, known: tuple[int, str] | None, against: Path | None) -> bool:
    from ipam.store import Trait

    if Trait.CHAINED not in site.store.traits:
        output.note(f"{site.name}: {site.store.__class__.__name__} keeps no chain, so nothing can be told")
        return True
    verdict = site.store.verify(site.name, known)
    told = [output.number(verdict.events, "event")]
    if verdict.links < verdict.events:
        outside = verdict.events - verdict.links
        told.append(f"{outside} of them outside of the chain (claims that forgetting kept, or older than any chain)")
    if verdict.sealed:
        told.append(f"{verdict.sealed} older ones forgotten")
    if known is not None and not verdict.problems:
        told.append(f"the first {known[0]} as {against} has them")
    elif known is None and against is not None:
        told.append(f"of which {against} tells nothing")
    problems = [problem_text(each) for each in verdict.problems]
    return _tell(site.name, ", ".join(told), problems)


def _tell(name: str, told: str, problems: list[str]) -> bool:
    click.echo(
        output.visible(f"{name}: {told}: {output.number(len(problems), 'problem') if problems else 'as written'}")
    )
    for line in problems[:_SHOWN]:
        click.echo(output.visible(f"  {line}"))
    if len(problems) > _SHOWN:
        click.echo(f"  and {len(problems) - _SHOWN} more")
    return not problems


def _snapshot(path: Path, trusted: str | None) -> bool:
    from ipam.audit.snapshot import Damaged
    from ipam.audit.source import SnapshotFile

    try:
        with SnapshotFile(path, trusted).open() as reading:
            count = sum(1 for _ in reading.records())
            problems = list(_told(reading.header.networks))
    except Damaged as damage:
        return _tell(str(path), "damaged", [str(damage)])
    signed = ", signed" if trusted is not None else ""
    return _tell(str(path), f"{count} leases and events of {reading.header.node}{signed}", problems)


def _told(networks: tuple[object, ...]) -> Iterator[str]:
    from ipam.audit.records import NetworkInfo

    for info in networks:
        if isinstance(info, NetworkInfo) and info.verdict is not None:
            for each in info.verdict.problems:
                yield f"history of {info.name}, {problem_text(each)}"


def _known(path: Path, trusted: str | None) -> dict[str, tuple[int, str]]:
    """How many events each network had had, and the last link."""
    from ipam.audit.snapshot import Damaged
    from ipam.audit.source import SnapshotFile

    try:
        with SnapshotFile(path, trusted).open() as reading:
            for _ in reading.records():  # whether it is what was written shows at its end
                pass
    except Damaged as damage:
        raise ValueError(f"{path}: {damage}") from None
    verdicts = {info.name: info.verdict for info in reading.header.networks if info.verdict is not None}
    if not verdicts:
        raise ValueError(f"{path} tells nothing of history: take it with ipam export --with-history")
    return {name: (each.sealed + each.events, each.last) for name, each in verdicts.items() if each.last}
