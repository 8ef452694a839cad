"""A node on an empty data directory, and a guest in the directory of its network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.directory.guest import Guest
from tests.directory.node import Node


@pytest.fixture(params=[False, True], ids=["opened for each call", "stays open"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "networks", stays_open=request.param)
    yield node
    node.close()


@pytest.fixture
def guest(node: Node) -> Guest:
    return Guest(node.directory)
