"""When the disk is waited for: with `durability: full` before the answer, and otherwise not at all."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import missing

NETWORK = "durable"
CALLS = "fsync,fdatasync,sync_file_range,link,linkat,unlink,unlinkat,write,symlinkat,renameat,renameat2"


class Traced(NamedTuple):
    """The system calls of one plugin call that matter here, in order: name and arguments."""

    calls: list[tuple[str, str]]

    def first(self, name: str, part: str) -> int:
        """When `name` was first called with `part` among its arguments."""
        found = [place for place, (called, with_) in enumerate(self.calls) if called == name and part in with_]
        assert found, f"no {name} of {part} in {self.calls}"
        return found[0]

    def last(self, name: str, part: str) -> int:
        """When it was last called so."""
        return max(place for place, (called, with_) in enumerate(self.calls) if called == name and part in with_)

    def synced(self) -> list[str]:
        """What was waited for."""
        return [arguments for name, arguments in self.calls if "sync" in name]


class Tracer:
    """Calls the plugin under strace."""

    def __init__(self, plugin: Path, directory: Path) -> None:
        if not shutil.which("strace"):
            missing("strace")
        self._plugin = plugin
        self._log = directory / "strace.out"
        self.root = directory / "networks"

    def __call__(self, command: str, name: str, durability: str) -> Traced:
        ranges = [[{"subnet": "10.71.0.0/24"}], [{"subnet": "fd00:71::/64"}]]
        ipam = {"type": "host-local", "dataDir": str(self.root), "ranges": ranges, "durability": durability}
        config = {"cniVersion": "1.0.0", "name": NETWORK, "type": "bridge", "ipam": ipam}
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": name, "CNI_IFNAME": "eth0", "CNI_NETNS": "/none"}
        done = subprocess.run(
            ["strace", "-f", "-y", "-s", "300", "-e", f"trace={CALLS}", "-o", self._log, self._plugin],
            env=env,
            input=json.dumps(config).encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        lines = re.findall(r"^\d+ +(\w+)\((.*)\) += \d", self._log.read_text(), re.MULTILINE)
        return Traced(lines)


@pytest.fixture
def trace(plugin: Path, tmp_path: Path) -> Tracer:
    return Tracer(plugin, tmp_path)


def test_by_default_no_call_waits_for_the_disk(trace: Tracer) -> None:
    for command in ("ADD", "DEL", "DEL"):
        assert trace(command, "one", "boot").synced() == []


def test_a_durable_add_waits_for_files_names_and_history_before_it_answers(trace: Tracer) -> None:
    trace("ADD", "one", "full")
    traced = trace("ADD", "two", "full")
    directory, history = f"<{trace.root}/{NETWORK}>", f"<{trace.root}/.ipam/{NETWORK}/history>"
    answer = traced.first("write", '"{\\n    \\"cniVersion\\"')
    for address in ("10.71.0.3", "fd00:71::3"):
        linked = traced.first("linkat", f'"{address}"')
        content = traced.calls[:linked]
        assert [name for name, _ in content[-2:]] == ["write", "fsync"], "linked before its content was on the disk"
        assert linked < traced.first("fsync", directory) < answer
    assert traced.first("write", history) < traced.last("fsync", history) < answer
    assert traced.first("fsync", directory) < traced.last("fsync", history), "history tells of what may be lost"


def test_a_durable_del_waits_for_the_names_to_be_gone_before_it_answers(trace: Tracer) -> None:
    trace("ADD", "one", "full")
    traced = trace("DEL", "one", "full")
    directory, history = f"<{trace.root}/{NETWORK}>", f"<{trace.root}/.ipam/{NETWORK}/history>"
    for address in ("10.71.0.2", "fd00:71::2"):
        assert traced.first("unlinkat", f'"{address}"') < traced.first("fsync", directory)
    assert traced.first("write", history) < traced.last("fsync", history)


def test_a_durable_del_that_finds_nothing_waits_for_nothing(trace: Tracer) -> None:
    trace("ADD", "one", "full")
    assert trace("DEL", "nobody", "full").synced() == []
