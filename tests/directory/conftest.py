"""A node on an empty data directory, and a guest in the directory of its network."""

from pathlib import Path

import pytest

from tests.directory.guest import Guest
from tests.directory.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "networks")


@pytest.fixture
def guest(node: Node) -> Guest:
    return Guest(node.directory)
