"""The wheel carries the launcher where a compiler is there, and is built without it where none is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

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


def test_a_wheel_has_the_launcher_or_is_for_any_machine(tmp_path: Path) -> None:
    if find_compiler() is None:
        missing("a C compiler")
    project = tmp_path / "project"
    for part in ("ipam", "backends", "conf"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, project)

    wheel, _ = build_wheel(project, tmp_path / "with")
    assert wheel.name.endswith(f"-py3-none-{sysconfig.get_platform().replace('-', '_')}.whl")
    assert machine() in wheel.name
    with zipfile.ZipFile(wheel) as packed:
        assert packed.getinfo(LAUNCHER).external_attr >> 16 & 0o111 == 0o111
        unpacked = Path(packed.extract(LAUNCHER, tmp_path))
    assert protocol_of(unpacked) == frame.PROTOCOL

    wheel, said = build_wheel(project, tmp_path / "without", CC="/nonexistent/cc")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "built without its native launcher: no C compiler" in said
    with zipfile.ZipFile(wheel) as packed:
        assert LAUNCHER not in packed.namelist()
