"""What podman, containerd and ctr sent to Go's host-local, sent to our plugin in the same order."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import Run, missing
from tests.peer.conftest import NewStore
from tests.peer.site import all_leased

RECORDING = Path(__file__).parent / "recorded" / "runtimes.jsonl"

SITTINGS = {
    "podman": range(1, 22),
    "podman, later": range(22, 30),
    "containerd": range(30, 51),
    "ctr": range(51, 54),
}

MORE_WAYS = {"memory": ["daemon"]}
"""The daemon alone remembers what is in memory."""

ADD, DEL = "ADD", "DEL"
Unrecorded = tuple[str, str, str]

# The recording is an excerpt. Before a line is replayed, this must have happened on its network: a command,
# a container's name, and for an ADD the address that it got.
MEANWHILE: dict[int, list[Unrecorded]] = {
    # Another container got .4, so that the search goes on from there and t1 gets .5.
    13: [(ADD, "other", "10.88.0.4")],
    # Four more containers fill the /29.
    17: [(ADD, f"filler{n}", f"10.91.0.{n}") for n in (3, 4, 5, 6)],
    # The one on .4 went away.
    19: [(DEL, "filler4", "")],
    # The container was stopped and started again under its own id; behind .4 only .2 was free.
    21: [
        (DEL, "dd538aa4", ""),
        (ADD, "dd538aa4", "10.91.0.2"),
    ],
    # Another pod got .3.
    31: [(ADD, "other", "10.244.0.3")],
    # Five pods fill the /29.
    39: [(ADD, f"filler{n}", f"10.246.0.{n}") for n in (2, 3, 4, 5, 6)],
    # The one on .4 went away.
    41: [(DEL, "filler4", "")],
    # Another pod got .2.
    44: [(ADD, "other", "10.248.0.2")],
    # The pod's second sandbox, after the reboot, got the .2 of the first.
    50: [(ADD, "a0ba0626", "10.250.0.2")],
}

CODES = {3: 101, 17: 100, 39: 100}
"""Go answers 999 to all of them; an address in use is our 101, an exhausted range set our 100."""

LEFT: dict[str, dict[str, set[str]]] = {
    "podman": {
        "podman": {"10.88.0.4", "10.88.0.5", "10.88.7.8"},
        "netr": {"10.92.1.129", "10.92.1.130"},
        "netd": {"fd00:92:2::2", "10.92.2.2", "fd00:92:2::77", "10.92.2.77"},
        "neti": {"10.89.0.2"},
        "tiny": {"10.91.0.3", "10.91.0.5", "10.91.0.6"},
    },
    "podman, later": {"mv": set(), "v6only": set(), "podman": set()},
    "containerd": {
        "k8s-pod-network": {"10.244.0.3"},
        "dual": set(),
        "tiny": {"10.246.0.2", "10.246.0.3", "10.246.0.5", "10.246.0.6"},
        "crash": {"10.248.0.2"},
        "reboot": set(),
    },
    "ctr": {"ctrnet": set()},
}
"""The leases after each sitting: of the containers whose DEL the excerpt leaves out, and of no others."""


class Call(NamedTuple):
    """One recorded call; `line` counts from 1."""

    line: int
    title: str
    env: dict[str, str]
    stdin: str
    rc: int
    stdout: str


def _recorded_calls() -> dict[int, Call]:
    calls = {}
    # A process of the recorded number may live here, even the test itself: no process has this one.
    text = re.sub(r"/proc/\d+/ns/net", "/proc/4194305/ns/net", RECORDING.read_text())
    for line, entry in enumerate(map(json.loads, text.splitlines()), start=1):
        title = f"{line}, {entry['client']}: {entry['case']}"
        calls[line] = Call(line, title, entry["env"], entry["stdin"], entry["rc"], entry["stdout"])
    return calls


CALLS = _recorded_calls()


def _with_store(stdin: str, url: str) -> bytes:
    """The recorded text with one key more; all the rest stays as the runtime wrote it."""
    before, ipam, after = stdin.partition('"ipam":{')
    return f'{before}{ipam}"store":{json.dumps(url)},{after}'.encode()


class Replay(NamedTuple):
    """What came back: the answer to each line, and the URL of each sitting's store."""

    answers: dict[int, subprocess.CompletedProcess[bytes]]
    stores: dict[str, str]


