"""Daemons of a test's own, where the one that everybody shares will not do."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ipam.launcher.compile import find_compiler
from tests.conftest import missing
from tests.daemon.service import Service, put_launcher

Serve = Callable[..., Service]


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a socket can be: a socket's path is short, and pytest's directories need not be."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory:
        yield Path(directory, "ipam.sock")


@pytest.fixture
def serve(place: Path) -> Iterator[Serve]:
    """Start a daemon at `place`, with the keywords of Service; it is stopped after the test."""
    with ExitStack() as services:

        def start(**options: Any) -> Service:
            return services.enter_context(Service(place, **options))

        yield start


@pytest.fixture
def service(serve: Serve) -> Service:
    """A daemon as it is started for production."""
    return serve()


@pytest.fixture
def own_launcher(place: Path, one_shot: Path, tmp_path: Path) -> Path:
    """A launcher whose daemon is, or will be, at `place`."""
    if find_compiler() is None:
        missing("a C compiler")
    return put_launcher(tmp_path / "cni-bin", place, one_shot)
