"""A password that stands in a store's URL does not show, whatever is printed of the store."""

from pathlib import Path

import pytest

from tests.cli.node import Node
from tests.sql.cluster import Cluster

SECRET = "ge/he?im"


@pytest.fixture
def url(postgresql: Cluster) -> str:
    """A server that asks for no password gets one all the same."""
    scheme, _, rest = postgresql.store().partition("://")
    user, _, server = rest.partition("@")
    return f"{scheme}://{user}:{SECRET}@{server}"


@pytest.mark.parametrize("form", ["table", "json"])
def test_no_command_prints_the_password(node: Node, form: str) -> None:
    path = node.configure()
    node.add("c1")
    shown = node.url.replace(SECRET, "***")
    for command in ("networks", "leases", "usage", "map containers", "check", "gc --all", f"validate {path}"):
        said = node.run(*command.split(), "-o", form)
        assert said.err == ""
        assert "geheim" not in said.out.replace("/", "").replace("?", "")
        assert shown in said.out or form == "table" or command.startswith(("check", "gc"))


def test_an_error_does_not_have_the_password(node: Node, tmp_path: Path) -> None:
    said = node.run("leases", "--store", f"postgresql://u:{SECRET}@/nothing?host={tmp_path}")
    assert said.code == 1
    assert "postgresql://u:***@/nothing" in said.err
    assert SECRET not in said.err
