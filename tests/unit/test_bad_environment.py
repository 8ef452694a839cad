"""CNI_* variables that are missing or wrong, and standard streams that are closed, endless or full."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Answer, Call
from tests.unit.refusal import (
    HELD,
    HOLDER,
    Case,
    Site,
    check_error,
    check_refused,
    conf,
    directly,
    encoded,
    environment,
    refused,
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

STRANGE_IDS = ["..", ".", ".a", "-a", "_a", "a/b", "../x", "/", "a\\b", "a\n", "\n", "a\r\neth0", "a b", " a", "a:b"]
STRANGE_IDS += ["a;b", "a%2f", "ä", "\u0661", "\udcff", "a\x1b"]
CONTAINER_IDS = {
    f"container id {text!r}": refused(4, "invalid characters in containerID", ascii(text)[1:-1], CNI_CONTAINERID=text)
    for text in STRANGE_IDS
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
@pytest.mark.parametrize(("name", "value"), [("CNI_ARGS", "A"), ("CNI_CONTAINERID", ".."), ("CNI_IFNAME", "a/b")])
def test_del_and_check_read_the_environment_as_add_does(
    command: str, name: str, value: str, site: Site, call: Call
) -> None:
    check_refused(call, site, Case(4, (value,), encoded(conf()), {"CNI_COMMAND": command, name: value}))


@pytest.mark.parametrize("name", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS", "CNI_COMMAND"])
def test_a_nul_that_only_a_daemon_could_let_in_is_refused(name: str, site: Site) -> None:
    before = snapshot(site.root)
    check_error(directly(environment(**{name: "a=b\0c"}), site.stdin(conf())), 4)
    assert snapshot(site.root) == before


DEEP_VERSION = b'{"cniVersion":' + b"[" * 900 + b"]" * 900 + b"}"


@pytest.mark.parametrize("stdin", [b"", b"\0", b"[]", b'{"cniVersion": 5}', b"[" * 100_000, DEEP_VERSION, b"\xff"])
def test_version_answers_whatever_else_is_wrong(stdin: bytes, call: Call) -> None:
    answer = call({"CNI_COMMAND": "VERSION", "CNI_CONTAINERID": "..", "CNI_ARGS": ";"}, stdin)
    assert (answer.code, answer.stderr) == (0, b"")
    assert answer.json()["supportedVersions"][-1] == "1.1.0"


@pytest.mark.parametrize("command", [{}, {"CNI_COMMAND": ""}])
def test_without_a_command_the_plugin_tells_about_itself(command: dict[str, str], call: Call) -> None:
    answer = call(command, b"")
    assert (answer.code, answer.stdout) == (0, b"")
    assert b"CNI protocol versions supported: 0.1.0, 0.2.0" in answer.stderr


HOSTILE = "a\x1b[2J\u202e"


@pytest.mark.parametrize("variable", ["CNI_ARGS", "CNI_IFNAME"])
def test_a_holder_with_a_hostile_name_is_told_in_escapes(variable: str, site: Site, call: Call) -> None:
    stdin = site.stdin(conf())
    value = f"IgnoreUnknown=1;K8S_POD_NAME={HOSTILE}\n\udcff" if variable == "CNI_ARGS" else HOSTILE
    assert call(environment(**{"CNI_CONTAINERID": "hostile", variable: value}), stdin).code == 0
    check_error(call(environment(CNI_ARGS="IP=10.0.0.3"), stdin), 101, "container hostile", r"a\x1b[2J\u202e")


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


@pytest.mark.parametrize(
    ("stdin", "code"), [("<&-", 6), ("</dev/null", 6), ("</dev/zero", 6), ("<&- 2>&-", 6), ("0>/dev/null", 5)]
)
def test_a_stdin_without_a_config_is_an_error(stdin: str, code: int, plugin: Path, site: Site) -> None:
    before = snapshot(site.root)
    check_error(started(plugin, f'"$0" {stdin}', site), code)
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


@pytest.mark.parametrize("length", [250, 251, 10_000, 20_000, 100_000])
def test_a_long_container_id_is_served_in_full_or_refused(length: int, site: Site, call: Call) -> None:
    before = snapshot(site.root)
    stdin = site.stdin(conf())
    answer = call(environment(CNI_CONTAINERID="c" * length), stdin)
    if answer.code:
        check_error(answer, 4, "CNI_CONTAINERID")
        assert snapshot(site.root) == before
        return
    assert leased(site) == {HELD, "10.0.0.3"}
    assert call(environment(CNI_CONTAINERID="c" * length, CNI_COMMAND="CHECK"), stdin) == (0, b"", b"")
    check_error(call(environment(CNI_CONTAINERID="c" * length), stdin), 103)
    assert call(environment(CNI_CONTAINERID="c" * length, CNI_COMMAND="DEL"), stdin) == (0, b"", b"")
    assert leased(site) == {HELD}
