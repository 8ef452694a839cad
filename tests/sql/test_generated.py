"""The tables are defined once: generated text, migrations and real databases agree with it."""

import re
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from backends.sql import generate, generated
from backends.sql.database import SCHEMA
from backends.sql.schema import METADATA, version
from backends.sql.statements import STATEMENTS
from backends.sql.upgrade import MIGRATIONS, upgrade_sqlite
from tests.sql.cluster import Cluster

# What these find, they find by an index. The others are asked by people, who want everything.
OF_EVERYTHING = {
    "parts",
    "clear_free",
    "cursors",
    "networks",
    "version",
    "ready",
    "leases",
    "events",
    "resting",
    "forget",
}


def schema_of(connection: sqlite3.Connection) -> set[str]:
    """The statements that made what is in a database."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {" ".join(sql.split()) for (sql,) in rows}


@pytest.fixture
def generated_database() -> sqlite3.Connection:
    """A database made of the generated text."""
    connection = sqlite3.connect(":memory:")
    for statement in generated.TABLES:
        connection.execute(statement)
    return connection


def test_the_text_is_what_the_model_says() -> None:
    remedy = "run: python -m backends.sql.generate, and ruff format"
    assert generate.tables() == generated.TABLES, remedy
    assert generate.statements() == generated.STATEMENTS, remedy


def test_the_migrations_make_what_the_text_makes(tmp_path: Path, generated_database: sqlite3.Connection) -> None:
    path = tmp_path / "migrated.db"
    sqlite3.connect(path).close()
    assert upgrade_sqlite(str(path), 5) == ""
    assert upgrade_sqlite(str(path), 5) == SCHEMA
    connection = sqlite3.connect(path)
    assert schema_of(connection) == schema_of(generated_database)
    connection.close()


def test_the_migrations_make_what_the_model_says_on_a_server(postgresql: Cluster) -> None:
    engine = create_engine(postgresql.store())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": version.name, "compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == SCHEMA
    engine.dispose()


def test_the_newest_migration_is_the_schema_of_this_version() -> None:
    steps = [path.read_text() for path in (MIGRATIONS / "versions").glob("[!_]*.py")]
    assert max(re.findall(r'^revision = "(\d{4})"$', "\n".join(steps), re.M)) == SCHEMA


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - OF_EVERYTHING))
def test_no_statement_of_a_change_reads_a_whole_table(name: str, generated_database: sqlite3.Connection) -> None:
    text = generated.STATEMENTS[name]
    values = dict.fromkeys(re.findall(r":(\w+)", text), b"")
    plan = [row[3] for row in generated_database.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    looks = [step for step in plan if "schema_version" not in step and "SUBQUERY" not in step]
    looks = [step for step in looks if not step.startswith("SEARCH chains ")]  # where a network has one row
    assert not [step for step in looks if step.startswith("SCAN") or "(network=?)" in step]
    assert not [step for step in looks if "TEMP B-TREE" in step and name != "events_since"]
