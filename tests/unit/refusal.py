"""What a refused request looks like, and a data directory in use that it must leave as it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Any, NamedTuple

from ipam.cni import VERSIONS
from ipam.handler import handle
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Request
from tests.conftest import Answer, Call

Json = dict[str, Any]

DATA_DIR = "@dataDir@"
"""Stands in a case for the data directory, which only the test knows."""

LONGEST_ANSWER = 4096
"""Whatever came in: the message is for people to read."""

HELD = "10.0.0.2"
HOLDER = "holder"
"""Who holds HELD on the network `net`."""


class Case(NamedTuple):
    """A request, the code that it is refused with, and words that `msg` or `details` must hold."""

    code: int
    says: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str | None]


class Site:
    """A data directory with one lease, and the directory around it, where nothing may appear."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data_dir = root / "networks"
        assert directly(environment(CNI_CONTAINERID=HOLDER), self.stdin(conf())).code == 0

    def stdin(self, config: Json | bytes) -> bytes:
        """A config as it comes in, with the data directory in its place."""
        return encoded(config).replace(DATA_DIR.encode(), str(self.data_dir).encode())


def directly(env: dict[str, str], stdin: bytes) -> Answer:
    """A call in this process, for what is decided before any door's ways part."""
    host = this_host()
    stores = Stores(host)
    reply = handle(Request(env, stdin), host, stores)
    stores.close()
    return Answer(reply.exit_code, reply.stdout, reply.stderr.encode())


def encoded(config: Json | bytes) -> bytes:
    return config if isinstance(config, bytes) else json.dumps(config).encode()


def conf(**changes: Any) -> Json:
    """A good config of one range set with these changes; `...` leaves a key out."""
    whole = {"cniVersion": "1.1.0", "name": "net", "type": "bridge", "ipam": section(), **changes}
    return {key: value for key, value in whole.items() if value is not ...}


def section(**changes: Any) -> Json:
    """A good `ipam` section with these changes; `...` leaves a key out."""
    whole = {"type": "host-local", "dataDir": DATA_DIR, "ranges": [[{"subnet": "10.0.0.0/24"}]], **changes}
    return {key: value for key, value in whole.items() if value is not ...}


def environment(**changes: str | None) -> dict[str, str]:
    """The variables of an ADD with these changes; None leaves one out."""
    whole = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": "/run/netns/nowhere",
        "CNI_IFNAME": "eth0",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def refused(code: int, *says: str, config: Json | bytes | None = None, **env: str | None) -> Case:
    return Case(code, says, encoded(conf() if config is None else config), env)


def snapshot(root: Path) -> dict[str, object]:
    """Everything below `root`: kind, permissions, owner, time of change, content."""
    return {str(path.relative_to(root)): _entry(path) for path in [root, *root.rglob("*")]}


def _entry(path: Path) -> object:
    status = path.lstat()
    content: object = None
    if S_ISLNK(status.st_mode):
        content = path.readlink()
    elif S_ISREG(status.st_mode):
        content = path.read_bytes()
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content


def check_refused(call: Call, site: Site, case: Case) -> None:
    """The request gets its error, and nothing of it is left behind."""
    before = snapshot(site.root)
    answer = call(environment(**case.env), site.stdin(case.stdin))
    check_error(answer, case.code, *case.says)
    assert snapshot(site.root) == before


def check_error(answer: Answer, code: int, *says: str) -> None:
    """One CNI error object on stdout and nothing else anywhere."""
    assert answer.code == 1, answer
    assert answer.stderr == b""
    assert answer.stdout.startswith(b"{") and answer.stdout.endswith(b"}")
    assert len(answer.stdout) <= LONGEST_ANSWER
    error = answer.json()
    assert set(error) in ({"cniVersion", "code", "msg"}, {"cniVersion", "code", "msg", "details"}), error
    assert error["code"] == code, error
    assert error["cniVersion"] in VERSIONS
    text = f"{error['msg']}|{error.get('details', '')}"
    assert error["msg"]
    assert text.isprintable(), error
    for word in says:
        assert word in text, error
