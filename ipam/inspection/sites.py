"""Where leases are: each network in each store that this host knows of, with its ranges where a config tells them."""

from __future__ import annotations

from typing import NamedTuple

from ipam.config import DEFAULT_DATA_DIR
from ipam.errors import CniError
from ipam.inspection.configs import in_words
from ipam.model import StoreConfig
from ipam.registry import Stores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ipam.inspection.configs import Configured
    from ipam.model import Address, Host, Network, RangeSet
    from ipam.store import Store

DEFAULT_STORE = f"file://{DEFAULT_DATA_DIR}"


class Site(NamedTuple):
    """A network in a store. `network` is None where no config tells its ranges, `path` that of the config.

    `url` is the store's, without a password; `node` what this node is called there, its host name where empty.
    """

    name: str
    url: str
    store: Store
    network: Network | None = None
    path: Path | None = None
    node: str = ""

    def range_set_of(self, address: Address) -> RangeSet | None:
        """The range set that an address lies in, by the config; None where that is none, or unknown."""
        for range_set in self.network.range_sets if self.network else ():
            if range_set.range_of(address):
                return range_set
        return None


class Sites:
    """Every network that is found, by name and store; `problems` tells what could not be looked at."""

    def __init__(self, configured: Iterable[Configured], urls: Iterable[str], host: Host) -> None:
        """The networks of the stores at `urls`; where there are none, of the default one and those that are configured.

        What a config says of a store besides its URL counts for it. Raises ValueError where nothing is at one of `urls`
        and no config names it. The others come with the first lease.
        """
        self._stores = Stores(host)
        self._found: dict[tuple[str, str], Site] = {}
        self.problems: list[str] = []
        configured = list(configured)
        urls = list(dict.fromkeys(urls))
        for url in urls:
            known = {each.name: each for each in configured if each.network is not None}
            here = [each for each in configured if each.store is not None and each.store.url == url]
            store = next((each.store for each in here if each.store is not None), StoreConfig(url))
            self._look(store, known, [each.name for each in here])
            if not here:
                self._require(store)
        if urls:
            return
        by_url: dict[str, list[Configured]] = {DEFAULT_STORE: []}
        for each in configured:
            if each.store is not None:
                by_url.setdefault(each.store.url, []).append(each)
        for where, uses in by_url.items():
            store = next((each.store for each in uses if each.store is not None), StoreConfig(where))
            described = {each.name: each for each in reversed(uses)}
            self._look(store, described, list(described))

    def _look(self, config: StoreConfig, described: dict[str, Configured], here: list[str]) -> None:
        """Note the networks of a store; those that are `here` by their configs even if it has no lease yet."""
        try:
            store = self._stores.get(config)
            names = {*store.networks(), *filter(None, here)}
        except CniError as error:
            self.problems.append(f"store {config.shown}: {in_words(error)}")
            return
        for name in names:
            use = described.get(name)
            node = (use.store if use and use.store else config).node or ""
            self._found[name, config.shown] = Site(
                name, config.shown, store, use.network if use else None, use.path if use else None, node
            )

    def _require(self, config: StoreConfig) -> None:
        try:
            is_there = self._stores.get(config).is_there()
        except CniError:  # which is among the problems
            return
        if not is_there:
            self.close()
            raise ValueError(f"there is no store at {config.shown}, and no config names it")

    def named(self, name: str | None) -> list[Site]:
        """The networks of that name (all where None), sorted. Raises ValueError where there is none of that name."""
        found = [site for _, site in sorted(self._found.items(), key=lambda item: item[0])]
        if name is None:
            return found
        chosen = [site for site in found if site.name == name]
        if not chosen:
            known = ", ".join(dict.fromkeys(site.name for site in found)) or "none"
            raise ValueError(f"there is no network {name!r} here; known: {known}")
        return chosen

    def close(self) -> None:
        """Close every store."""
        self._stores.close()
