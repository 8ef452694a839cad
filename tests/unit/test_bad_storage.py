"""Data directories that fail: read-only, full, missing, in the wrong hands, or no directories at all."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Answer, Call, missing
from tests.unit.refusal import HELD, HOLDER, Site, check_error, check_refused, conf, environment, refused, section


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def leased(directory: Path) -> set[str]:
    """The addresses that are leased in the network's directory."""
    return {path.name for path in directory.glob("1*")}


@contextmanager
def private_mounts(script: str, *arguments: str | Path) -> Iterator[int]:
    """A mount namespace in which the shell script has run; gives the process that keeps it."""
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        missing("unshare and nsenter (Debian: util-linux)")
    command: list[str | Path] = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        f"{script}\necho ready\nexec cat",
        "sh",
    ]
    with subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        try:
            assert keeper.stdout.readline() == b"ready\n"
            yield keeper.pid
        finally:
            keeper.stdin.close()


def inside(keeper: int, plugin: Path, site: Site, command: str, container: str = HOLDER) -> Answer:
    """One call in the mount namespace of that process."""
    env = environment(CNI_COMMAND=command, CNI_CONTAINERID=container)
    nsenter = shutil.which("nsenter") or "nsenter"
    done = subprocess.run(
        [nsenter, f"--mount=/proc/{keeper}/ns/mnt", plugin],
        env=env,
        input=site.stdin(conf()),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


READ_ONLY = 'mount --bind "$1" "$1"\nmount -o remount,bind,ro "$1"'
TINY = 'mount -t tmpfs -o size=128k,nr_inodes=64,mode=0755 tmpfs "$1"'


@pytest.mark.usefixtures("as_root")
def test_a_read_only_data_directory_is_an_error_and_no_false_success(plugin: Path, site: Site) -> None:
    with private_mounts(READ_ONLY, site.data_dir) as keeper:
        check_error(inside(keeper, plugin, site, "ADD", "c1"), 5, "Read-only", str(site.data_dir))
        check_error(inside(keeper, plugin, site, "DEL"), 5, "Read-only", str(site.data_dir))
        check_error(inside(keeper, plugin, site, "STATUS"), 50, str(site.data_dir))
    assert leased(site.data_dir / "net") == {HELD}


@pytest.mark.usefixtures("as_root")
def test_a_lease_that_cannot_be_removed_is_an_error(plugin: Path, site: Site) -> None:
    with private_mounts('mount --bind "$1" "$1"', site.data_dir / "net" / HELD) as keeper:
        check_error(inside(keeper, plugin, site, "DEL"), 5, "busy")
        assert inside(keeper, plugin, site, "CHECK").code == 0
    assert leased(site.data_dir / "net") == {HELD}
    assert (site.data_dir / "net" / HELD).read_bytes() == f"{HOLDER}\r\neth0".encode()


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("what", ["space", "inodes"])
def test_a_full_data_directory_is_an_error_and_del_still_makes_room(what: str, plugin: Path, site: Site) -> None:
    with private_mounts(TINY, site.data_dir) as keeper:
        seen = Path(f"/proc/{keeper}/root{site.data_dir}")
        assert inside(keeper, plugin, site, "ADD").code == 0
        fill(seen, what)
        check_error(inside(keeper, plugin, site, "ADD", "c1"), 5, "No space left", str(site.data_dir))
        check_error(inside(keeper, plugin, site, "STATUS"), 50, "full")
        assert leased(seen / "net") == {HELD}
        assert inside(keeper, plugin, site, "DEL") == (0, b"", b"")
        assert not (seen / "net" / HELD).exists()
        for path in seen.glob("filler*"):
            path.unlink()
        assert inside(keeper, plugin, site, "ADD", "c1").code == 0


def fill(directory: Path, what: str) -> None:
    """Use up the file system's blocks, or its inodes."""
    with pytest.raises(OSError, match="No space left"):
        for number in range(1_000):
            with (directory / f"filler{number}").open("wb", buffering=0) as filler:
                while what == "space":
                    filler.write(bytes(1_024))


@pytest.mark.parametrize("depth", ["", "net"])
def test_a_directory_that_everybody_may_write_is_not_trusted(depth: str, site: Site, call: Call) -> None:
    (site.data_dir / depth).chmod(0o777)
    for command in ("ADD", "DEL", "CHECK"):
        check_refused(call, site, refused(5, "writable by everybody", CNI_COMMAND=command))


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("depth", ["", "net"])
def test_a_directory_of_another_user_is_not_trusted(depth: str, site: Site, call: Call) -> None:
    os.chown(site.data_dir / depth, 65_534, 65_534)
    for command in ("ADD", "DEL", "CHECK"):
        check_refused(call, site, refused(5, "belongs to user 65534", CNI_COMMAND=command))


def test_a_missing_data_directory_is_made_for_nobody_else_to_read(tmp_path: Path, call: Call) -> None:
    config = conf(ipam=section(dataDir=f"{tmp_path}/a/b/c"))
    assert call(environment(), Site(tmp_path / "other").stdin(config)).code == 0
    assert (tmp_path / "a/b/c/net/10.0.0.2").stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "a/b/c/net").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("mode", "owner"), [(0o1777, 0), (0o755, 65_534)])
@pytest.mark.usefixtures("as_root")
def test_status_is_what_add_would_say_of_a_missing_data_directory_in_a_place_of_others(
    mode: int, owner: int, tmp_path: Path, call: Call
) -> None:
    above = tmp_path / "above"
    above.mkdir()
    os.chown(above, owner, -1)
    above.chmod(mode)
    stdin = Site(tmp_path / "other").stdin(conf(ipam=section(dataDir=f"{above}/networks")))
    for command in ("STATUS", "ADD", "STATUS"):
        assert call(environment(CNI_COMMAND=command), stdin).code == 0
    (above / "networks").chmod(0o777)
    check_error(call(environment(CNI_COMMAND="STATUS"), stdin), 50, "writable by everybody")


NOWHERE = [
    (path, command) for path in ("/dev/null", "/dev/null/x", "/proc/self/mem/x") for command in ("ADD", "DEL", "CHECK")
]


# Below /proc nothing is held and nothing can be made: DEL and CHECK need not try.
@pytest.mark.parametrize(("path", "command"), [*NOWHERE, ("/proc/ipam", "ADD")])
def test_a_data_directory_that_cannot_be_is_an_error(path: str, command: str, site: Site, call: Call) -> None:
    config = conf(ipam=section(dataDir=path))
    check_refused(call, site, refused(5, path, config=config, CNI_COMMAND=command))
