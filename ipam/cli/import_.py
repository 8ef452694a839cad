"""`ipam import`: the leases of a snapshot into an empty store."""

from __future__ import annotations

from pathlib import Path

import click

from ipam.cli import output
from ipam.cli.steadfast import to_the_end
from ipam.plugin import this_host

_EPILOG = (
    "The whole file is checked before anything is written, and each network is written at once. Leases keep node, boot "
    "and time; the next ADD releases those of an earlier boot, since their containers are gone. --adopt takes them for "
    "leases of this node in this boot. History comes along where the snapshot has it."
)


@click.command("import", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--store", "url", required=True, metavar="URL", help="The store, such as file:///var/lib/cni/networks.")
@click.option("--network", "only", metavar="NAME", help="This network alone.")
@click.option("--adopt", is_flag=True, help="The containers run on this node, in this boot.")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="Refuse what is not signed with this public key."
)
@click.option("--dry-run", is_flag=True, help="Check everything, and write nothing.")
def command(*, file: Path, url: str, only: str | None, adopt: bool, key: Path | None, dry_run: bool) -> None:
    """Restore the leases of a snapshot into an empty store."""
    if not dry_run:
        to_the_end()
    from ipam.audit.restoring import Restored, read
    from ipam.audit.source import SnapshotFile
    from ipam.model import StoreConfig
    from ipam.registry import open_store

    trusted = None
    if key is not None:
        from ipam.audit import signing

        trusted = signing.public_key(key)
    host = this_host()
    networks = read(SnapshotFile(file, trusted), host if adopt else None)
    if only is not None and only not in networks:
        raise ValueError(f"{file} has no network {only!r}")
    chosen: list[Restored] = [each for name, each in networks.items() if only in (None, name)]
    store = open_store(StoreConfig(f"file://{url}" if url.startswith("/") else url), host)
    try:
        for each in chosen:
            each.refuse_where_not_empty(store)
        for each in chosen:
            if not dry_run:
                each.write(store)
            output.note(
                f"{each.name}: {output.number(len(each.leases), 'lease')} {'would be ' if dry_run else ''}restored"
            )
    finally:
        store.close()
