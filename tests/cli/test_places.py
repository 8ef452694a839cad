"""Places that were named and are not there: an error of one line, whatever command looks there."""

from pathlib import Path

import pytest

from ipam.address import format_address
from tests.cli.node import NAME, ONE_STORE, Node

LOOKING = ["networks", "leases", "history", "usage", "gc", "check", "export", "audit", "verify", "metrics"]


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("url", ["directory", "sqlite"], indirect=True)
def test_a_store_that_was_named_has_to_be_there(node: Node, command: str) -> None:
    status, out, err = node.run(command)
    assert (status, out) == (1, "")
    assert err == f"ipam {command}: there is no store at {node.url}, and no config names it\n"


@ONE_STORE
@pytest.mark.parametrize("command", [*LOOKING, "validate"])
def test_a_config_directory_that_was_named_has_to_be_there(node: Node, command: str) -> None:
    node.conf_dir.rmdir()
    more = ["10.conflist"] if command == "validate" else []
    status, out, err = node.run(command, *more)
    assert (status, out) == (1, "")
    assert err == f"ipam {command}: --conf-dir {node.conf_dir}: there is no such directory\n"


@ONE_STORE
@pytest.mark.parametrize("command", ["gc", "release"])
def test_a_directory_of_results_that_was_named_has_to_be_there(node: Node, tmp_path: Path, command: str) -> None:
    (lease,) = node.add("c1")
    more = [format_address(lease.address)] if command == "release" else []
    status, out, err = node.run(command, *more, "--results-dir", str(tmp_path), "--results-dir", "/absent")
    assert (status, out) == (1, "")
    assert err == f"ipam {command}: --results-dir /absent: there is no such directory\n"
    assert node.run("gc", "--results-dir", str(tmp_path)).code == 0


@pytest.mark.parametrize("url", ["directory", "sqlite"], indirect=True)
def test_a_store_that_a_config_names_comes_with_the_first_lease(node: Node) -> None:
    node.configure()
    said = node.run("leases", "-o", "json")
    assert said.json() == []
    assert [row["network"] for row in node.run("networks", "-o", "json").json()] == [NAME]


@ONE_STORE
def test_a_check_of_a_store_without_a_place_says_so(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ipam.cli import main

    main(["store", "check", str(tmp_path / "networks")])
    assert capsys.readouterr().out.startswith(f"usable    file://{tmp_path}/networks (nothing is there yet)\n")
    assert not (tmp_path / "networks").exists()
    node.add("c1")
    main(["store", "check", str(tmp_path / "networks")])
    assert "(1 network" in capsys.readouterr().out


@ONE_STORE
def test_several_stores_can_be_named(node: Node, tmp_path: Path) -> None:
    node.add("here")
    first, node.url = node.url, f"file://{tmp_path}/second"
    node.add("there", name="other")
    listed = [row["container"] for row in node.run("leases", "--store", first, "-o", "json").json()]
    assert sorted(listed) == ["here", "there"]
    said = node.run("audit", "--store", first, "-o", "json").json()
    assert (said["networks"], said["leases"]) == (2, 2)
