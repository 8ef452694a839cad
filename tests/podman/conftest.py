"""The node with podman, booted once for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ipam.launcher.compile import find_compiler
from tests.conftest import missing
from tests.install.environment import Environment
from tests.install.machine import CannotBoot, Machine
from tests.podman.node import PodmanNode


@pytest.fixture(scope="session")
def podman_node(go_plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodmanNode]:
    """The node, for everybody: see `node`."""
    lacking = PodmanNode.lacks() or ("" if find_compiler() else "a C compiler")
    if lacking:
        missing(lacking)
    environment = Environment(tmp_path_factory.mktemp("shipped") / "env", launcher=True)
    try:
        with Machine([environment.prefix, environment.dependencies, Path(__file__).parents[2]]) as machine:
            yield PodmanNode(machine, environment, go_plugins)
    except CannotBoot as error:
        missing(f"a host where systemd can be PID 1 of a namespace: {error}")


@pytest.fixture
def node(podman_node: PodmanNode) -> Iterator[PodmanNode]:
    """The node without containers and networks, and with a daemon that has answered nothing yet."""
    yield podman_node
    podman_node.clear()
