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

from ipam import __version__, bundle
from ipam.cli import units
from ipam.cli.plugins import DEFAULT_DIR, DEFAULT_NAME, Records, is_ours, is_there, sync, temporary, write
from ipam.launcher import launcher_path, protocol_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

NO_LAUNCHER = """\
no launcher: this package was built where no C compiler is, or the machine is neither x86_64 nor aarch64.
          Every call starts Python, and the daemon is not asked. Install gcc, then the package once more
          (pip install --force-reinstall), and run this again."""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `ipam install`."""
    add_places(parser)
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--one-shot", action="store_true", help="the plugin that needs no daemon, even where there is a launcher"
    )
    only.add_argument(
        "--launcher-only",
        action="store_true",
        help="nothing to fall back to when the daemon is down: where the node does not have this Python (a container)",
    )


def add_places(parser: ArgumentParser) -> None:
    """The options that `ipam install` and `ipam uninstall` share."""
    parser.add_argument("--cni-bin-dir", type=Path, default=DEFAULT_DIR, metavar="DIR", help=f"default: {DEFAULT_DIR}")
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"the plugin's name there (default: {DEFAULT_NAME})")
    units.add_arguments(parser)


def run(options: Namespace) -> None:
    """Put the plugin in place, then the units where they are asked for, and say what was done."""
    launcher = None if options.one_shot else launcher_path()
    if options.launcher_only and launcher is None:
        raise ValueError("--launcher-only: there is no launcher, this package was built where no C compiler is")
    records = records_of(options)
    # In this order whoever calls meanwhile finds all that the executable of that moment needs.
    files = {} if options.launcher_only else _one_shot(records)
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
    print(f"installed {records.plugin} ({_described(launcher, options)})")
    if launcher is None and not options.one_shot:
        print(NO_LAUNCHER)
    if options.systemd:
        units.install(options.systemd_dir, options.tmpfiles_dir)


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


def _described(launcher: Path | None, options: Namespace) -> str:
    one_shot = f"one-shot, {bundle.interpreter()}"
    if launcher is None:
        return one_shot
    fallback = "nothing to fall back to" if options.launcher_only else f"falls back to the {one_shot}"
    return f"launcher, protocol {protocol_of(launcher)}; {fallback}"


def records_of(options: Namespace) -> Records:
    """Where the plugin and its records are. Raises ValueError for a name that is none."""
    name = options.name
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"--name must be a plain file name, not {name!r}")
    return Records(options.cni_bin_dir.resolve(), name)


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
