"""0001: networks, leases, free and resting addresses, cursors, boots, history and its chains."""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, Text

revision = "0001"
down_revision = None

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_KEY = LargeBinary(17)
_LINK = LargeBinary(32)


def _lease_columns() -> list[Column[Any]]:
    texts = [Column(name, Text, nullable=False) for name in ("container_id", "ifname")]
    return [
        *texts,
        Column("range_set", Integer),
        *[Column(name, Text, nullable=False) for name in ("namespace", "pod", "uid")],
        Column("since", Double, nullable=False),
        *[Column(name, Text, nullable=False) for name in ("claimed_in", "node")],
    ]


def _of_network() -> Column[Any]:
    return Column("network", Integer, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Make everything."""
    op.create_table(
        "networks", Column("id", Integer, primary_key=True), Column("name", Text, nullable=False, unique=True)
    )
    op.create_table(
        "leases",
        _of_network(),
        Column("address", _KEY, primary_key=True),
        *_lease_columns(),
        sqlite_with_rowid=False,
    )
    op.create_index("leases_by_attachment", "leases", ["container_id", "ifname"])
    op.create_index("leases_by_node", "leases", ["node"])
    op.create_table(
        "free",
        _of_network(),
        Column("last", _KEY, primary_key=True),
        Column("first", _KEY, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "resting",
        _of_network(),
        Column("address", _KEY, primary_key=True),
        Column("until", Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("resting_by_time", "resting", ["network", "until"])
    op.create_table(
        "cursors",
        _of_network(),
        Column("range_set", Integer, primary_key=True, autoincrement=False),
        Column("address", _KEY, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "boots",
        _of_network(),
        Column("node", Text, primary_key=True),
        Column("boot", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        Column("id", _NUMBER, primary_key=True, autoincrement=True),
        Column("network", Integer, nullable=False),
        Column("time", Double, nullable=False),
        *[Column(name, Text, nullable=False) for name in ("boot", "what", "cause", "note")],
        Column("link", _LINK, nullable=False),
        Column("address", _KEY, nullable=False),
        *_lease_columns(),
    )
    op.create_index("events_in_order", "events", ["network", "id"])
    op.create_index("events_by_time", "events", ["network", "time"])
    op.create_index("events_by_address", "events", ["network", "address"])
    op.create_index("events_by_attachment", "events", ["network", "container_id"])
    op.create_table(
        "chains",
        _of_network(),
        Column("written", _NUMBER, nullable=False),
        Column("last", _LINK, nullable=False),
        Column("forgotten", _NUMBER, nullable=False),
        Column("begins", _NUMBER, nullable=False),
        Column("head", _LINK, nullable=False),
        Column("carried", _LINK, nullable=False),
        sqlite_with_rowid=False,
    )
