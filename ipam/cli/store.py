"""`ipam store`: prove a store usable, bring its schema up to date, move leases from one store to another."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager

import click

from ipam.cli import Group, sites
from ipam.cli.output import note, number
from ipam.cli.steadfast import to_the_end
from ipam.errors import InvalidConfig
from ipam.inspection.problems import place_of
from ipam.jsontext import quote
from ipam.model import IPV6, Address, Attachment, Cause, Lease, Range, StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store
from ipam.store import Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.migration import Moved, Progress
    from ipam.store import Store, Transaction

_PATIENCE = 10.0  # seconds for a lock or a server
_BETWEEN_PROGRESS = 0.2
_LONGEST = 300  # characters of a URL
_PROBE = "ipam-store-check"
_DOCUMENTATION = Range(IPV6, 0x20010DB8 << 96, 32, 0x20010DB8 << 96, (0x20010DB9 << 96) - 1, Address(IPV6, 0))
"""2001:db8::/32 (RFC 3849), of which nobody leases anything."""

_EPILOG = (
    "URLs are those of ipam.store in a config: file:///var/lib/cni/networks, sqlite:////var/lib/cni/ipam/ipam.db, "
    "postgresql+psycopg://user@host/database; a path is a directory of leases."
)

_password_option = click.option(
    "--password-file",
    default="",
    metavar="PATH",
    help="A file with the password for the server.  [default: what the URL or the driver's own files say]",
)
_wait_option = click.option(
    "--wait", type=float, default=_PATIENCE, show_default=True, metavar="SECONDS", help="For a lock, or a server."
)


@click.group("store", cls=Group, epilog=_EPILOG)
def command() -> None:
    """Move leases from one store to another, check a store, upgrade its schema."""


@command.command("check", epilog=_EPILOG)
@click.argument("url")
@_password_option
@_wait_option
def check(url: str, password_file: str, wait: float) -> None:
    """Prove a store usable before a config names it.

    Its place can be reached and written, its schema is the one that this version needs, and what is claimed can be
    read again. The claim is taken back before anybody sees it.
    """
    with _opened(url, password_file, wait) as store:
        store.check()
        there = store.is_there()
        networks = list(store.networks())
        begun = time.perf_counter()
        # A directory store would make the directory of a network that it has not got.
        if networks or not sites.store_url(url).startswith("file:"):
            _prove_round_trip(store, networks[0] if networks else _PROBE)
        took = (time.perf_counter() - begun) * 1000
        found = f"{number(len(networks), 'network')}, round trip {took:.1f} ms" if there else "nothing is there yet"
        print(f"usable    {_shown(url)} ({found})")
        print(f"it is     {', '.join(sorted(store.traits)) or 'nothing beyond the minimum'}")


@command.command("upgrade", epilog=_EPILOG)
@click.argument("url")
@_password_option
@_wait_option
def upgrade(url: str, password_file: str, wait: float) -> None:
    """Make or upgrade the schema in a server's database.

    Once, from one node, before plugins of this version use it. SQLite's files need nobody for that.
    """
    to_the_end()
    with _opened(url, password_file, wait) as store:
        print(f"{_shown(url)}: {store.upgrade()}")


@command.command("migrate", epilog=_EPILOG)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--network", "names", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Tell what would be moved, and change nothing.")
@_password_option
@_wait_option
def migrate(
    source: str, target: str, names: tuple[str, ...], *, dry_run: bool, password_file: str, wait: float
) -> None:
    """Move leases, cursors and history of all networks.

    Everything stays in the source. A network is locked there while it is moved: an ADD or DEL meanwhile is told to
    try again. What has arrived is compared with what was sent. Said again, it goes on where it was interrupted, or
    catches up with what happened in the source since; a target with other leases is left as it is.
    """
    from ipam.migration import move

    if not dry_run:
        to_the_end()
    if sites.store_url(source) == sites.store_url(target):
        raise InvalidConfig("FROM and TO are the same store")
    with _opened(source, password_file, wait) as old, _opened(target, password_file, wait) as new:
        known = list(old.networks())
        if not known:
            raise InvalidConfig(f"{_shown(source)} has no networks", "nothing was moved: is it where the leases are?")
        if Trait.DURABLE not in new.traits:
            raise InvalidConfig(f"{_shown(target)} keeps nothing when this command ends", "nothing was moved")
        for name in names:
            if name not in known:
                raise InvalidConfig(f"{_shown(source)} has no network {quote(name)}", f"it has: {', '.join(known)}")
        for name in names or known:
            moved = move(old, new, name, this_host(), dry_run=dry_run, progress=_progress(name))
            print(_told(name, moved, dry_run=dry_run))
            _warn_of_changes(old, name)


def _warn_of_changes(source: Store, name: str) -> None:
    """What moves gets new links, which vouch for it as it is: whoever wants to know what it was needs the source."""
    problems = source.verify(name).problems
    if problems:
        where = f"event {problems[0].number}, {place_of(problems[0])}"
        note(
            f"ipam store migrate: history of {name} is not what was written ({where}): keep the source for ipam verify"
        )


def _told(name: str, moved: Moved, *, dry_run: bool) -> str:
    source = moved.source
    were = "was" if moved.there == 1 else "were"
    already = f", {number(moved.there, 'event')} {were} there already" if moved.there else ""
    done = "would move" if dry_run else "moved     "
    return (
        f"{done} {name}: {number(moved.moved, 'event')}{already}; {number(source.leases, 'lease')}, "
        f"{number(source.events, 'event')} and {number(source.cursors, 'cursor')}"
        f"{'' if dry_run else ' on both sides'}, digest {source.digest[:16]}"
    )


def _progress(name: str) -> Progress | None:
    """A line on stderr for who waits at a terminal."""
    if not sys.stderr.isatty():
        return None
    due = time.monotonic() + 1

    def tell(done: int, total: int) -> None:
        nonlocal due
        if done >= total:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        elif time.monotonic() >= due:
            due = time.monotonic() + _BETWEEN_PROGRESS
            print(f"\r\x1b[K{name}: {done} of {total} events", end="", file=sys.stderr, flush=True)

    return tell


class _Taken(Exception):
    """What was claimed was there; the exception takes it back."""


def _prove_round_trip(store: Store, network: str) -> None:
    def change(tx: Transaction) -> None:
        value = tx.next_free(_DOCUMENTATION, None)
        lease = Lease(Address(IPV6, value or 0), Attachment(_PROBE, "probe"), None)
        tx.claim(lease, Cause.ADD)
        if tx.holder(lease.address) != lease:
            raise InvalidConfig("the store does not give back what was claimed in it", "do not use it")
        raise _Taken

    try:
        store.transact(network, change)
    except _Taken:
        return


@contextmanager
def _opened(url: str, password_file: str, wait: float) -> Iterator[Store]:
    config = StoreConfig(sites.store_url(url), lock_timeout=wait, password_file=password_file)
    store = open_store(config, this_host())
    try:
        yield store
    finally:
        store.close()


def _shown(given: str) -> str:
    return quote(StoreConfig(sites.store_url(given)).shown, _LONGEST)[1:-1]
