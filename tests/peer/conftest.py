"""Fixtures of the tests with real peers: a node in namespaces, and a runtime on it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import DOORS, missing
from tests.peer.namespaces import CommandError, Node
from tests.peer.runtime import Runtime
from tests.peer.site import Site

WAYS = {
    "directory": list(DOORS),
    "sqlite": list(DOORS),
    "postgresql": ["daemon"],  # where every one-shot imports SQLAlchemy, a suite of them takes minutes
}
"""The stores, and the doors through which suites go to each."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what calls our plugin call it through every door, and where it asks for it, with every store."""
    doors = ["one-shot"] if os.environ.get("IPAM_TEST_PLUGIN") else list(DOORS)
    if "store" in metafunc.fixturenames:
        stores = WAYS | getattr(metafunc.module, "MORE_WAYS", {})
        ways = [(door, store) for store, known in stores.items() for door in doors if door in known]
        metafunc.parametrize(("door", "store"), ways, indirect=True, scope="session")
    elif "door" in metafunc.fixturenames:
        metafunc.parametrize("door", doors, indirect=True, scope="session")


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest) -> str:
    """The key of WAYS whose store a test is to use."""
    return str(request.param)


NewStore = Callable[[Path], str]


@pytest.fixture(scope="session")
def new_store(store: str, request: pytest.FixtureRequest) -> NewStore:
    """The URL of a new store of that kind, in a directory where it has files."""
    if store == "postgresql":
        cluster = request.getfixturevalue("postgresql")
        return lambda _: str(cluster.store())
    if store == "memory":
        return lambda directory: f"memory:{directory}"
    if store == "sqlite":
        return lambda directory: f"sqlite:///{directory}/ipam.db"
    return lambda directory: f"file://{directory}/leases"


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


@pytest.fixture
def site_of_store(site: Site, new_store: NewStore, tmp_path: Path) -> Site:
    """The same with a store of every kind for the leases."""
    return site._replace(store=new_store(tmp_path))
