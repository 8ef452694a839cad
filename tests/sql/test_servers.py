"""Servers as they may be set up: what a URL can say of them, encodings, and several who come at once."""

from threading import Thread

import pytest

from ipam.errors import InputOutput, InvalidConfig, StoreUnavailable
from ipam.model import Pod
from tests.sql.allocation import LEASE, claim, opened
from tests.sql.cluster import Cluster


@pytest.mark.parametrize("setting", ["autocommit=1", "prepare_threshold=0", "row_factory=x", "context=1", "mistyped=1"])
def test_a_setting_that_the_driver_alone_would_take_is_refused(setting: str, postgresql: Cluster) -> None:
    url = postgresql.store()
    with opened(f"{url}&{setting}") as store:
        for attempt in (lambda: claim(store), store.check, lambda: list(store.networks()), store.upgrade):
            with pytest.raises(InvalidConfig, match=f'libpq does not know: "{setting.partition("=")[0]}"'):
                attempt()
    with opened(url) as store:
        assert list(store.networks()) == []


def test_a_database_without_an_encoding_is_as_good_as_any(postgresql: Cluster) -> None:
    postgresql.sql("CREATE DATABASE plain TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    lease = LEASE.replace(pod=Pod("default", "\N{SNOWMAN}\0"))
    with opened(postgresql.url("plain")) as store:
        store.upgrade()
        claim(store, lease)
        store.check()
        assert list(store.leases("net")) == [lease]
        assert store.verify("net").problems == ()


def test_a_database_that_lacks_a_character_is_an_error_and_no_lease(postgresql: Cluster) -> None:
    postgresql.sql("CREATE DATABASE western TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with opened(postgresql.url("western")) as store:
        store.upgrade()
        with pytest.raises(InputOutput, match="cannot keep every text") as refused:
            claim(store, LEASE.replace(pod=Pod("default", "\N{SNOWMAN}")))
        assert "ENCODING 'UTF8'" in refused.value.details
        claim(store)
        assert list(store.leases("net")) == [LEASE]


def test_who_makes_a_schema_that_somebody_is_making_waits_for_it(postgresql: Cluster) -> None:
    url, said = postgresql.empty(), []

    def upgrade() -> None:
        with opened(url) as store:
            said.append(store.upgrade())

    threads = [Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["schema (none) is now 0001", *["schema 0001 is up to date"] * 3]


def test_a_server_that_was_restarted_while_nobody_asked_is_ready(postgresql: Cluster) -> None:
    with opened(postgresql.store()) as store:
        store.check()
        postgresql.kill()
        postgresql.start()
        store.check()
        postgresql.kill()
        try:
            with pytest.raises(StoreUnavailable, match="is not available"):
                store.check()
        finally:
            postgresql.start()
