"""A server that nobody has asked for anything yet: its driver is imported by whoever has to wait for it anyway."""

from __future__ import annotations

from threading import Lock

from backends.sql.database import Database
from ipam.errors import InvalidConfig
from ipam.jsontext import quote
from ipam.store import Busy, Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from backends.sql.database import Proof, Session
    from backends.sql.rows import Row, Values
    from ipam.model import Host, StoreConfig

    T = TypeVar("T")


class RemoteDatabase(Database):
    """A ServerDatabase, made at its first use: importing SQLAlchemy would keep the callers of a daemon waiting."""

    traits = frozenset({Trait.CHAINED, Trait.DURABLE, Trait.HISTORY, Trait.MULTI_HOST, Trait.REPLAY})

    def __init__(self, config: StoreConfig, host: Host) -> None:
        self._config = config
        self._host = host
        self._lock = Lock()
        self._made: Database | None = None

    def _database(self) -> Database:
        """Raises InvalidConfig where the driver is missing, or the URL is none."""
        with self._lock:
            if self._made is None:
                try:
                    from backends.sql.server import ServerDatabase
                except ImportError as error:
                    raise InvalidConfig(
                        f"store {quote(self._config.shown)} needs {quote(error.name)}, which is not installed",
                        "pip install 'ipam-cni[postgresql]', then run `ipam install` again",
                    ) from None
                self._made = ServerDatabase(self._config, self._host)
            return self._made

    def write(self, action: Callable[[Session], tuple[T, Proof | None]], *, now: bool = False) -> T:
        """See Database. Nobody can tell beforehand how long a server takes."""
        if now:
            raise Busy
        return self._database().write(action)

    def read(self, name: str, values: Values) -> Iterator[Row]:
        """See Database."""
        return self._database().read(name, values)

    def check(self) -> None:
        """See Database."""
        self._database().check()

    def upgrade(self) -> str:
        """See Database."""
        return self._database().upgrade()

    def close(self) -> None:
        """See Database."""
        with self._lock:
            if self._made is not None:
                self._made.close()
