"""The daemon's systemd units, for `ipam install --systemd` and `ipam uninstall --systemd`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click

from ipam import __version__, bundle
from ipam.cli.plugins import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SYSTEMD_DIR = Path("/etc/systemd/system")
TMPFILES_DIR = Path("/etc/tmpfiles.d")
RUNTIME_DIR = Path("/run/ipam")
UNITS = ("ipam.socket", "ipam.service")
TMPFILES = {"ipam.tmpfiles": "ipam.conf"}
"""Under which name a file of conf/ goes to TMPFILES_DIR."""

EXAMPLE = "/opt/ipam/bin/ipam"
"""The program that conf/ipam.service names; the one of this package takes its place."""

_MARK = "# Written by `ipam install --systemd`, version"
_HEAD = _MARK + " {version}. Your changes belong into a drop-in: systemctl edit {name}\n"
_PLAIN = re.compile(r"[A-Za-z0-9/._+@,-]+")
_HIDDEN = tuple(Path(path) for path in ("/home", "/root", "/run/user", "/tmp", "/var/tmp"))  # noqa: S108
"""What ProtectHome= and PrivateTmp= in ipam.service hide: a package in there must be bound in again."""


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that concern the units: `systemd`, `systemd_dir`, `tmpfiles_dir`."""
    directory = click.Path(path_type=Path)
    for option in (
        click.option("--tmpfiles-dir", type=directory, default=TMPFILES_DIR, metavar="DIR", show_default=True),
        click.option("--systemd-dir", type=directory, default=SYSTEMD_DIR, metavar="DIR", show_default=True),
        click.option("--systemd", is_flag=True, help="The daemon's units as well: socket, service, tmpfiles."),
    ):
        function = option(function)
    return function


def install(systemd_dir: Path, tmpfiles_dir: Path) -> None:
    """Write the units and have systemd listen. Raises ValueError where somebody else's file has their name, OSError."""
    texts = {path: _text(source, path.name) for path, source in _places(systemd_dir, tmpfiles_dir).items()}
    for path in texts:
        if path.exists() and not _is_ours(path):
            raise ValueError(f"{path} was not put there by `ipam install --systemd`: left as it is")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, text.encode(), mode=0o644)
        print(f"installed {path}")
    # try-restart: a daemon that runs is one of the version before. Its socket stays, and who calls meanwhile waits.
    _call(
        [
            ["systemd-tmpfiles", "--create", str(tmpfiles_dir / TMPFILES["ipam.tmpfiles"])],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--quiet", "--now", "ipam.socket"],
            ["systemctl", "try-restart", "ipam.service"],
        ],
        systemd_dir,
    )


def uninstall(systemd_dir: Path, tmpfiles_dir: Path) -> bool:
    """Stop the daemon and remove the units. Whether there were any. Raises OSError."""
    paths = [path for path in _places(systemd_dir, tmpfiles_dir) if _is_ours(path)]
    if not paths:
        return False
    names = [path.name for path in paths if path.name in UNITS]
    _call([["systemctl", "disable", "--quiet", "--now", *names]] if names else [], systemd_dir)
    enabled = systemd_dir / "sockets.target.wants" / "ipam.socket"
    for path in (*paths, *([enabled] if enabled.is_symlink() else [])):
        path.unlink()
        print(f"removed   {path}")
    _call([["systemctl", "daemon-reload"]], systemd_dir)
    if systemd_dir == SYSTEMD_DIR:
        _remove_empty(RUNTIME_DIR)
    return True


def are_installed(systemd_dir: Path) -> bool:
    """Whether units of ours are there."""
    return any(_is_ours(systemd_dir / name) for name in UNITS)


def _places(systemd_dir: Path, tmpfiles_dir: Path) -> dict[Path, Path]:
    """Where each file goes, and where it comes from."""
    packaged, checkout = bundle.ROOT / "ipam" / "conf", bundle.ROOT / "conf"
    conf = packaged if packaged.is_dir() else checkout
    units = {systemd_dir / name: conf / name for name in UNITS}
    return units | {tmpfiles_dir / target: conf / name for name, target in TMPFILES.items()}


def _text(source: Path, name: str) -> str:
    text = _HEAD.format(version=__version__, name=name) + source.read_text()
    if name != "ipam.service":
        return text
    text = text.replace(EXAMPLE, _program())
    ours = [Path(sys.prefix), Path(sys.base_prefix), bundle.ROOT]
    needed = {*ours, *(path.resolve() for path in ours)}
    hidden = sorted(path for path in needed if any(path.is_relative_to(each) for each in _HIDDEN))
    bound = "".join(f"BindReadOnlyPaths={_plain(path)}\n" for path in hidden)
    return text.replace("\n[Service]\n", f"\n[Service]\n{bound}")


def _program() -> str:
    """The `ipam` of the environment that runs this."""
    script = Path(sys.executable).with_name("ipam")
    return _plain(script) if script.is_file() else f"{_plain(Path(sys.executable))} -m ipam.cli"


def _plain(path: Path) -> str:
    if not _PLAIN.fullmatch(str(path)):
        raise ValueError(f"{str(path)!r} cannot stand in a systemd unit: install the package somewhere else")
    return str(path)


def _is_ours(path: Path) -> bool:
    try:
        return path.read_text().startswith(_MARK)
    except FileNotFoundError:
        return False


def _call(commands: list[list[str]], systemd_dir: Path) -> None:
    """Run commands where systemd runs and reads that directory, else say what to run. Raises ChildProcessError."""
    runs_here = Path("/run/systemd/system").is_dir() and shutil.which("systemctl")  # sd_booted(3)
    if systemd_dir != SYSTEMD_DIR or not runs_here:
        print("to be run where these units are used:")
        for command in commands:
            print(f"          {' '.join(command)}")
        return
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ChildProcessError(f"{' '.join(command)} failed: {done.stderr.strip()}")


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return  # it is not there, or a daemon without systemd uses it
