"""Every store that the operator's commands are to work on."""

from pathlib import Path

import pytest

from tests.cli.node import Node
from tests.sql.cluster import Cluster

STORES = ("directory", "sqlite", "postgresql")


def empty_store(kind: str, directory: Path, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store of that kind; files lie in the directory."""
    if kind == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgresql")
        return cluster.store()
    return {"directory": f"file://{directory}/networks", "sqlite": f"sqlite:///{directory}/leases/ipam.db"}[kind]


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store."""
    return empty_store(request.param, tmp_path, request)


@pytest.fixture
def node(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    """A node without networks."""
    conf_dir = tmp_path / "net.d"
    conf_dir.mkdir()
    return Node(url, conf_dir, capsys)
