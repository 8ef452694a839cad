"""`ipam store check` and `upgrade`: what they say of a store before a config names it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sql import moving
from tests.sql.allocation import opened, sqlite_url
from tests.sql.cluster import Cluster


def store(*argv: str) -> tuple[int, str, str]:
    """`ipam store ARGV`: exit status, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "ipam.cli", "store", *argv], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(params=["directory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql").store())
    return sqlite_url(tmp_path / "store") if request.param == "sqlite" else f"file://{tmp_path}/store"


def test_a_usable_store_is_found_usable_and_left_as_it_is(url: str) -> None:
    for networks in (0, 1):
        if networks:
            moving.fill(url, 3)
        with opened(url) as kept:
            before = [(name, list(kept.leases(name)), list(kept.history(name))) for name in kept.networks()]
        status, said, complaint = store("check", url)
        assert (status, complaint) == (0, "")
        assert said.startswith("usable    ")
        told = ("(1 network, round trip ",) if networks else ("(nothing is there yet)", "(0 networks, round trip ")
        assert any(each in said for each in told)
        assert {"durable", "history", "replay"} <= set(said.partition("it is     ")[2].replace(",", "").split())
        with opened(url) as kept:
            assert [(name, list(kept.leases(name)), list(kept.history(name))) for name in kept.networks()] == before


def test_a_schema_is_made_once(postgresql: Cluster) -> None:
    url = postgresql.empty()
    status, _, complaint = store("check", url)
    assert (status, "run `ipam store upgrade` on it once" in complaint) == (1, True), complaint
    assert store("upgrade", url)[1].endswith(": schema (none) is now 0001\n")
    assert store("upgrade", url)[1].endswith(": schema 0001 is up to date\n")
    assert store("check", url)[0] == 0


def test_what_has_no_schema_needs_no_upgrade(tmp_path: Path) -> None:
    assert store("upgrade", str(tmp_path)) == (0, f"file://{tmp_path}: there is nothing to upgrade\n", "")


def test_a_file_that_upgrade_makes_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "store" / "ipam.db"
    assert store("upgrade", f"sqlite:///{path}")[1].endswith(": schema (none) is now 0001\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert store("upgrade", f"sqlite:///{path}")[1].endswith(": schema 0001 is up to date\n")
    status, said, complaint = store("check", f"sqlite:///{path}")
    assert (status, complaint, "(0 networks, round trip " in said) == (0, "", True)


def test_a_role_that_may_not_write_is_found_out(postgresql: Cluster) -> None:
    url = postgresql.store()
    postgresql.sql("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN")
    postgresql.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", url.partition("@/")[2].partition("?")[0])
    status, said, complaint = store("check", url.replace("//ipam@", "//reader@"))
    assert (status, said) == (1, "")
    assert "permission denied" in complaint


def test_a_directory_that_cannot_be_written_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o777)
    (tmp_path / "store").chmod(0o777)
    for url in (f"file://{tmp_path}/store", sqlite_url(tmp_path / "store")):
        status, said, complaint = store("check", url)
        assert (status, said) == (1, "")
        assert "writable by everybody" in complaint


def test_no_password_is_printed() -> None:
    status, said, complaint = store("check", "--wait", "1", "postgresql+psycopg://ipam:geheim@127.0.0.1:1/db")
    assert (status, said) == (1, "")
    assert "ipam:***@127.0.0.1" in complaint
    assert "geheim" not in complaint


def test_a_source_without_leases_is_no_success(tmp_path: Path) -> None:
    status, said, complaint = store("migrate", f"{tmp_path}/mistyped", f"sqlite:///{tmp_path}/ipam.db")
    assert (status, said) == (1, "")
    assert f"{tmp_path}/mistyped has no networks" in complaint
    assert list(tmp_path.iterdir()) == []


def test_leases_are_not_moved_into_what_forgets_them(tmp_path: Path) -> None:
    moving.fill(f"file://{tmp_path}/networks", 3)
    status, said, complaint = store("migrate", f"{tmp_path}/networks", "memory:")
    assert (status, said) == (1, "")
    assert "memory: keeps nothing" in complaint
