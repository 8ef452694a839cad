"""Bringing a schema up to date, with Alembic: by itself on SQLite, by `ipam store upgrade` on a server."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, event, exc, inspect
from sqlalchemy.engine import URL

from backends.sql.database import SCHEMA, Outdated, require_schema
from backends.sql.schema import METADATA, version
from ipam.errors import InputOutput, StoreUnavailable, TryAgain
from ipam.jsontext import quote

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(connection: Connection, place: str) -> str:
    """Run what migrations are missing, within the connection's transaction; the version that was there before.

    Raises StoreUnavailable where the schema is newer than SCHEMA, or none that migrations begin with.
    """
    context = MigrationContext.configure(connection, opts={"version_table": version.name})
    try:
        before = context.get_current_revision() or ""
        require_schema(before, place)
    except Outdated:
        _require_room(connection, before, place)
    except CommandError as error:
        raise _unknown(place, error) from None
    else:
        return before
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, SCHEMA)
    except CommandError as error:
        raise _unknown(place, error) from None
    return before


def _require_room(connection: Connection, before: str, place: str) -> None:
    """Return where the first migration can make its tables. Raises StoreUnavailable where some are there."""
    taken = [] if before else sorted(METADATA.tables.keys() & inspect(connection).get_table_names())
    if taken:
        raise StoreUnavailable(
            f"{place} has a table {taken[0]}, and {version.name} does not say of which schema",
            "nothing was touched; name a database that no other program uses, or restore this one from a backup",
        )


def _unknown(place: str, error: CommandError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{place} has a schema that no version of the plugin knows: {quote(str(error), 200)[1:-1]}",
        f"nothing was touched; restore it from a backup, {version.name} above all",
    )


def upgrade_sqlite(path: str, timeout: float) -> str:
    """The same for a file, under the lock that every writer takes. Raises an error of the driver's too.

    Raises TryAgain after `timeout` seconds, InputOutput where there can be no lock.
    """
    try:
        with FileLock(f"{path}.lock", timeout=timeout, mode=0o600):
            return _upgrade_file(path, timeout)
    except Timeout:
        raise TryAgain(f"{path}.lock is still held after {timeout:g} s", "try again later") from None
    except OSError as error:
        raise InputOutput(f"{path}.lock: {error.strerror}", "see to the directory") from None


def _upgrade_file(path: str, timeout: float) -> str:
    engine = create_engine(URL.create("sqlite", database=path), connect_args={"timeout": timeout})
    event.listen(engine, "connect", _begin_nothing)
    event.listen(engine, "begin", _begin_immediately)
    try:
        with engine.begin() as connection:
            return upgrade(connection, path)
    except exc.DBAPIError as error:
        raise (error.orig or error) from None
    finally:
        engine.dispose()


# The driver begins transactions late and commits before it alters tables: a kill would leave half a migration.


def _begin_nothing(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediately(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
