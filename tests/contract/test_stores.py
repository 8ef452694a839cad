"""Every store of ours passes the contract."""

from pathlib import Path

import pytest

from ipam.testing import StoreContract
from tests.sql.cluster import Cluster


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory:"


class TestDirectoryStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/networks"


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/leases/ipam.db"


class TestPostgresqlStore(StoreContract):
    @pytest.fixture
    def url(self, postgresql: Cluster) -> str:
        return postgresql.store()
