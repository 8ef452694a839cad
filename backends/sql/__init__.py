"""Leases in a database: SQLite embedded, PostgreSQL for many hosts, by one set of tables and statements."""

from __future__ import annotations

from backends.sql.store import SqlStore
from ipam.errors import InvalidConfig
from ipam.jsontext import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.sql.database import Database
    from ipam.model import Host, StoreConfig


def open_store(config: StoreConfig, host: Host) -> SqlStore:
    """The store for `sqlite:////absolute/path` or `postgresql+psycopg://user@host/database`.

    Raises InvalidConfig for any other form.
    """
    return SqlStore(open_database(config, host), host)


def open_database(config: StoreConfig, host: Host) -> Database:
    """What the store of that URL executes its statements with."""
    if config.url.startswith("sqlite:"):
        return _open_sqlite(config)
    from backends.sql.remote import RemoteDatabase

    return RemoteDatabase(config, host)


def _open_sqlite(config: StoreConfig) -> Database:
    from backends.sql.sqlite import SqliteDatabase

    scheme, _, path = config.url.partition("://")
    if scheme != "sqlite" or not path.startswith("//") or path.endswith("/") or "?" in path or ":memory:" in path:
        raise InvalidConfig(
            f"ipam.store must be sqlite:////absolute/path, not {quote(config.shown)}",
            "four slashes (three, and the path's own), and nothing behind the path",
        )
    return SqliteDatabase(path[1:], lock_timeout=config.lock_timeout)
