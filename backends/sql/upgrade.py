"""Bringing a schema up to date, with Alembic: by itself on SQLite, by `ipam store upgrade` on a server."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL

from backends.sql.database import SCHEMA, Outdated, require_schema
from backends.sql.schema import version
from ipam.errors import TryAgain

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, place: str) -> str:
    """Run what migrations are missing, within the connection's transaction; the version that was there before.

    Raises StoreUnavailable where the schema is newer than SCHEMA.
    """
    context = MigrationContext.configure(connection, opts={"version_table": version.name})
    before = context.get_current_revision() or ""
    try:
        require_schema(before, place)
    except Outdated:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA)
    return before


def upgrade_sqlite(path: str, timeout: float) -> str:
    """The same for a file, under the lock that every writer takes. Raises TryAgain after `timeout` seconds."""
    try:
        with FileLock(f"{path}.lock", timeout=timeout, mode=0o600):
            engine = create_engine(URL.create("sqlite", database=path), connect_args={"timeout": timeout})
            event.listen(engine, "connect", _begin_nothing)
            event.listen(engine, "begin", _begin_immediately)
            try:
                with engine.begin() as connection:
                    return upgrade(connection, path)
            finally:
                engine.dispose()
    except Timeout:
        raise TryAgain(f"{path}.lock is still held after {timeout:g} s", "try again later") from None


# The driver begins transactions late and commits before it alters tables: a kill would leave half a migration.


def _begin_nothing(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediately(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
