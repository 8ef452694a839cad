"""`ipam install --systemd` where no systemd runs: the files, and what it says is to be run."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from ipam import __version__
from ipam.cli import units
from tests.conftest import missing
from tests.install.conftest import NAME, content
from tests.install.environment import ROOT, Environment

FILES = {"systemd/ipam.socket", "systemd/ipam.service", "tmpfiles/ipam.conf"}
MARK = "# Written by `ipam install --systemd`, version"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the units go: a directory with systemd/, tmpfiles/ and bin/."""
    path = tmp_path / "place"
    path.mkdir()
    return path


def options(place: Path) -> list[str]:
    directories = {"--systemd-dir": "systemd", "--tmpfiles-dir": "tmpfiles", "--cni-bin-dir": "bin"}
    return ["--systemd", *(word for option, name in directories.items() for word in (option, str(place / name)))]


def test_units_and_plugin_are_put_in_place_and_the_rest_is_said(native: Environment, place: Path) -> None:
    done = native.run("install", *options(place))
    assert {name for name in content(place) if not name.startswith("bin/")} == FILES
    for name in FILES:
        assert (place / name).read_text().startswith(f"{MARK} {__version__}.")
        assert f"installed {place / name}\n" in done.stdout
    assert (place / "bin" / NAME).exists()
    said = done.stdout.partition("to be run where these units are used:\n")[2].splitlines()
    assert [line.strip() for line in said] == [
        f"systemd-tmpfiles --create {place}/tmpfiles/ipam.conf",
        "systemctl daemon-reload",
        "systemctl enable --quiet --now ipam.socket",
        "systemctl try-restart ipam.service",
    ]


def test_the_service_runs_the_ipam_of_the_environment_that_installed_it(native: Environment, place: Path) -> None:
    native.run("install", *options(place))
    service = (place / "systemd/ipam.service").read_text()
    assert f"\nExecStart={native.ipam} serve\n" in service
    assert units.EXAMPLE not in service


def test_an_environment_that_the_service_would_not_see_is_bound_into_it(native: Environment, place: Path) -> None:
    native.run("install", *options(place))
    bound = re.findall("^BindReadOnlyPaths=(.*)$", (place / "systemd/ipam.service").read_text(), re.MULTILINE)
    hidden = str(native.prefix).startswith(("/tmp/", "/var/tmp/", "/root/", "/home/", "/run/user/"))
    assert (str(native.prefix) in bound) == hidden


def test_a_path_that_cannot_stand_in_a_unit_is_refused(place: Path, tmp_path: Path) -> None:
    strange = Environment(tmp_path / "100% strange", launcher=False)
    done = subprocess.run(
        [strange.prefix / "bin/python3", "-m", "ipam.cli", "install", *options(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot stand in a systemd unit: install the package somewhere else" in done.stderr
    assert not FILES & content(place).keys()


def test_an_upgrade_replaces_the_units(old: Environment, native: Environment, place: Path) -> None:
    old.run("install", *options(place))
    assert str(old.ipam) in (place / "systemd/ipam.service").read_text()
    native.run("install", *options(place))
    assert str(old.ipam) not in (place / "systemd/ipam.service").read_text()


def test_a_unit_that_somebody_else_wrote_is_left_alone(native: Environment, place: Path) -> None:
    (place / "systemd").mkdir()
    (place / "systemd/ipam.service").write_text("[Service]\n")
    done = native.run("install", *options(place), check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"ipam install: {place}/systemd/ipam.service was not put there by `ipam install --systemd`: left as it is\n"
    )
    assert (place / "systemd/ipam.service").read_text() == "[Service]\n"
    assert not (place / "systemd/ipam.socket").exists()


def test_uninstall_removes_the_units_and_their_link(native: Environment, place: Path) -> None:
    native.run("install", *options(place))
    (place / "systemd/sockets.target.wants").mkdir()
    (place / "systemd/sockets.target.wants/ipam.socket").symlink_to("../ipam.socket")
    native.run("uninstall", *options(place))
    assert not [path for path in place.rglob("*") if not path.is_dir()]


def test_uninstall_without_systemd_says_that_the_units_stay(native: Environment, place: Path) -> None:
    native.run("install", *options(place))
    done = native.run("uninstall", *options(place)[1:])
    assert done.stdout.endswith("the units of the daemon stay; `ipam uninstall --systemd` removes them\n")
    assert {name for name in content(place) if not name.startswith("bin")} == FILES
    native.run("uninstall", *options(place))
    done = native.run("uninstall", *options(place), check=False)
    assert done.returncode == 1


def test_a_checkout_installs_the_units_of_its_conf(place: Path) -> None:
    places = units._places(place / "systemd", place / "tmpfiles")
    assert {source.name for source in places.values()} == {path.name for path in (ROOT / "conf").glob("ipam.*")}
    assert all(source.is_file() for source in places.values())


def test_the_wheel_carries_the_units() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {f"conf/{path.name}": f"ipam/conf/{path.name}" for path in (ROOT / "conf").glob("ipam.*")}


def test_systemd_finds_no_fault_with_the_units(native: Environment, place: Path) -> None:
    if not shutil.which("systemd-analyze"):
        missing("systemd-analyze (Debian: systemd)")
    native.run("install", *options(place))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", place / "systemd/ipam.service", place / "systemd/ipam.socket"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{place / 'systemd'}:"},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tmpfiles_rule_makes_what_is_missing_and_leaves_what_is_there(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("systemd-tmpfiles"):
        missing("root and systemd-tmpfiles (Debian: systemd)")
    command = ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(ROOT / "conf/ipam.tmpfiles")]
    subprocess.run(command, check=True)
    assert oct((tmp_path / "run/ipam").stat().st_mode) == "0o40750"
    assert oct((tmp_path / "var/lib/cni").stat().st_mode) == "0o40755"
    (tmp_path / "var/lib/cni").chmod(0o700)
    subprocess.run(command, check=True)
    assert oct((tmp_path / "var/lib/cni").stat().st_mode) == "0o40700"
