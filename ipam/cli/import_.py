"""`ipam import`: the leases of a snapshot into an empty store."""

from __future__ import annotations

from pathlib import Path

import click

from ipam.cli import output
from ipam.plugin import this_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ipam.model import Lease
    from ipam.store import Store, Transaction

_EPILOG = (
    "The whole file is checked before anything is written, and each network is written at once. Leases keep node, boot "
    "and time; the next ADD releases those of an earlier boot, since their containers are gone. --adopt takes them for "
    "leases of this node in this boot. History stays in the snapshot: the store's begins with the import."
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
    from ipam.audit.records import Held
    from ipam.audit.source import SnapshotFile
    from ipam.model import StoreConfig
    from ipam.registry import open_store

    trusted = None
    if key is not None:
        from ipam.audit import signing

        trusted = signing.public_key(key)
    host, leases = this_host(), dict[str, "list[Lease]"]()
    with SnapshotFile(file, trusted).open() as reading:
        header = reading.header
        for record in reading.records():
            if isinstance(record, Held) and only in (None, record.network):
                lease = record.lease.replace(node=host.node, boot=host.boot) if adopt else record.lease
                leases.setdefault(record.network, []).append(lease)
    if only is not None and only not in {info.name for info in header.networks}:
        raise ValueError(f"{file} has no network {only!r}")
    store = open_store(StoreConfig(f"file://{url}" if url.startswith("/") else url), host)
    try:
        for network in leases:
            if next(store.leases(network), None) is not None:
                raise ValueError(f"network {network} has leases in {url}: import restores into an empty store alone")
        for network, all_of_it in leases.items():
            if not dry_run:
                _write(store, network, all_of_it, f"snapshot of {header.node}")
            output.note(f"{network}: {len(all_of_it)} leases {'would be ' if dry_run else ''}restored")
    finally:
        store.close()


def _write(store: Store, network: str, leases: list[Lease], note: str) -> None:
    in_turn: Callable[[Lease], tuple[float, object]] = lambda lease: (lease.since, lease.address)  # noqa: E731

    def change(tx: Transaction) -> None:
        from ipam.model import Cause

        if next(tx.leases(), None) is not None:
            raise ValueError(f"network {network} got leases meanwhile: nothing of it was restored")
        for lease in sorted(leases, key=in_turn):  # the newest last, so that the round robin goes on behind it
            tx.claim(lease, Cause.IMPORT, note)

    store.transact(network, change)
