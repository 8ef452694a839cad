"""One call to two plugins, each with a data directory of its own, and in what their answers differ."""

import json
import os
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

DATA_DIR = "@DATA@"
"""In a config: the data directory of the plugin that is called. In an answer: where that path stood."""

SHARED_DIR = "@SHARED@"
"""In a config: a directory that both plugins read (resolv.conf files)."""

NEWEST = "1.1.0"
UNSTATED = "0.1.0"
SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", NEWEST)
GO_INTERNAL = 999
"""The code of every error that Go's host-local itself (not its skeleton) raises."""

Json: TypeAlias = dict[str, Any]
Files: TypeAlias = dict[str, bytes]


class Aspect(StrEnum):
    """In what two answers to one call, and the directories after it, can differ."""

    OUTCOME = "outcome"  # one succeeded, the other did not
    RESULT = "result"  # both succeeded, and printed different bytes
    MESSAGE = "message"  # both failed, and our `msg` does not begin with Go's
    CODE = "code"  # both failed, Go with a code of SPEC's (not its 999), ours with another
    LEASES = "leases"  # the directories differ in anything but the round robin's position
    CURSOR = "cursor"  # the directories differ in last_reserved_ip.*


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Call:
    """What a runtime hands to a plugin. In `env`, None takes a variable away."""

    command: str
    config: Json | bytes
    container: str = "c1"
    ifname: str = "eth0"
    args: str | None = None
    env: Mapping[str, str | None] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The CNI_* variables."""
        variables: dict[str, str | None] = {
            "CNI_COMMAND": self.command,
            "CNI_CONTAINERID": self.container,
            "CNI_NETNS": "/run/netns/there-is-no-such-namespace",
            "CNI_IFNAME": self.ifname,
            "CNI_ARGS": self.args,
            "CNI_PATH": "/opt/cni/bin",
            **self.env,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def stdin(self) -> bytes:
        """The config as text, its placeholders still in it."""
        return self.config if isinstance(self.config, bytes) else json.dumps(self.config).encode()

    @property
    def version(self) -> str:
        """The cniVersion that an error has to carry: the config's, or the newest where that is no good."""
        try:
            value = json.loads(self.stdin().decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return NEWEST
        stated = value.get("cniVersion") or UNSTATED if isinstance(value, dict) else NEWEST
        return stated if stated in SUPPORTED else NEWEST


@dataclass(frozen=True)
class Answer:
    """What a plugin said; DATA_DIR stands where its data directory's path stood."""

    status: int
    stdout: bytes
    stderr: bytes = b""

    @property
    def body(self) -> Json:
        """The object on stdout; empty where there is none."""
        try:
            value = json.loads(self.stdout)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def succeeded(self) -> bool:
        """Exit status 0."""
        return self.status == 0

    @property
    def code(self) -> int:
        """0, or the code of the error object."""
        return 0 if self.succeeded else int(self.body.get("code", -1))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses in a result of any version, as `address/length`, in its order."""
        body = self.body
        if "ips" in body:
            return tuple(entry["address"] for entry in body["ips"])
        return tuple(body[family]["ip"] for family in ("ip4", "ip6") if family in body)

    def __str__(self) -> str:
        return f"exit {self.status}: {self.stdout.decode(errors='replace')} {self.stderr[:200]!r}"


class Plugin:
    """An executable and a data directory (two of them may share one)."""

    def __init__(self, executable: Path, data_dir: Path, shared_dir: Path | None = None) -> None:
        self.executable = executable
        self.data_dir = data_dir
        self.shared_dir = shared_dir or data_dir.parent / "shared"
        data_dir.mkdir(exist_ok=True)

    def __call__(self, call: Call) -> Answer:
        """One call, begun and ended."""
        here = str(self.data_dir).encode()
        stdin = call.stdin().replace(DATA_DIR.encode(), here)
        done = subprocess.run(
            [self.executable],
            env=call.environment(),
            cwd=self.data_dir,
            input=stdin.replace(SHARED_DIR.encode(), str(self.shared_dir).encode()),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Answer(done.returncode, done.stdout.replace(here, DATA_DIR.encode()), done.stderr)

    def files(self) -> Files:
        """Every file below the data directory: name and bytes. Not the lock, not our own `.ipam`."""
        found: Files = {}
        for directory, subdirectories, names in os.walk(self.data_dir):
            if directory == str(self.data_dir) and ".ipam" in subdirectories:
                subdirectories.remove(".ipam")
            for name in names:
                if name != "lock":
                    path = Path(directory, name)
                    found[str(path.relative_to(self.data_dir))] = _content(path)
        return found

    def write(self, files: Mapping[str, bytes | None]) -> None:
        """Put files into the data directory, as another program or an old version left them; None removes."""
        for name, content in files.items():
            path = self.data_dir / name
            if content is None:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _content(path: Path) -> bytes:
    mode = path.lstat().st_mode
    return path.read_bytes() if stat.S_ISREG(mode) else f"({stat.filemode(mode)})".encode()


def is_cursor(name: str) -> bool:
    """Whether `name`, of Plugin.files, is that of a round robin's position."""
    return "/last_reserved_ip." in name


def cursors(files: Files) -> Files:
    """The round robin's positions among `files`."""
    return {name: content for name, content in files.items() if is_cursor(name)}


def leases(files: Files) -> Files:
    """All of `files` that is not a round robin's position."""
    return {name: content for name, content in files.items() if not is_cursor(name)}


def as_here(go: Answer) -> bytes:
    """A result of Go as ours has to print it: without the empty `dns` from 1.0.0 on (`empty-dns`)."""
    if str(go.body.get("cniVersion", "")).startswith("1."):
        return go.stdout.replace(b',\n    "dns": {}\n}', b"\n}")
    return go.stdout


def differing_answers(go: Answer, ours: Answer) -> dict[Aspect, str]:
    """In what two answers differ, each with a line that says how.

    What differs everywhere (see `differences.EVERYWHERE`) is taken off first: for results by `as_here`,
    for errors by comparing only how our message begins, and codes only where Go's is one of SPEC's.
    """
    if go.succeeded != ours.succeeded:
        return {Aspect.OUTCOME: f"Go: {go}\nours: {ours}"}
    if go.succeeded:
        return {} if as_here(go) == ours.stdout else {Aspect.RESULT: f"Go: {go}\nours: {ours}"}
    found = {}
    if "msg" not in go.body or not str(ours.body.get("msg")).startswith(go.body["msg"]):
        found[Aspect.MESSAGE] = f"Go: {go}\nours: {ours}"
    if "code" in go.body and go.code not in (GO_INTERNAL, ours.code):
        found[Aspect.CODE] = f"Go: {go.code}, ours: {ours.code}"
    return found


def differing_files(go: Files, ours: Files) -> dict[str, tuple[bytes | None, bytes | None]]:
    """The files that are not the same in two directories: name, then Go's and our content."""
    return {
        name: (go.get(name), ours.get(name))
        for name in sorted(go.keys() | ours.keys())
        if go.get(name) != ours.get(name)
    }


def faults(call: Call, ours: Answer) -> list[str]:
    """What is wrong with an answer of ours by itself, whatever Go says."""
    found = []
    if ours.status not in (0, 1):
        found.append(f"exit status {ours.status}")
    if ours.stdout.endswith(b"\n"):
        found.append("a newline after the answer")
    if not ours.succeeded:
        body = ours.body
        if list(body) not in (["cniVersion", "code", "msg"], ["cniVersion", "code", "msg", "details"]):
            found.append(f"an error object with the keys {list(body)}")
        elif body["cniVersion"] != call.version:
            found.append(f"an error of cniVersion {body['cniVersion']!r}, not {call.version!r}")
        if "\n" in str(body.get("msg")) + str(body.get("details")):
            found.append("a message of several lines")
    elif call.command not in ("ADD", "VERSION") and ours.stdout:
        found.append(f"{call.command} printed {ours.stdout!r}")
    return found
