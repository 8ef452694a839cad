"""`ipam install`: the plugin into a CNI bin directory, at once or not at all; a replaced binary is kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ipam import __version__, bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

KEPT = ".ipam"
"""Beside the plugins: the bundle, and what the plugin replaced."""

DEFAULT_DIR = "/opt/cni/bin"
DEFAULT_NAME = "host-local"


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `ipam install`, and of `ipam uninstall`."""
    parser.add_argument(
        "--cni-bin-dir", type=Path, default=Path(DEFAULT_DIR), metavar="DIR", help=f"default: {DEFAULT_DIR}"
    )
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"the plugin's name there (default: {DEFAULT_NAME})")


def run(options: Namespace) -> None:
    """Build the bundle, put it and the script in place, and say what was done."""
    directory = options.cni_bin_dir.resolve()
    target = plugin_path(options)
    kept = directory / KEPT
    kept.mkdir(mode=0o755, parents=True, exist_ok=True)
    code = kept / f"{options.name}.bundle"
    text = bundle.script(code, __version__)
    if (target.exists() or target.is_symlink()) and not is_ours(target):
        replaced = kept / f"{options.name}.replaced"
        _copy(target, replaced)
        print(f"kept      {replaced} (the {options.name} that was there)")
    write(code, bundle.build(), mode=0o644)
    write(target, text.encode(), mode=0o755)
    print(f"installed {target} (one-shot, {bundle.interpreter()})")


def plugin_path(options: Namespace) -> Path:
    """Where the plugin stands. Raises ValueError for a name that is none."""
    name = options.name
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"--name must be a plain file name, not {name!r}")
    return Path(options.cni_bin_dir.resolve(), name)


def is_ours(path: Path) -> bool:
    """Whether a plugin was put there by `ipam install`."""
    try:
        with path.open("rb") as file:
            return b"Written by `ipam install`" in file.read(1024)
    except OSError:
        return False


def write(path: Path, data: bytes, *, mode: int) -> None:
    """Make or replace a file at once: who looks sees the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(mode)
    temporary.replace(path)


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.unlink(missing_ok=True)
        target.symlink_to(source.readlink())
    else:
        shutil.copy2(source, target)
