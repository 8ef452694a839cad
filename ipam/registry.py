"""From a store URL to an open store: our own by a table of names, others' through entry points."""

from __future__ import annotations

from ipam.errors import InvalidConfig
from ipam.jsontext import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.model import Host, StoreConfig
    from ipam.store import Store

ENTRY_POINTS = "ipam.stores"
BUILT_IN = {
    "file": "backends.directory",
    "memory": "backends.memory",
    "postgresql": "backends.sql",
    "postgresql+psycopg": "backends.sql",
    "sqlite": "backends.sql",
}


def open_store(config: StoreConfig, host: Host) -> Store:
    """The store that `config.url` names. Its module's `open_store(config, host)` makes it.

    Raises InvalidConfig for a scheme that nothing installed provides, or whose package cannot be imported.
    """
    scheme = config.url.partition(":")[0]
    name = BUILT_IN.get(scheme)
    if name is None:
        return _foreign(config, host, scheme)
    module = __import__(name, fromlist=["open_store"])
    return module.open_store(config, host)  # type: ignore[no-any-return]


def _foreign(config: StoreConfig, host: Host, scheme: str) -> Store:
    from importlib.metadata import entry_points

    for found in entry_points(group=ENTRY_POINTS, name=scheme):
        try:
            make = found.load()
        except Exception as error:  # whatever a package of somebody else's does when it is imported
            raise InvalidConfig(
                f"store {quote(config.shown)} needs {quote(found.value)}, which cannot be loaded: "
                f"{type(error).__name__}: {quote(str(error), 200)[1:-1]}",
                f"see to the package {found.dist.name if found.dist else found.value}: is all installed that it needs?",
            ) from error
        return make(config, host)  # type: ignore[no-any-return]
    names = sorted({*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINTS))})
    raise InvalidConfig(
        f"no lease store for scheme {quote(scheme)} in store {quote(config.shown)}",
        f"installed: {', '.join(names)}; others come as packages with an entry point in {ENTRY_POINTS}",
    )


class Stores:
    """Open stores by their config: one for a single request, all of them warm in a daemon."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: dict[StoreConfig, Store] = {}

    def get(self, config: StoreConfig) -> Store:
        """The store of `config`, opened at its first use. Several threads may ask."""
        store = self._open.get(config)
        if store is None:
            opened = open_store(config, self._host.named(config.node))
            store = self._open.setdefault(config, opened)
            if store is not opened:  # another thread was faster
                opened.close()
        return store

    def tidy(self) -> None:
        """Let the stores do what they have put off."""
        for store in self._open.copy().values():
            store.tidy()

    def opened(self) -> list[tuple[str, Store]]:
        """(URL without password, store) of those in use. Other threads may open more meanwhile."""
        return [(config.shown, store) for config, store in self._open.copy().items()]

    def close(self) -> None:
        """Close every store."""
        while self._open:
            self._open.popitem()[1].close()
