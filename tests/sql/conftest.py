"""A SQLite database of the test's own, which nobody has made yet."""

from pathlib import Path

import pytest

from tests.sql.allocation import sqlite_url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "ipam" / "ipam.db"


@pytest.fixture
def url(path: Path) -> str:
    """Its URL."""
    return sqlite_url(path.parent)
