"""A node's stores, looked at as a snapshot of them would be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ipam.audit.records import Chained, Held, NetworkInfo, Resting
from ipam.audit.snapshot import Header, Record
from ipam.inspection.sites import Site
from ipam.model import Host, StoreConfig
from ipam.store import Trait


class LiveStores:
    """The networks of a node, read from their stores while others write there. See Source."""

    def __init__(self, sites: Iterable[Site], host: Host, *, history: bool = True) -> None:
        """Raises ValueError where two stores have a network of the same name."""
        self._sites = list(sites)
        self._history = history
        names = [site.name for site in self._sites]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two stores have a network called {twice!r}: choose one of them with --store")
        self.name = ", ".join(dict.fromkeys(StoreConfig(site.url).shown for site in self._sites)) or "no store"
        self.header = Header(
            host.node,
            host.boot,
            host.clock(),
            self.name,
            tuple(_info(site, host, history=history) for site in self._sites),
        )

    @contextmanager
    def open(self) -> Iterator[LiveStores]:
        """See Source."""
        yield self

    def records(self) -> Iterator[Record]:
        """See Reading. Of each network the leases are those of one moment; its events reach a little further."""
        for site in self._sites:
            for lease in site.store.leases(site.name):
                yield Held(site.name, lease)
            for address, until in site.store.resting(site.name):
                yield Resting(site.name, address, until)
            if self._history and Trait.HISTORY in site.store.traits:
                for event in site.store.history(site.name):
                    yield Chained(event, "")


def _info(site: Site, host: Host, *, history: bool) -> NetworkInfo:
    there = host.named(site.node).node
    sets = site.network.range_sets if site.network is not None else None
    verdict = site.store.verify(site.name) if history and Trait.CHAINED in site.store.traits else None
    cursors = site.store.cursors(site.name)
    if Trait.MULTI_HOST not in site.store.traits:
        return NetworkInfo(site.name, sets, False, {host.node: host.boot}, verdict, cursors)  # noqa: FBT003
    nodes = sorted({lease.node for lease in site.store.leases(site.name)} - {"", there})
    told = site.store.transact(site.name, lambda tx: {node: tx.last_boot(node) for node in nodes}) if nodes else {}
    boots = {node: boot for node, boot in told.items() if boot}
    return NetworkInfo(site.name, sets, True, boots | {there: host.boot}, verdict, cursors)  # noqa: FBT003
