"""PostgreSQL: servers that are away, silent, slow, or gone in the middle of a commit."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from ipam import allocator
from ipam.errors import CniError, InputOutput, InvalidConfig, StoreUnavailable, TryAgain
from ipam.model import NO_POD, Address, Attachment, Cause, Lease
from ipam.plugin import this_host
from ipam.store import Busy, Store, Trait, Transaction
from ipam.testing.fixtures import network, small_range, who
from tests.conftest import Call
from tests.daemon.calls import code, environment
from tests.sql.allocation import config, opened
from tests.sql.cluster import Cluster
from tests.sql.proxy import FREEZE, LOSE_ANSWER, LOSE_COMMIT, Proxy

LEASE = Lease(Address(4, 0x0A140002), Attachment("c1", "eth0"), 0)
PATIENCE = 0.5
MUCH_LATER = 20.0


def add(store: Store, name: str) -> Lease:
    """What ADD does."""
    net = network(small_range(200))
    (lease,) = store.transact("net", lambda tx: allocator.allocate(tx, net, who(name), NO_POD, this_host()))
    return lease


@pytest.fixture
def url(postgresql: Cluster) -> str:
    """An empty store."""
    return postgresql.store()


@pytest.fixture
def proxy(postgresql: Cluster) -> Iterator[Proxy]:
    """A way to the server that can fail."""
    with (
        tempfile.TemporaryDirectory(prefix="ipam-") as directory,
        Proxy(Path(directory), postgresql.directory) as proxy,
    ):
        yield proxy


@pytest.fixture
def proxied(proxy: Proxy, postgresql: Cluster, url: str) -> str:
    """The same store behind the proxy."""
    directory = Path(proxy._listener.getsockname()).parent
    return url.replace(str(postgresql.directory), str(directory))


def test_nobody_can_tell_how_long_a_server_takes(url: str) -> None:
    with opened(url) as store:
        assert Trait.MULTI_HOST in store.traits
        with pytest.raises(Busy):
            store.transact_now("net", lambda tx: tx.held_by(who("one")))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://ipam@/db?host=/nowhere", "No such file or directory"),
        ("postgresql+psycopg://ipam@127.0.0.1:1/db", "Connection refused"),
        ("postgresql+psycopg://ipam:geheim@there.invalid/db", "there.invalid"),
    ],
)
def test_a_server_that_is_away_is_code_11_at_once_and_names_no_password(url: str, said: str) -> None:
    with opened(url, lock_timeout=MUCH_LATER) as store:
        for attempt in (lambda: add(store, "one"), store.check, lambda: list(store.leases("net")), store.upgrade):
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable) as refused:
                attempt()
            assert time.monotonic() - begun < MUCH_LATER / 2
            assert (refused.value.code, said in refused.value.msg) == (11, True), refused.value.msg
            assert "geheim" not in refused.value.msg + refused.value.details


def test_a_database_that_is_not_there_is_named(postgresql: Cluster) -> None:
    with opened(postgresql.url("nobody_made_it")) as store, pytest.raises(StoreUnavailable, match="does not exist"):
        add(store, "one")


def test_a_url_that_is_none_is_refused() -> None:
    with (
        opened("postgresql+psycopg://host:port/db") as store,
        pytest.raises(InvalidConfig, match="no URL of a database"),
    ):
        add(store, "one")


def test_a_database_without_schema_says_what_to_do(postgresql: Cluster) -> None:
    with opened(postgresql.empty()) as store:
        for attempt in (lambda: add(store, "one"), store.check, lambda: list(store.networks())):
            with pytest.raises(StoreUnavailable) as refused:
                attempt()
            assert "ipam store upgrade" in refused.value.details
        assert store.upgrade() == "schema (none) is now 0001"
        store.check()
        assert add(store, "one").address == Address(4, small_range().start + 1)
        assert store.upgrade() == "schema 0001 is up to date"


def test_a_newer_schema_is_not_touched(postgresql: Cluster, url: str) -> None:
    database = url.partition("@/")[2].partition("?")[0]
    postgresql.sql("UPDATE schema_version SET version_num = '9999'", database)
    with opened(url) as store:
        for attempt in (lambda: add(store, "one"), store.check, lambda: list(store.networks()), store.upgrade):
            with pytest.raises(StoreUnavailable, match='schema "9999"') as refused:
                attempt()
            assert "upgrade the plugin" in refused.value.details
    assert postgresql.sql("SELECT count(*) FROM networks", database) == "0"


def test_a_standby_cannot_be_written(url: str) -> None:
    with opened(f"{url}&options=-c%20default_transaction_read_only%3Don") as store:
        with pytest.raises(InputOutput, match="read-only transaction"):
            add(store, "one")
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            store.check()


@pytest.mark.parametrize("before", ["connecting", "the first statement"])
def test_a_server_that_falls_silent_is_given_up_in_time(before: str, proxy: Proxy, proxied: str) -> None:
    with opened(proxied, lock_timeout=PATIENCE) as store:
        if before == "the first statement":
            add(store, "one")
        proxy.mode = FREEZE
        for attempt in (lambda: add(store, "two"), store.check, lambda: list(store.leases("net"))):
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable, match="does not answer"):
                attempt()
            assert PATIENCE / 2 < time.monotonic() - begun < MUCH_LATER


def test_a_network_that_others_lock_is_waited_for_no_longer_than_it_takes(url: str) -> None:
    with opened(url) as holder, opened(url, lock_timeout=PATIENCE) as waiter:
        add(holder, "one")

        def change(tx: Transaction) -> None:
            with pytest.raises(TryAgain, match="locked by others"):
                add(waiter, "two")
            assert waiter.transact("another", lambda tx: tx.held_by(who("two"))) == []

        holder.transact("net", change)
        assert add(waiter, "two").address == Address(4, small_range().start + 2)


def test_networks_of_one_server_do_not_wait_for_each_other(url: str) -> None:
    with opened(url) as one, opened(url, lock_timeout=PATIENCE) as other:
        add(one, "one")
        claim = Lease(Address(4, 7), who("x"), None)
        one.transact("net", lambda tx: other.transact("second", lambda there: there.claim(claim, Cause.ADD)))
        assert list(other.leases("second")) == [claim]


@pytest.mark.parametrize("mode", [LOSE_COMMIT, LOSE_ANSWER])
def test_a_change_whose_commit_was_not_answered_is_done_once(mode: str, proxy: Proxy, proxied: str) -> None:
    with opened(proxied) as store:
        first = add(store, "one")
        proxy.mode = mode
        lease = add(store, "two")
        assert list(store.leases("net")) == [first, lease]
        assert [event.lease for event in store.history("net")] == [first, lease]
        assert (store.verify("net").links, store.verify("net").problems) == (2, ())


def test_a_server_that_is_gone_after_the_commit_leaves_a_doubt(proxy: Proxy, proxied: str) -> None:
    with opened(proxied, lock_timeout=PATIENCE) as store:
        add(store, "one")
        proxy.mode, proxy.lost = LOSE_ANSWER, lambda: setattr(proxy, "mode", FREEZE)
        with pytest.raises(StoreUnavailable) as refused:
            add(store, "two")
        assert "may have been made" in refused.value.details


def test_the_connection_of_a_server_that_was_restarted_is_made_anew(postgresql: Cluster, url: str) -> None:
    with opened(url) as store:
        add(store, "one")
        postgresql.kill()
        restart = Thread(target=postgresql.start)
        restart.start()
        lease = add(store, "two")  # waits: it was there a moment ago
        restart.join()
        assert lease in list(store.leases("net"))


def test_two_hosts_that_make_one_network_at_once_both_succeed(url: str) -> None:
    with opened(url) as one, opened(url) as other:
        leases: list[Lease] = []
        begun: list[int] = []

        def change(tx: Transaction) -> None:
            begun.append(1)
            tx.claim(LEASE.replace(address=Address(4, 1)), Cause.ADD)
            if len(begun) == 1:  # the other's row waits for ours, and is refused when we commit
                thread.start()
                time.sleep(0.1)

        thread = Thread(target=lambda: leases.append(add(other, "other")))
        one.transact("net", change)
        thread.join()
        assert len(list(one.leases("net"))) == len(leases) + 1 == 2


@pytest.mark.parametrize("state", ["40001", "40P01"], ids=["serialization failure", "deadlock"])
def test_a_change_that_meets_a_conflict_runs_again(state: str, url: str) -> None:
    runs = []

    def change(tx: Transaction) -> None:
        tx.claim(LEASE, Cause.ADD)
        runs.append(1)
        if len(runs) < 3:
            connection = tx._session._connection  # type: ignore[attr-defined]
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")

    with opened(url) as store:
        store.transact("net", change)
        assert len(runs) == 3
        assert list(store.leases("net")) == [LEASE]
        assert len(list(store.history("net"))) == 1


def test_a_server_without_room_for_another_connection_is_waited_for(postgresql: Cluster, url: str) -> None:
    postgresql.sql("CREATE ROLE limited LOGIN CONNECTION LIMIT 1")
    postgresql.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO limited", url.partition("@/")[2].partition("?")[0])
    postgresql.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO limited", url.partition("@/")[2].partition("?")[0])
    limited = url.replace("//ipam@", "//limited@")
    with opened(limited) as first, opened(limited) as second, opened(limited, lock_timeout=PATIENCE) as third:
        add(first, "one")  # whose connection stays open
        with pytest.raises(StoreUnavailable, match="too many connections"):
            add(third, "three")
        leave = Thread(target=lambda: (time.sleep(PATIENCE), first.close()))
        leave.start()
        add(second, "two")
        leave.join()


def test_a_password_may_come_from_a_file(postgresql: Cluster, url: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content, said in ((b"", "one line"), (b"a\nb\n", "one line"), (b"\xff", "one line")):
        file.write_bytes(content)
        with opened(url, password_file=str(file)) as store, pytest.raises(InputOutput, match=said):
            add(store, "one")
    with opened(url, password_file=str(tmp_path / "none")) as store, pytest.raises(InputOutput, match="No such file"):
        add(store, "one")
    postgresql.sql("CREATE ROLE secretive LOGIN SUPERUSER PASSWORD 'geheim'")
    hba = Path(postgresql.sql("SHOW hba_file"))
    rules = hba.read_text()
    hba.write_text(f"local all secretive scram-sha-256\n{rules}")
    try:
        postgresql.sql("SELECT pg_reload_conf()")
        secret = url.replace("//ipam@", "//secretive@")
        with opened(secret) as store, pytest.raises(CniError, match="password"):
            add(store, "one")
        file.write_bytes(b"geheim\n")
        with opened(secret, password_file=str(file)) as store:
            add(store, "one")
        file.write_bytes(b"*:*:*:secretive:geheim\n")
        file.chmod(0o600)
        with opened(f"{secret}&passfile={file}") as store:
            add(store, "two")
    finally:
        hba.write_text(rules)
        postgresql.sql("SELECT pg_reload_conf()")


def test_a_password_file_that_is_none_is_not_waited_for(url: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        with opened(url, password_file=str(path)) as store, pytest.raises(InputOutput, match="no regular file"):
            add(store, "one")


def test_status_of_a_server_that_is_away_is_50_and_add_is_11(call: Call) -> None:
    stdin = config("postgresql+psycopg://ipam@/db?host=/nowhere", version="1.1.0", lockTimeout=1)
    for command, expected in (("STATUS", 50), ("ADD", 11), ("DEL", 11)):
        answer = call(environment(command), stdin)
        assert (answer.code, code(answer.stdout)) == (1, expected), answer.stdout


def test_a_call_through_every_door_leases_in_the_same_server(call: Call, url: str) -> None:
    stdin = config(url, version="1.1.0", nodeName="node-7")
    for command in ("STATUS", "ADD", "CHECK"):
        assert call(environment(command), stdin).code == 0
    with opened(url) as store:
        (lease,) = store.leases("net")
        assert lease.node == "node-7"
    assert call(environment("DEL"), stdin).code == 0
