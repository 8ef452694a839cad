"""What the daemon does for the SQL stores: it tidies up when nobody waits, and imports no more than it needs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.calls import environment
from tests.daemon.service import Service, ask, until
from tests.sql.allocation import config, sqlite_url


@pytest.fixture
def service() -> Iterator[Service]:
    """A daemon of the test's own."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory, Service(Path(directory, "ipam.sock")) as service:
        yield service


def test_the_log_is_copied_into_the_file_while_nobody_waits(service: Service, tmp_path: Path) -> None:
    stdin = config(sqlite_url(tmp_path))
    assert ask(service.socket, environment("ADD", "written-at-once"), stdin)[0] == 0
    file, log = tmp_path / "ipam.db", tmp_path / "ipam.db-wal"
    assert b"written-at-once" in log.read_bytes()
    until("it is in the file", lambda: b"written-at-once" in file.read_bytes())


def test_with_sqlite_the_daemon_has_nothing_of_sqlalchemy_in_memory(service: Service, tmp_path: Path) -> None:
    assert ask(service.socket, environment("ADD"), config(sqlite_url(tmp_path)))[0] == 0
    mapped = Path(f"/proc/{service.pid}/maps").read_text()
    assert "_sqlite3" in mapped
    assert "sqlalchemy" not in mapped
