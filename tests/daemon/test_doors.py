"""Byte for byte the same answers, and the same files, whichever door a call comes through."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ipam.handler import handle
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Request
from tests.daemon.calls import config
from tests.daemon.service import Service, ask
from tests.peer.cases import Case, Step, leases, ranges, requests, results, versions
from tests.peer.cases import config as configs
from tests.peer.cases import environment as environments
from tests.peer.comparison import DATA_DIR, Answer, Call, Files, Plugin

MODULES = (versions, environments, configs, ranges, requests, results, leases)
CASES: dict[str, Case] = {name: case for module in MODULES for name, case in module.CASES.items()}

Door = Callable[[Call], Answer]
GARBAGE = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no UTF-8": b'{"name": "\xff"}',
    "a NUL": b'{"name": "a\0b"}',
    "deeply nested": b'{"a":' + b"[" * 100_000,
}


class Direct(Plugin):
    """The handler in this process, with the stores kept open as a daemon keeps them."""

    def __init__(self, data_dir: Path, shared_dir: Path) -> None:
        super().__init__(Path(), data_dir, shared_dir)
        self._host = this_host()
        self._stores = Stores(self._host)

    def __call__(self, call: Call) -> Answer:
        here = str(self.data_dir).encode()
        stdin = call.stdin().replace(DATA_DIR.encode(), here).replace(b"@SHARED@", str(self.shared_dir).encode())
        reply = handle(Request(call.environment(), stdin), self._host, self._stores)
        return Answer(reply.exit_code, reply.stdout.replace(here, DATA_DIR.encode()), reply.stderr.encode())

    def close(self) -> None:
        self._stores.close()


@pytest.fixture
def doors(one_shot: Path, launcher: Path, tmp_path: Path) -> dict[str, Plugin]:
    """Every door, with a data directory each (as long as the others) and the same resolv.conf files."""
    shared = tmp_path / "shared"
    shared.mkdir()
    for name, content in results.RESOLV_CONFS.items():
        (shared / name).write_bytes(content)
    return {
        "direct": Direct(tmp_path / "a", shared),
        "one-shot": Plugin(one_shot, tmp_path / "b", shared),
        "daemon": Plugin(launcher, tmp_path / "c", shared),
    }


def assert_equal(seen: dict[str, tuple[Answer, Files]], step: str) -> None:
    expected = seen["direct"]
    for door, got in seen.items():
        assert (door, got) == (door, expected), step


@pytest.mark.parametrize("name", CASES)
def test_every_case_of_the_differential_suite_is_answered_alike(name: str, doors: dict[str, Plugin]) -> None:
    for number, step in enumerate(CASES[name], 1):
        if isinstance(step, Step):
            assert_equal({door: (plugin(step.call), plugin.files()) for door, plugin in doors.items()}, str(number))
        else:
            for plugin in doors.values():
                plugin.write(step)
    direct = doors["direct"]
    assert isinstance(direct, Direct)
    direct.close()


@pytest.mark.parametrize("stdin", GARBAGE.values(), ids=list(GARBAGE))
@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "BAD", None])
def test_garbage_is_answered_alike(command: str | None, stdin: bytes, doors: dict[str, Plugin]) -> None:
    call = Call("", stdin, env={"CNI_COMMAND": command})
    assert_equal({door: (plugin(call), plugin.files()) for door, plugin in doors.items()}, f"{command}")


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
@pytest.mark.parametrize("command", ["GC", "STATUS", "VERSION", "CHECK"])
def test_every_command_is_answered_alike(command: str, version: str, doors: dict[str, Plugin]) -> None:
    conf = json.loads(config(Path("/data"), version=version))
    conf["ipam"]["dataDir"] = DATA_DIR
    for each in (
        Call("ADD", conf),
        Call(command, conf),
        Call(command, {**conf, "cni.dev/valid-attachments": []}),
        Call("CHECK", conf),
    ):
        assert_equal({door: (plugin(each), plugin.files()) for door, plugin in doors.items()}, f"{each.command}")


def test_a_namespace_that_is_the_callers_own_is_refused_by_every_door(doors: dict[str, Plugin]) -> None:
    call = Call("ADD", {**json.loads(config(Path(DATA_DIR)))}, env={"CNI_NETNS": "/proc/self/ns/net"})
    seen = {door: (plugin(call), plugin.files()) for door, plugin in doors.items()}
    assert_equal(seen, "own namespace")
    assert seen["daemon"][0].code == 4


def test_calls_through_the_launcher_are_answered_by_the_daemon(
    daemon: Service, doors: dict[str, Plugin], tmp_path: Path
) -> None:
    def answered() -> int:
        requests_ = json.loads(ask(daemon.socket, {"IPAM_QUERY": "status"})[1])["requests"]
        return sum(number for name, number in requests_.items() if name.startswith("ADD"))

    before = answered()
    for plugin in doors.values():
        plugin(Call("ADD", json.loads(config(tmp_path / "c"))))
    assert answered() == before + 1


def test_without_a_daemon_the_one_shot_answers_the_same(own_launcher: Path, one_shot: Path, tmp_path: Path) -> None:
    conf = json.loads(config(tmp_path))
    conf["ipam"]["dataDir"] = DATA_DIR
    fallback, plain = Plugin(own_launcher, tmp_path / "a"), Plugin(one_shot, tmp_path / "b")
    for command in ("ADD", "ADD", "CHECK", "DEL", "DEL", "VERSION", "STATUS", "GC"):
        call = Call(command, conf)
        assert (fallback(call), fallback.files()) == (plain(call), plain.files()), command
