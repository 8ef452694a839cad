"""Every store of ours passes the contract."""

from pathlib import Path

import pytest

from ipam.testing import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory:"


class TestDirectoryStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/networks"