@pytest.fixture(scope="module")
def replay(plugin: Path, new_store: NewStore, run_plugin: Run, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """All sittings, each with a store of its own."""
    result = Replay({}, {})
    for sitting, lines in SITTINGS.items():
        url = result.stores[sitting] = new_store(tmp_path_factory.mktemp("sitting"))
        for line in lines:
            call = CALLS[line]
            stdin = _with_store(call.stdin, url)
            for unrecorded in MEANWHILE.get(line, []):
                answer = run_plugin(plugin, _catching_up(call.env, unrecorded), stdin)
                assert answer.returncode == 0, answer.stdout
            result.answers[line] = run_plugin(plugin, call.env, stdin)
    return result


def _catching_up(env: dict[str, str], unrecorded: Unrecorded) -> dict[str, str]:
    command, container, address = unrecorded
    recorded = (call.env["CNI_CONTAINERID"] for call in CALLS.values())
    return {
        **env,
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": next((known for known in recorded if known.startswith(container)), container),
        "CNI_ARGS": f"IP={address}" if address else "",
    }


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda call: call.title)
def test_a_recorded_call_is_answered_as_recorded(call: Call, replay: Replay) -> None:
    answer = replay.answers[call.line]
    assert answer.returncode == call.rc, answer.stdout
    if call.rc == 0:
        assert _parsed(answer.stdout) == _parsed(call.stdout.encode())
    else:
        ours, theirs = _parsed(answer.stdout), _parsed(call.stdout.encode())
        assert ours["msg"].startswith(theirs["msg"])


@pytest.mark.parametrize("line", CODES)
def test_a_recorded_failure_has_a_code_of_its_own(line: int, replay: Replay) -> None:
    error = _parsed(replay.answers[line].stdout)
    assert error["code"] == CODES[line]
    assert error["cniVersion"] == json.loads(CALLS[line].stdin)["cniVersion"]


@pytest.mark.parametrize("sitting", SITTINGS)
def test_a_sitting_leaves_the_leases_that_nobody_released(sitting: str, store: str, replay: Replay) -> None:
    if store == "memory":
        pytest.skip("nobody but the daemon sees its memory")
    assert all_leased(replay.stores[sitting]) == LEFT[sitting]


def test_without_a_data_dir_leases_go_where_host_local_keeps_them(
    as_root: None, one_shot: Path, run_plugin: Run, tmp_path: Path
) -> None:
    # Not through the daemon, which does not see what is mounted for its caller alone.
    if Path(sys.prefix).is_relative_to("/var/lib"):
        pytest.skip("the interpreter lies under /var/lib, which this test hides from the plugin")
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "--mount", "true"], check=False).returncode != 0:
        missing("the right to make a mount namespace, and unshare (Debian: util-linux)")
    staged = tmp_path / "staged"
    staged.write_text(
        "#!/bin/sh\n"
        """exec unshare --mount sh -c 'mount --bind "$1" /var/lib && exec "$2"' sh """
        f"'{tmp_path}' '{one_shot}'\n"
    )
    staged.chmod(0o755)
    leases = tmp_path / "cni" / "networks" / "ctrnet"
    for line, held in zip(SITTINGS["ctr"], [True, False, False], strict=True):
        call = CALLS[line]
        answer = run_plugin(staged, call.env, call.stdin.encode())
        assert (answer.returncode, _parsed(answer.stdout)) == (call.rc, _parsed(call.stdout.encode()))
        assert (leases / "10.77.0.2").exists() == held


def _parsed(stdout: bytes) -> Any:
    return json.loads(stdout) if stdout else None
