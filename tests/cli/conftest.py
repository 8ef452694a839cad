"""Every store that the operator's commands are to work on."""

from pathlib import Path

import pytest

from tests.cli.node import Node

STORES = {"directory": "file://{directory}/networks"}
"""The URL of an empty store in a directory of the test's own."""


@pytest.fixture(params=STORES.values(), ids=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store."""
    return str(request.param).format(directory=tmp_path)


@pytest.fixture
def node(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    """A node without networks."""
    conf_dir = tmp_path / "net.d"
    conf_dir.mkdir()
    return Node(url, conf_dir, capsys)
