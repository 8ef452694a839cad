"""CNI_* variables that are missing or wrong, and surroundings that fail: streams, and the data directory itself."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipam.cni import Request
from ipam.handler import handle
from ipam.plugin import this_host
from ipam.registry import Stores
from tests.conftest import Answer, Call, missing
from tests.unit.refusal import (
    HELD,
    HOLDER,
    Case,
    Site,
    check_error,
    check_refused,
    conf,
    environment,
    refused,
    section,
    snapshot,
)

LONG = "c" * 10_000
NEEDED = "required env variables [{}] missing"

MISSING = {
    "nothing": refused(
        4,
        NEEDED.format("CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME"),
        CNI_CONTAINERID=None,
        CNI_NETNS=None,
        CNI_IFNAME=None,
    ),
    "all empty": refused(
        4, NEEDED.format("CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME"), CNI_CONTAINERID="", CNI_NETNS="", CNI_IFNAME=""
    ),
    "no container id": refused(4, NEEDED.format("CNI_CONTAINERID"), CNI_CONTAINERID=None),
    "no namespace": refused(4, NEEDED.format("CNI_NETNS"), CNI_NETNS=None),
    "no interface": refused(4, NEEDED.format("CNI_IFNAME"), CNI_IFNAME=None),
    "two missing": refused(4, NEEDED.format("CNI_CONTAINERID,CNI_IFNAME"), CNI_CONTAINERID=None, CNI_IFNAME=""),
    "CHECK without a namespace": refused(4, NEEDED.format("CNI_NETNS"), CNI_NETNS=None, CNI_COMMAND="CHECK"),
    "DEL without anything": refused(
        4, NEEDED.format("CNI_CONTAINERID,CNI_IFNAME"), CNI_COMMAND="DEL", CNI_CONTAINERID=None, CNI_IFNAME=None
    ),
} | {
    f"command {command[:9]!r}": refused(4, "unknown CNI_COMMAND: ", ascii(command)[1:-1][:60], CNI_COMMAND=command)
    for command in ("add", "ADD ", "ADD\n", "PURGE", "\x1b[2J", LONG)
}

CONTAINER_IDS = {
    f"container id {text[:9]!r}": refused(
        4, "invalid characters in containerID", ascii(text)[1:-1], CNI_CONTAINERID=text
    )
    for text in ("..", ".", ".a", "-a", "_a", "a/b", "../x", "/", "a\\b", "a\n", "\n", "a\r\neth0", "a b", " a", "a:b")
    + ("a;b", "a%2f", "ä", "\u0661", "\udcff", "a\x1b")
}

INTERFACES = {
    f"interface {text[:9]!r}": refused(4, said, ascii(text)[1:-1][:60], CNI_IFNAME=text)
    for said, texts in {
        "interface name is . or ..": (".", ".."),
        "interface name is too long": ("e" * 16, "ä" * 8, LONG, "\udcff" * 16),
        "interface name contains / or : or whitespace characters": (
            *("/", "a/b", "../x", "a:b", ":", " ", "a b", "a\t", "a\n", "\n", "a\vb", "a\u00a0b", "a\u2003b", "a\x85"),
        ),
    }.items()
    for text in texts
}

ARGS = {
    f"CNI_ARGS {text[:40]!r}": refused(4, "ARGS: ", said, CNI_ARGS=text)
    for text, said in {
        "A": 'invalid pair "A"',
        ";": 'invalid pair ""',
        "=": 'unknown args ["="]',
        "A=1": 'unknown args ["A=1"]',
        "A=1;B=2": 'unknown args ["A=1" "B=2"]',
        "A=1;": 'invalid pair ""',
        ";A=1": 'invalid pair ""',
        "A=1;;B=2": 'invalid pair ""',
        "IgnoreUnknown=1;": 'invalid pair ""',
        "IgnoreUnknown=1;A=1=2": 'invalid pair "A=1=2"',
        "IgnoreUnknown=1;A": 'invalid pair "A"',
        "IgnoreUnknown": 'invalid pair "IgnoreUnknown"',
        "IgnoreUnknown=;A=1": 'pair "IgnoreUnknown="',
        "IgnoreUnknown=yes;A=1": 'pair "IgnoreUnknown=yes"',
        "IgnoreUnknown=1 ;A=1": 'pair "IgnoreUnknown=1 "',
        "IgnoreUnknown=0;A=1": 'unknown args ["A=1"]',
        "IgnoreUnknown=1;A=1;IgnoreUnknown=false": 'unknown args ["A=1"]',
        "ignoreunknown=1": 'unknown args ["ignoreunknown=1"]',
        "ip=10.0.0.9": 'unknown args ["ip=10.0.0.9"]',
        " IP=10.0.0.9": 'unknown args [" IP=10.0.0.9"]',
        "K8S_POD_NAME=\udcff": "udcff",
        "A=\x1b[2J\u202e": "x1b[2J",
        "IP=x": "invalid IP address x",
        "IP=10.0.0.9/33": "invalid IP address 10.0.0.9/33",
        "IP=10.0.0.09": "invalid IP address 10.0.0.09",
        "IP=10.0.0.9,10.0.0.8": "invalid IP address 10.0.0.9,10.0.0.8",
        "IP=fd00::9%eth0": "invalid IP address fd00::9%eth0",
        "IP=10.0.0.9;IP=x": "invalid IP address x",
        "IP=" + "9" * 10_000: "10000 characters",
        "A" * 10_000: "10000 characters",
        ";".join(f"A{number}=1" for number in range(5_000)): '"A0=1"',
    }.items()
}

NAMESPACE = {
    "the plugin's own namespace": refused(
        4, "plugin's netns and netns from CNI_NETNS should not be the same", CNI_NETNS="/proc/self/ns/net"
    ),
    "the same, the check kept on": refused(4, "same", CNI_NETNS="/proc/self/ns/net", CNI_NETNS_OVERRIDE="0"),
}

CASES = MISSING | CONTAINER_IDS | INTERFACES | ARGS | NAMESPACE


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_bad_environment_is_refused_and_changes_nothing(case: Case, site: Site, call: Call) -> None:
    check_refused(call, site, case)


@pytest.mark.parametrize("command", ["DEL", "CHECK"])
@pytest.mark.parametrize("bad", [{"CNI_ARGS": "A"}, {"CNI_CONTAINERID": ".."}, {"CNI_IFNAME": "a/b"}])
def test_del_and_check_read_the_environment_as_add_does(
    command: str, bad: dict[str, str], site: Site, call: Call
) -> None:
    check_refused(call, site, refused(4, *bad.values(), CNI_COMMAND=command, **bad))


@pytest.mark.parametrize("name", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS", "CNI_COMMAND"])
def test_a_nul_that_only_a_daemon_could_let_in_is_refused(name: str, site: Site) -> None:
    before = snapshot(site.root)
    host = this_host()
    reply = handle(Request(environment(**{name: "a=b\0c"}), site.stdin(conf())), host, Stores(host))
    check_error(Answer(reply.exit_code, reply.stdout, reply.stderr.encode()), 4)
    assert snapshot(site.root) == before


@pytest.mark.parametrize("stdin", [b"", b"\0", b"[]", b'{"cniVersion": 5}', b"[" * 100_000, b"\xff"])
def test_version_answers_whatever_else_is_wrong(stdin: bytes, call: Call) -> None:
    answer = call({"CNI_COMMAND": "VERSION", "CNI_CONTAINERID": "..", "CNI_ARGS": ";"}, stdin)
    assert (answer.code, answer.stderr) == (0, b"")
    assert answer.json()["supportedVersions"][-1] == "1.1.0"


@pytest.mark.parametrize("command", [{}, {"CNI_COMMAND": ""}])
def test_without_a_command_the_plugin_tells_about_itself(command: dict[str, str], call: Call) -> None:
    answer = call(command, b"")
    assert (answer.code, answer.stdout) == (0, b"")
    assert b"CNI protocol versions supported: 0.1.0, 0.2.0" in answer.stderr


def started(plugin: Path, shell: str, site: Site, command: str = "ADD") -> Answer:
    """A call whose standard streams the shell arranges; `$0` is the plugin, stdin the good config."""
    env = environment(CNI_COMMAND=command, CNI_CONTAINERID=HOLDER if command == "DEL" else "c1", PATH=os.defpath)
    done = subprocess.run(
        ["sh", "-c", f'{shell}; exit "$?"', plugin],
        env=env,
        input=site.stdin(conf()),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def leased(site: Site) -> set[str]:
    return {path.name for path in (site.data_dir / "net").glob("1*")}


@pytest.mark.parametrize("stdin", ["<&-", "</dev/null", "</dev/zero", "<&- 2>&-", "0>/dev/null"])
def test_a_stdin_without_a_config_is_undecodable(stdin: str, plugin: Path, site: Site) -> None:
    before = snapshot(site.root)
    check_error(started(plugin, f'"$0" {stdin}', site), 6)
    assert snapshot(site.root) == before


@pytest.mark.parametrize("stdout", [">&-", ">/dev/full", "1</dev/null", "<&- >&- 2>&-"])
def test_an_add_that_nobody_can_hear_fails_and_leaves_nothing(stdout: str, plugin: Path, site: Site) -> None:
    answer = started(plugin, f'"$0" {stdout}', site)
    assert (answer.code, answer.stdout) == (1, b"")
    assert b"Traceback" not in answer.stderr
    assert leased(site) == {HELD}


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_stderr_is_not_needed(stderr: str, plugin: Path, site: Site) -> None:
    answer = started(plugin, f'"$0" {stderr}', site)
    assert answer.code == 0
    assert answer.json()["ips"][0]["address"] == "10.0.0.3/24"
    assert (site.data_dir / "net" / "10.0.0.3").read_bytes() == b"c1\r\neth0"


@contextmanager
def private_mounts(script: str, *arguments: str | Path) -> Iterator[int]:
    """A mount namespace in which the shell script has run; gives the process that keeps it."""
    unshare = shutil.which("unshare")
    if not unshare or not shutil.which("nsenter"):
        missing("unshare and nsenter (Debian: util-linux)")
    command = [unshare, "--mount", "--propagation", "private", "sh", "-ec", f"{script}\necho ready\nexec cat", "sh"]
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
    assert leased(site) == {HELD}


@pytest.mark.usefixtures("as_root")
def test_a_lease_that_cannot_be_removed_is_an_error(plugin: Path, site: Site) -> None:
    with private_mounts('mount --bind "$1" "$1"', site.data_dir / "net" / HELD) as keeper:
        check_error(inside(keeper, plugin, site, "DEL"), 5, "busy")
        assert inside(keeper, plugin, site, "CHECK").code == 0
    assert leased(site) == {HELD}
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
        assert {path.name for path in (seen / "net").glob("1*")} == {HELD}
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


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK"])
@pytest.mark.parametrize("path", ["/dev/null", "/dev/null/x", "/proc/ipam", "/proc/self/mem/x"])
def test_a_data_directory_that_cannot_be_is_an_error(path: str, command: str, site: Site, call: Call) -> None:
    config = conf(ipam=section(dataDir=path))
    check_refused(call, site, refused(5, path, config=config, CNI_COMMAND=command))
