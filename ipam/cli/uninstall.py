"""`ipam uninstall`: take the plugin out of a CNI bin directory, and put back what it replaced."""

from __future__ import annotations

from ipam.cli.install import KEPT, add_arguments, is_ours, plugin_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add_arguments", "run"]


def run(options: Namespace) -> None:
    """Undo `ipam install`. Leases and history stay where they are."""
    target = plugin_path(options)
    kept = target.parent / KEPT
    replaced = kept / f"{options.name}.replaced"
    if not is_ours(target):
        raise ValueError(f"{target} was not put there by `ipam install`: left as it is")
    if replaced.exists() or replaced.is_symlink():
        replaced.replace(target)
        print(f"restored  {target}")
    else:
        target.unlink()
        print(f"removed   {target}")
    (kept / f"{options.name}.bundle").unlink(missing_ok=True)
    if kept.is_dir() and not any(kept.iterdir()):
        kept.rmdir()
