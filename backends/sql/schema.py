"""The tables, for every dialect: what statements, migrations and generated text are made from."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

# No foreign keys: a network's row is never removed, and every change holds its lock.

METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts INTEGER primary keys by itself
_KEY = LargeBinary(17)  # see keys.py
_LINK = LargeBinary(32)  # see ipam.chain


def _lease_columns() -> list[Column[object]]:
    """What is recorded of a lease, in leases and in events."""
    return [
        Column("container_id", Text, nullable=False),
        Column("ifname", Text, nullable=False),
        Column("range_set", Integer),
        Column("namespace", Text, nullable=False),
        Column("pod", Text, nullable=False),
        Column("uid", Text, nullable=False),
        Column("since", Double, nullable=False),
        Column("claimed_in", Text, nullable=False),
        Column("node", Text, nullable=False),
    ]


networks = Table(
    "networks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    implicit_returning=False,
)

leases = Table(
    "leases",
    METADATA,
    Column("network", Integer, primary_key=True, autoincrement=False),
    Column("address", _KEY, primary_key=True),
    *_lease_columns(),
    Index("leases_by_attachment", "container_id", "ifname"),
    Index("leases_by_node", "node"),
    sqlite_with_rowid=False,
)

free = Table(  # what is neither leased nor resting, as intervals that do not touch: the next one is one look away
    "free",
    METADATA,
    Column("network", Integer, primary_key=True, autoincrement=False),
    Column("last", _KEY, primary_key=True),
    Column("first", _KEY, nullable=False),
    sqlite_with_rowid=False,
)

resting = Table(
    "resting",
    METADATA,
    Column("network", Integer, primary_key=True, autoincrement=False),
    Column("address", _KEY, primary_key=True),
    Column("until", Double, nullable=False),
    Index("resting_by_time", "network", "until"),
    sqlite_with_rowid=False,
)

cursors = Table(
    "cursors",
    METADATA,
    Column("network", Integer, primary_key=True, autoincrement=False),
    Column("range_set", Integer, primary_key=True, autoincrement=False),
    Column("address", _KEY, nullable=False),
    sqlite_with_rowid=False,
)

boots = Table(
    "boots",
    METADATA,
    Column("network", Integer, primary_key=True, autoincrement=False),
    Column("node", Text, primary_key=True),
    Column("boot", Text, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("network", Integer, nullable=False),
    Column("time", Double, nullable=False),
    Column("boot", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("link", _LINK, nullable=False),
    Column("address", _KEY, nullable=False),
    *_lease_columns(),
    Index("events_in_order", "network", "id"),
    Index("events_by_time", "network", "time"),
    Index("events_by_address", "network", "address"),
    Index("events_by_attachment", "network", "container_id"),
    implicit_returning=False,
)

chains = Table(  # of a network's events: not in its row, whose lock is taken in turns as long as nobody writes to it
    "chains",
    METADATA,
    Column("network", Integer, primary_key=True, autoincrement=False),
    Column("written", _NUMBER, nullable=False),
    Column("last", _LINK, nullable=False),
    Column("forgotten", _NUMBER, nullable=False),
    Column("begins", _NUMBER, nullable=False),
    Column("head", _LINK, nullable=False),
    Column("carried", _LINK, nullable=False),
    sqlite_with_rowid=False,
)

# Alembic's own table, under a name that tells what it is; Alembic makes and writes it.
version = Table(
    "schema_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="schema_version_pkc"),
)
