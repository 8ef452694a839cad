"""Fixtures of the tests with real peers: a node in namespaces, and a runtime on it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DOORS, missing
from tests.peer.namespaces import CommandError, Node
from tests.peer.runtime import Runtime
from tests.peer.site import Site


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what calls our plugin call it through every door."""
    if "door" in metafunc.fixturenames:
        doors = [] if os.environ.get("IPAM_TEST_PLUGIN") else DOORS
        metafunc.parametrize("door", doors or ["one-shot"], indirect=True, scope="session")


@pytest.fixture
def node(as_root: None) -> Iterator[Node]:
    """A node of the test's own, removed after it."""
    if not shutil.which("ping"):
        missing("ping (Debian: iputils-ping)")
    try:
        node = Node()
    except CommandError as reason:
        missing(f"the right to make network namespaces ({reason})")
        raise
    with node:
        yield node


@pytest.fixture
def site(node: Node, cni_bin: Path, tmp_path: Path) -> Site:
    """The node, a runtime whose plugins work on it, and a directory for the leases."""
    runtime = Runtime(cni_bin, tmp_path / "cache", within=node.host.entry)
    return Site(node, runtime, tmp_path / "leases")
