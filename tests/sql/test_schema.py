"""Schemas that are none of ours, or not told of: nothing is touched, and the error says what to do."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ipam.errors import StoreUnavailable, TryAgain
from ipam.store import Busy, Store
from tests.sql.allocation import LEASE, claim, opened, sqlite_url
from tests.sql.cluster import Cluster

Sql = Callable[[str], object]


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Sql]:
    """The URL of a store with a lease, and what runs SQL in it."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path)
        with opened(url) as store:
            claim(store)
        return url, lambda text: _in_file(tmp_path / "ipam.db", text)
    cluster: Cluster = request.getfixturevalue("postgresql")
    url = cluster.store()
    with opened(url) as store:
        claim(store)
    return url, lambda text: cluster.sql(text, url.partition("@/")[2].partition("?")[0])


def _in_file(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(text)
    connection.commit()
    connection.close()


def refusals(store: Store) -> list[str]:
    """What is said to who changes, looks, forgets and upgrades; all of it is code 11."""
    said = []
    for attempt in (
        lambda: claim(store),
        lambda: list(store.leases("net")),
        lambda: store.forget("net", 1.0),
        store.upgrade,
    ):
        with pytest.raises(StoreUnavailable) as refused:
            attempt()
        said.append(f"{refused.value.msg}; {refused.value.details}")
    return said


def test_a_schema_that_is_not_told_of_is_no_bug_of_ours(filled: tuple[str, Sql]) -> None:
    url, sql = filled
    sql("DELETE FROM schema_version")
    with opened(url) as store:
        *looks, upgrade = refusals(store)
        assert "has a table boots, and schema_version does not say of which schema" in upgrade
        assert "restore this one from a backup" in upgrade
        assert all("newest" not in each for each in looks)
        sql("INSERT INTO schema_version (version_num) VALUES ('0001')")
        assert len(list(store.leases("net"))) == 1


@pytest.mark.parametrize("change", ["UPDATE schema_version SET version_num = '0000'",
                                    "INSERT INTO schema_version (version_num) VALUES ('0000')"])  # fmt: skip
def test_a_schema_that_nobody_knows_cannot_be_upgraded(filled: tuple[str, Sql], change: str) -> None:
    url, sql = filled
    sql(change)
    with opened(url) as store, pytest.raises(StoreUnavailable, match="no version of the plugin knows") as refused:
        store.upgrade()
    assert "restore it from a backup" in refused.value.details


def test_a_database_with_tables_of_the_same_names_is_left_to_its_owner(postgresql: Cluster) -> None:
    url = postgresql.empty()
    postgresql.sql("CREATE TABLE networks (x int)", url.partition("@/")[2].partition("?")[0])
    with opened(url) as store, pytest.raises(StoreUnavailable, match="has a table networks") as refused:
        store.upgrade()
    assert "name a database that no other program uses" in refused.value.details


def test_a_schema_that_somebody_keeps_locked_cannot_be_upgraded_just_now(tmp_path: Path) -> None:
    path, url = tmp_path / "ipam.db", sqlite_url(tmp_path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL)")
    connection.execute("BEGIN IMMEDIATE")
    with opened(url, lock_timeout=0.2) as store:
        with pytest.raises(TryAgain, match="locked by another program"):
            store.upgrade()
        connection.execute("ROLLBACK")
        connection.close()
        assert store.upgrade() == "schema (none) is now 0001"


def test_a_file_that_does_not_keep_what_it_is_told_gets_no_schema(tmp_path: Path) -> None:
    path = tmp_path / "ipam.db"
    path.touch(0o600)
    with opened(sqlite_url(tmp_path)) as store, pytest.raises(StoreUnavailable, match="is empty, no database"):
        store.upgrade()
    assert path.stat().st_size == 0


def test_who_must_not_wait_upgrades_no_schema(tmp_path: Path) -> None:
    path, url = tmp_path / "ipam.db", sqlite_url(tmp_path)
    with opened(url) as store:
        claim(store)
        _in_file(path, "DELETE FROM schema_version")
        with pytest.raises(Busy):
            store.transact_now("net", lambda tx: tx.held_by(LEASE.attachment))
