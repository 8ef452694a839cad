"""The package's own tests: `pytest contract.py`, where it is installed beside ipam."""

from pathlib import Path

import pytest

from ipam.testing import StoreContract


class TestForgetfulStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"forgetful://{tmp_path}/leases"


class TestJsonStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"json://{tmp_path}/leases"
