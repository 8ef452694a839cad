"""SQLite: one file, which is trusted only where it can be, and never by two schemas."""

import sqlite3
import subprocess
import sys
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path

import pytest

from backends.sql import sqlite
from backends.sql.database import SCHEMA
from ipam.errors import CniError, InputOutput, InvalidConfig, StoreUnavailable, TryAgain
from ipam.model import Address, Attachment, Cause
from ipam.store import Busy, Transaction
from tests.daemon.calls import code, environment
from tests.sql.allocation import LEASE, claim, config, opened
from tests.unit.test_cost import HEAVY, imported


def test_the_file_appears_whole_for_its_owner_alone(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
        names = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert names == dict.fromkeys(["ipam.db", "ipam.db-wal", "ipam.db-shm", "ipam.db.lock"], 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_every_commit_is_on_the_disk(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
        (session,) = store._database._idle  # type: ignore[attr-defined]
        assert session.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert session.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_file_with_another_journal_is_refused(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    with opened(url) as store, pytest.raises(StoreUnavailable, match="journal_mode is delete"):
        claim(store)


def test_nothing_is_made_beside_what_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    with opened(f"sqlite:///{path.parent}") as store, pytest.raises(InputOutput, match="is no regular file"):
        claim(store)
    assert list(path.parent.parent.iterdir()) == [path.parent]


@pytest.mark.parametrize("what", ["link", "writable", "directory", "text", "nothing", "other database"])
def test_what_cannot_be_trusted_is_left_alone(what: str, path: Path, url: str, tmp_path: Path) -> None:
    with opened(url) as store:
        claim(store)
    if what == "link":
        path.rename(tmp_path / "elsewhere.db")
        path.symlink_to(tmp_path / "elsewhere.db")
    elif what == "writable":
        path.chmod(0o666)
    else:
        path.unlink()
        if what == "directory":
            path.mkdir()
        elif what == "text":
            path.write_text("no database at all\n" * 100)
        elif what == "nothing":
            path.touch(0o600)
        else:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE mine (x)")
            connection.close()
    before = path.read_bytes() if path.is_file() else b""
    with opened(url) as store:
        with pytest.raises(StoreUnavailable if what == "nothing" else InputOutput) as refused:
            claim(store)
        assert str(path) in refused.value.msg
        with pytest.raises(StoreUnavailable):
            store.check()
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_newer_schema_is_not_touched(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with opened(url) as store:
        for attempt in (lambda: claim(store), store.check, lambda: list(store.leases("net")), store.upgrade):
            with pytest.raises(StoreUnavailable, match='schema "9999"') as refused:
                attempt()
            assert (refused.value.code, "upgrade the plugin" in refused.value.details) == (11, True)
    assert path.read_bytes() == before


def test_an_older_schema_is_brought_up_to_date_by_itself(path: Path, url: str) -> None:
    # A file as Alembic leaves it before its first step.
    path.parent.mkdir(mode=0o700)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL)")
    connection.close()
    with opened(url) as store:
        store.check()
        assert list(store.leases("net")) == []
        claim(store)
        assert list(store.leases("net")) == [LEASE]
        assert store.upgrade() == f"schema {SCHEMA} is up to date"


def test_who_would_have_to_wait_is_told_at_once(path: Path, url: str) -> None:
    with opened(url, lock_timeout=0.2) as store:
        claim(store)
        with (path.parent / "ipam.db.lock").open("rb") as lock:
            flock(lock, LOCK_EX)
            with pytest.raises(Busy):
                store.transact_now("net", lambda tx: tx.held_by(LEASE.attachment))
            with pytest.raises(TryAgain, match=r"ipam\.db\.lock is still held after 0\.2 s by pid \d+"):
                claim(store)
            flock(lock, LOCK_UN)
        assert store.transact_now("net", lambda tx: tx.held_by(LEASE.attachment)) == [LEASE]


def test_who_does_not_take_our_lock_is_waited_for_too(path: Path, url: str) -> None:
    with opened(url, lock_timeout=0.2) as store:
        claim(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgain, match="locked by another program"):
            store.transact("net", lambda tx: tx.drop(LEASE, Cause.DEL))
        other.execute("ROLLBACK")
        other.close()
        store.transact("net", lambda tx: tx.drop(LEASE, Cause.DEL))
        assert list(store.leases("net")) == []


def test_a_file_that_was_replaced_is_opened_anew(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
        for file in path.parent.iterdir():
            file.unlink()
        assert list(store.leases("net")) == []
        claim(store)
        assert list(store.leases("net")) == [LEASE]


def test_the_log_of_a_file_that_was_removed_is_not_that_of_the_next_one(path: Path, url: str) -> None:
    script = (
        "import os, sys\nfrom tests.sql.allocation import claim, opened\n"
        "with opened(sys.argv[1]) as store:\n    claim(store)\n    os._exit(0)\n"  # as a one-shot ends
    )
    subprocess.run([sys.executable, "-c", script, url], check=True)
    assert path.with_name("ipam.db-wal").stat().st_size
    path.unlink()
    with opened(url) as store:
        assert list(store.leases("net")) == []
        claim(store)
        assert list(store.leases("net")) == [LEASE]
        assert store.verify("net").problems == ()


def test_who_does_not_take_our_lock_keeps_nobody_else_waiting(path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            store.transact_now("net", lambda tx: tx.held_by(LEASE.attachment))
        other.execute("ROLLBACK")
        other.close()
        assert store.transact_now("net", lambda tx: tx.held_by(LEASE.attachment)) == [LEASE]


def test_the_log_stays_short(path: Path, url: str) -> None:
    log = path.with_name("ipam.db-wal")
    with opened(url) as store:
        for number in range(300):
            lease = LEASE.replace(address=Address(4, number), attachment=Attachment(f"c{number}", "eth0"))
            claim(store, lease)
        assert log.stat().st_size <= 2 * sqlite._MOST_LOG
    assert not log.exists()


def test_the_log_of_a_process_that_stays_stays_short_too(path: Path, url: str) -> None:
    log = path.with_name("ipam.db-wal")
    with opened(url) as store:
        store.tidy()
        for number in range(600):
            lease = LEASE.replace(address=Address(4, number), attachment=Attachment(f"c{number}", "eth0"))
            claim(store, lease)
        assert 2 * sqlite._MOST_LOG < log.stat().st_size < 2 * 4096 * sqlite._MOST_PAGES
        store.tidy()
        before = log.stat().st_size
        claim(store, LEASE.replace(address=Address(4, 1 << 20)))
        assert log.stat().st_size == before
    assert not log.exists()


def test_text_that_no_database_takes_comes_back_as_it_was(url: str) -> None:
    odd = "\udcff\0x\U0010ffff \N{GHOST}"
    lease = LEASE.replace(attachment=Attachment("c1", odd), node=odd)
    with opened(url) as store:
        claim(store, lease)
        assert list(store.leases("net")) == [lease]
        assert store.transact("net", lambda tx: tx.held_by(lease.attachment)) == [lease]


def test_a_failed_change_leaves_the_connection_usable(url: str) -> None:
    with opened(url) as store:
        claim(store)
        for _ in range(3):
            with pytest.raises(CniError, match=r"10\.20\.0\.2 is leased"):
                claim(store)
        assert list(store.leases("net")) == [LEASE]


def test_a_full_disk_is_an_error_and_no_lease(url: str) -> None:
    with opened(url) as store:
        claim(store)
        (session,) = store._database._idle  # type: ignore[attr-defined]
        pages = session.connection.execute("PRAGMA page_count").fetchone()[0]
        session.connection.execute(f"PRAGMA max_page_count={pages}")

        def fill(tx: Transaction) -> None:
            for number in range(1000):
                tx.claim(LEASE.replace(address=Address(6, number)), Cause.ADD)

        with pytest.raises(InputOutput, match="full"):
            store.transact("net", fill)
        assert list(store.leases("net")) == [LEASE]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///relative.db",
        "sqlite://",
        "sqlite:////",
        "sqlite:////a/b.db?x=1",
        "sqlite:///:memory:",
        "sqlite://h/a",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidConfig, match="sqlite:////absolute/path"), opened(url):
        pass


@pytest.mark.parametrize("command", ["ADD", "DEL"])
def test_a_one_shot_imports_nothing_of_sqlalchemy(command: str, one_shot: Path, url: str) -> None:
    stdin = config(url)
    for earlier in ("ADD", "DEL"):  # the first makes the file
        subprocess.run([one_shot], env=environment(earlier), input=stdin, stdout=subprocess.DEVNULL, check=True)
    if command == "DEL":
        subprocess.run([one_shot], env=environment("ADD"), input=stdin, stdout=subprocess.DEVNULL, check=True)
    modules = imported(one_shot, environment(command), stdin)
    # _sqlite3 itself wants collections.
    assert not {name for name in modules if name.partition(".")[0] in HEAVY - {"collections"} or name == "sqlite3"}
    assert "backends.sql.sqlite" in modules


def test_a_newer_schema_is_code_11_and_status_50(one_shot: Path, path: Path, url: str) -> None:
    with opened(url) as store:
        claim(store)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    for command, expected in (("ADD", 11), ("DEL", 11), ("STATUS", 50)):
        stdin = config(url, version="1.1.0")
        done = subprocess.run([one_shot], env=environment(command), input=stdin, capture_output=True, check=False)
        assert (done.returncode, code(done.stdout)) == (1, expected)
