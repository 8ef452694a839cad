"""A store of somebody else's: installed, it passes the contract and serves every door; no line of ours is changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.calls import address, environment
from tests.sql.allocation import config

PACKAGE = Path(__file__).parent / "package"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed, from its wheel."""
    directory = tmp_path_factory.mktemp("foreign")
    source = shutil.copytree(PACKAGE, directory / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, *offline, "--target", directory / "site", source], check=True)
    return directory / "site"


def run(installed: Path, *argv: str, env: dict[str, str] | None = None, stdin: bytes = b"") -> tuple[int, str]:
    """Exit status and output of Python with the package in reach."""
    path = os.pathsep.join([str(installed), str(ROOT)])
    variables = {**os.environ, **(env or {}), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *argv],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def test_it_passes_the_contract(installed: Path, tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--import-mode=importlib"]
    status, said = run(installed, "-m", "pytest", *options, str(PACKAGE / "contract.py"))
    assert status == 0, said
    assert " passed" in said


def test_a_call_leases_in_it(installed: Path, tmp_path: Path) -> None:
    stdin = config(f"json://{tmp_path}/leases")
    for command in ("ADD", "CHECK", "DEL"):
        status, said = run(installed, "-m", "ipam.plugin", env=environment(command), stdin=stdin)
        assert status == 0, said
        assert command != "ADD" or address(said.encode()) == "10.20.0.2"


def test_the_command_line_finds_it_usable(installed: Path, tmp_path: Path) -> None:
    status, said = run(installed, "-m", "ipam.cli", "store", "check", f"json://{tmp_path}/leases")
    assert (status, "durable, history" in said) == (0, True), said


def test_what_it_lacks_is_named(installed: Path, tmp_path: Path) -> None:
    command = ["-m", "ipam.cli", "store", "migrate", f"{tmp_path}/from", f"json://{tmp_path}/leases"]
    (tmp_path / "from" / "net").mkdir(parents=True)
    status, said = run(installed, *command)
    assert (status, "it lacks replay" in said) == (1, True), said


def test_a_store_without_history_has_none_to_show(installed: Path, tmp_path: Path) -> None:
    url = f"forgetful://{tmp_path}/leases"
    run(installed, "-m", "ipam.plugin", env=environment("ADD"), stdin=config(url))
    assert "c1" in run(installed, "-m", "ipam.cli", "leases", "--store", url)[1]
    status, said = run(installed, "-m", "ipam.cli", "history", "--store", url)
    assert (status, "the store of network net keeps no history" in said) == (1, True), said


def test_without_the_package_its_scheme_is_unknown(tmp_path: Path) -> None:
    status, said = run(tmp_path, "-m", "ipam.cli", "store", "check", "json:///nowhere")
    assert status == 1
    assert 'no lease store for scheme "json"' in said
    assert "installed: file, memory, postgresql, postgresql+psycopg, sqlite" in said


@pytest.mark.parametrize("value", ["nowhere_at_all:open_store", "json:open_store", "raising:open_store"])
def test_a_package_that_cannot_be_imported_is_named_and_no_bug_of_ours(value: str, tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text("raise RuntimeError('too old')\n")
    told = tmp_path / "broken-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[ipam.stores]\nbroken = {value}\n")
    status, said = run(tmp_path, "-m", "ipam.plugin", env=environment("ADD"), stdin=config("broken:///x"))
    assert (status, f'needs \\"{value}\\", which cannot be loaded' in said, '"code": 7' in said) == (1, True, True), (
        said
    )
    status, said = run(tmp_path, "-m", "ipam.cli", "leases", "--store", "broken:///x")
    assert (status, "see to the package broken" in said, "Traceback" in said) == (1, True, False), said
