"""The package as pip installs it from a wheel, without a package index: a virtual environment with copies of ours."""

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

from ipam.launcher.compile import compile_launcher

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds after which a command is stuck."""


class Environment:
    """A virtual environment; `ipam` is its operator's command."""

    def __init__(self, directory: Path, *, launcher: bool, socket: str | None = None, version: str = "") -> None:
        """`socket` is the one that the launcher knows, `version` what the package says that it is."""
        self.prefix = directory
        self.socket = socket
        venv.EnvBuilder(symlinks=True).create(directory)
        self.packages = Path(sysconfig.get_path("purelib", vars={"base": str(directory)}))
        for name in ("ipam", "backends"):
            shutil.copytree(ROOT / name, self.packages / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.packages / "ipam/conf").mkdir()
        for path in (ROOT / "conf").glob("ipam.*"):
            shutil.copy(path, self.packages / "ipam/conf")
        self.dependencies = Path(sysconfig.get_path("purelib"))
        (self.packages / "dependencies.pth").write_text(f"{self.dependencies}\n")
        shutil.copytree(self.dependencies / "click", self.packages / "click")  # what a confined service needs to start
        if version:
            package = self.packages / "ipam/__init__.py"
            before, equals, _ = package.read_text().partition("__version__ = ")
            package.write_text(f'{before}{equals}"{version}"\n')
        compiled = self.packages / "ipam/launcher/launcher"
        compiled.unlink(missing_ok=True)
        if launcher:
            compile_launcher(compiled, socket=socket)
        self.ipam = directory / "bin/ipam"
        self.ipam.write_text(f"#!{directory}/bin/python3\nfrom ipam.cli import main\nmain()\n")
        self.ipam.chmod(0o755)

    def run(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One call of `ipam`; `check` that it succeeds and has nothing to complain about."""
        done = subprocess.run(
            [self.ipam, *arguments],
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not check or (done.returncode, done.stderr) == (0, ""), done
        return done
