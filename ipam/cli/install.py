"""`ipam install`: the plugin into a CNI bin directory, at once or not at all; what it replaces is kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import click

from ipam import __version__, bundle
from ipam.cli import units
from ipam.cli.plugins import DEFAULT_DIR, DEFAULT_NAME, Records, is_ours, is_there, sync, temporary, write
from ipam.cli.steadfast import to_the_end
from ipam.inspection.mistakes import Mistake
from ipam.launcher import launcher_path, protocol_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

NO_LAUNCHER = """\
no launcher: this package was built where no C compiler is, or the machine is neither x86_64 nor aarch64.
          Every call starts Python, and the daemon is not asked. Install gcc, then the package once more
          (pip install --force-reinstall), and run this again."""


def places(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `ipam install` and `ipam uninstall` share."""
    directory = click.Path(path_type=Path)
    function = units.options(function)
    for option in (
        click.option("--name", default=DEFAULT_NAME, show_default=True, help="The plugin's name there."),
        click.option("--cni-bin-dir", type=directory, default=DEFAULT_DIR, metavar="DIR", show_default=True),
    ):
        function = option(function)
    return function


@click.command("install")
@places
@click.option("--one-shot", is_flag=True, help="The plugin that needs no daemon, even where there is a launcher.")
@click.option(
    "--launcher-only",
    is_flag=True,
    help="Nothing to fall back to when the daemon is down: where the node does not have this Python (a container).",
)
def command(
    *,
    cni_bin_dir: Path,
    name: str,
    systemd: bool,
    systemd_dir: Path,
    tmpfiles_dir: Path,
    one_shot: bool,
    launcher_only: bool,
) -> None:
    """Put the plugin into a CNI bin directory.

    What stands there already is kept for `ipam uninstall`.
    """
    if one_shot and launcher_only:
        raise click.UsageError("--one-shot and --launcher-only exclude each other")
    launcher = None if one_shot else launcher_path()
    if launcher_only and launcher is None:
        raise ValueError("--launcher-only: there is no launcher, this package was built where no C compiler is")
    to_the_end()
    records = records_of(cni_bin_dir, name)
    # In this order whoever calls meanwhile finds all that the executable of that moment needs.
    files = {} if launcher_only else _one_shot(records)
    files[records.plugin] = _leading_to(records.one_shot, launcher) if launcher else files[records.one_shot]
    records.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(records):
        previous = records.bundles_in_use()
        _keep(records)
        for path, data in files.items():
            write(path, data, mode=0o755)
        # A call that began a moment ago may be about to load the previous bundle: the next install removes that.
        for path in (records.bundles() - records.bundles_in_use() - previous) | set(records.unfinished()):
            path.unlink()
    print(f"installed {records.plugin} ({_described(launcher, launcher_only=launcher_only)})")
    if launcher is None and not one_shot:
        print(NO_LAUNCHER)
    if systemd:
        units.install(systemd_dir, tmpfiles_dir)


def _one_shot(records: Records) -> dict[Path, bytes]:
    """The bundle, and the script that runs it."""
    code = bundle.build()
    place = records.bundle(hashlib.sha256(code).hexdigest())
    return {place: code, records.one_shot: bundle.script(place, __version__).encode()}


def _leading_to(one_shot: Path, launcher: Path) -> bytes:
    """The launcher, and after it a zip archive that runs the one-shot.

    The archive is for a call that began when a script stood in the launcher's place: the kernel has started the
    script's interpreter, which then opens the file of that name, finds the launcher, and can only run archives.
    """
    file = BytesIO(launcher.read_bytes())
    with ZipFile(file, "a") as archive:
        program = f"import posix\nposix.execv({str(one_shot)!r}, [{str(one_shot)!r}])\n"
        archive.writestr(ZipInfo("__main__.py"), program)  # without the time of day: the same bytes every time
    return file.getvalue()


def _described(launcher: Path | None, *, launcher_only: bool) -> str:
    one_shot = f"one-shot, {bundle.interpreter()}"
    if launcher is None:
        return one_shot
    fallback = "nothing to fall back to" if launcher_only else f"falls back to the {one_shot}"
    return f"launcher, protocol {protocol_of(launcher)}; {fallback}"


def records_of(directory: Path, name: str) -> Records:
    """Where the plugin and its records are. Raises Mistake for a name that is none."""
    if not name or "/" in name or name.startswith("."):
        raise Mistake(f"--name must be a plain file name, not {name!r}")
    return Records(directory.resolve(), name)


@contextmanager
def locked(records: Records) -> Iterator[None]:
    """One change of a CNI bin directory at a time: two pods of a DaemonSet may overlap."""
    fd = os.open(records.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _keep(records: Records) -> None:
    """Copy aside what stands in the plugin's place and is not ours: a file, or a link as a link."""
    plugin = records.plugin
    if is_ours(plugin) or not is_there(plugin):
        return
    if not plugin.is_symlink() and not plugin.is_file():
        raise ValueError(f"{plugin} is not a file")
    copy = temporary(records.replaced)
    copy.unlink(missing_ok=True)
    shutil.copy2(plugin, copy, follow_symlinks=False)
    if not copy.is_symlink():
        sync(copy)
    copy.replace(records.replaced)
    sync(records.directory)
    print(f"kept      {records.replaced} (the {plugin.name} that was there)")
