"""The wheel carries the launcher where a compiler is there, and is built without it where none is."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from ipam import frame
from ipam.launcher import protocol_of
from ipam.launcher.compile import find_compiler, machine
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
LAUNCHER = "ipam/launcher/launcher"


def build_wheel(project: Path, target: Path, **changes: str) -> tuple[Path, str]:
    """The one wheel that pip makes, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "--wheel-dir", str(target), str(project)],
        env=os.environ | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode and "hatchling" in done.stdout and "No matching distribution" in done.stdout:
        missing("a package index that has hatchling")
    assert done.returncode == 0, done.stdout
    (wheel,) = target.iterdir()
    return wheel, done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fresh clone has of the package."""
    project = tmp_path_factory.mktemp("clone")
    for part in ("ipam", "backends", "conf"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, project)
    return project


def test_a_wheel_has_the_launcher_and_is_for_this_machine(project: Path, tmp_path: Path) -> None:
    if find_compiler() is None:
        missing("a C compiler")
    wheel, _ = build_wheel(project, tmp_path / "wheel")
    assert wheel.name.endswith(f"-py3-none-{sysconfig.get_platform().replace('-', '_')}.whl")
    assert machine() in wheel.name
    with zipfile.ZipFile(wheel) as packed:
        assert packed.getinfo(LAUNCHER).external_attr >> 16 & 0o111 == 0o111
        unpacked = Path(packed.extract(LAUNCHER, tmp_path))
    assert protocol_of(unpacked) == frame.PROTOCOL


def test_without_a_compiler_it_is_built_for_any_machine_installs_works_and_says_what_is_missing(
    project: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    wheel, said = build_wheel(project, tmp_path / "wheel", PATH=str(programs), CC="")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "built without its native launcher: no C compiler" in said
    with zipfile.ZipFile(wheel) as packed:
        assert LAUNCHER not in packed.namelist()

    environment = tmp_path / "environment"
    venv.EnvBuilder(symlinks=True).create(environment)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    pip = [sys.executable, "-m", "pip", "--python", environment, "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, wheel], check=True)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")  # they are others' business
    install = [environment / "bin/ipam", "install", "--cni-bin-dir", tmp_path / "bin"]
    done = subprocess.run(install, env={"PATH": str(programs)}, capture_output=True, text=True, check=True)
    assert "no launcher: this package was built where no C compiler is" in done.stdout
    variables = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0"}
    network = {"cniVersion": "1.0.0", "name": "net", "ipam": {"dataDir": f"{tmp_path}/leases", "subnet": "10.0.0.0/24"}}
    plugin = tmp_path / "bin/host-local"
    done = subprocess.run(
        [plugin], env=variables, input=json.dumps(network), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["ips"][0]["address"] == "10.0.0.2/24"
