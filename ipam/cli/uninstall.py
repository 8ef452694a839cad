"""`ipam uninstall`: take the plugin out of a CNI bin directory, and put back what it replaced."""

from __future__ import annotations

from filecmp import cmp

import click

from ipam.cli import units
from ipam.cli.install import locked, places, records_of
from ipam.cli.plugins import is_ours, is_there
from ipam.cli.steadfast import to_the_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from ipam.cli.plugins import Records


@click.command("uninstall")
@places
def command(*, cni_bin_dir: Path, name: str, systemd: bool, systemd_dir: Path, tmpfiles_dir: Path) -> None:
    """Take the plugin out again, and put back what it replaced.

    Leases and history stay where they are.
    """
    to_the_end()
    records = records_of(cni_bin_dir, name)
    removed = records.directory.is_dir() and _remove(records)
    if systemd:
        removed |= units.uninstall(systemd_dir, tmpfiles_dir)
    elif units.are_installed(systemd_dir):
        print("the units of the daemon stay; `ipam uninstall --systemd` removes them")
    if not removed:
        raise ValueError(f"{records.plugin} was not put there by `ipam install`: left as it is")


def _remove(records: Records) -> bool:
    """Whether anything of ours was there."""
    with locked(records):
        plugin, replaced = records.plugin, records.replaced
        kept, ours = is_there(replaced), is_ours(plugin)
        if kept and (ours or not is_there(plugin)):
            replaced.replace(plugin)
            print(f"restored  {plugin}")
        elif ours:
            plugin.unlink()
            print(f"removed   {plugin}")
        elif kept and _same(plugin, replaced):  # the install was interrupted
            replaced.unlink()
        elif kept:
            print(f"left      {plugin}, which somebody else put there since, and {replaced}, which was there before")
        rest = [path for path in (records.one_shot, *records.bundles(), *records.unfinished()) if is_there(path)]
        for path in rest:
            path.unlink()
        empty = not any(records.directory.iterdir())
        if empty:
            records.directory.rmdir()
        return bool(ours or kept or rest or empty)


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return cmp(one, other, shallow=False)
