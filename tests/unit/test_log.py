"""The log line of a call, and TRACEPARENT on its way into it and into history: the same through every door."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ipam import cni
from ipam.handler import handle
from ipam.model import Host
from ipam.registry import Stores
from ipam.request import Request
from tests.daemon.calls import config, environment
from tests.daemon.service import Service, put_launcher

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HOST = Host("node", "boot", lambda: 1_700_000_000.25)


def logged(command: str, data_dir: Path, level: str, container: str = "c1", **variables: str) -> dict[str, Any] | None:
    """The line that a call leaves, None where there is none."""
    stores = Stores(HOST)
    env = environment(command, container, **variables)
    reply = handle(Request(env, config(data_dir, version="1.1.0", logLevel=level)), HOST, stores)
    stores.close()
    if reply.log is None:
        return None
    urgency, line = reply.log
    assert (line[-1], line.count("\n")) == ("\n", 1)
    told: dict[str, Any] = json.loads(line)
    assert urgency == {"error": 3, "info": 6, "debug": 7}[told["level"]]
    return told


def test_a_change_is_told_with_its_addresses(tmp_path: Path) -> None:
    assert logged("ADD", tmp_path, "info", TRACEPARENT=TRACE) == {
        "time": HOST.clock(),
        "level": "info",
        "command": "ADD",
        "network": "net",
        "container": "c1",
        "ifname": "eth0",
        "code": 0,
        "addresses": ["10.20.0.2/16"],
        "traceparent": TRACE,
        "seconds": 0.0,
    }


def test_a_failure_is_told_with_code_and_message(tmp_path: Path) -> None:
    logged("ADD", tmp_path, "info")
    told = logged("ADD", tmp_path, "error")
    assert told is not None
    assert (told["level"], told["code"]) == ("error", 103)
    assert "duplicate allocation" in told["msg"]


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("none", set()),
        ("error", set()),
        ("info", {"ADD", "DEL", "GC"}),
        ("debug", {"ADD", "DEL", "GC", "CHECK", "STATUS"}),
    ],
)
def test_the_level_says_what_is_told(tmp_path: Path, level: str, told: set[str]) -> None:
    commands = ("ADD", "CHECK", "STATUS", "DEL", "GC")
    assert {command for command in commands if logged(command, tmp_path, level) is not None} == told


def test_a_level_that_there_is_not_is_refused_where_nothing_has_to_be_released(tmp_path: Path) -> None:
    stores = Stores(HOST)
    stdin = config(tmp_path, version="1.1.0", logLevel="loud")
    codes = {
        command: handle(Request(environment(command), stdin), HOST, stores).exit_code
        for command in ("ADD", "CHECK", "DEL", "GC")
    }
    stores.close()
    assert codes == {"ADD": 1, "CHECK": 1, "DEL": 0, "GC": 0}


def test_nothing_in_a_line_can_end_it(tmp_path: Path) -> None:
    told = logged("ADD", tmp_path, "debug", CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=a\nb\x1b[0m\u2028c")
    assert told is not None
    assert told["args"] == "IgnoreUnknown=1;K8S_POD_NAME=a\nb\x1b[0m\u2028c"


@pytest.mark.parametrize(
    "text",
    ["", "00", TRACE[:-1], TRACE.upper(), f"{TRACE}-x", TRACE.replace("00-", "ff-", 1), "00-" + "0" * 32 + TRACE[35:],
     TRACE.replace("00f067aa0ba902b7", "0" * 16), TRACE + "\n"],
)  # fmt: skip
def test_what_is_no_traceparent_is_not_taken_for_one(text: str) -> None:
    assert cni.traceparent({"TRACEPARENT": text}) == ""
    assert cni.traceparent({"TRACEPARENT": TRACE}) == TRACE


def notes(data_dir: Path) -> list[str]:
    """The notes of the events in history."""
    lines = (data_dir / ".ipam" / "net" / "history").read_bytes().splitlines()
    return [json.loads(line).get("note", "") for line in lines]


def test_a_trace_goes_into_history_and_the_log_through_the_one_shot(one_shot: Path, tmp_path: Path) -> None:
    stdin = config(tmp_path, logLevel="info")
    for command in ("ADD", "DEL"):
        env = environment(command, TRACEPARENT=TRACE)
        done = subprocess.run([one_shot], env=env, input=stdin, capture_output=True, check=True)
        assert json.loads(done.stderr)["traceparent"] == TRACE
    assert notes(tmp_path) == [TRACE, TRACE]


@pytest.mark.parametrize("journal", [False, True])
def test_a_trace_goes_into_history_and_the_log_through_launcher_and_daemon(
    one_shot: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, *, journal: bool
) -> None:
    place = tmp_path_factory.mktemp("d") / "s"
    env = {"JOURNAL_STREAM": "1:2"} if journal else {}
    with Service(place, env=env) as service:
        launcher = put_launcher(tmp_path / "cni-bin", place, one_shot)
        for command in ("ADD", "DEL"):
            done = subprocess.run(
                [launcher],
                env=environment(command, TRACEPARENT=TRACE),
                input=config(tmp_path, logLevel="info"),
                capture_output=True,
                check=True,
            )
            assert done.stderr == b""
    lines = service.said().splitlines()
    assert [line.partition("{")[0] for line in lines] == ["<6>" if journal else ""] * 2
    assert [json.loads(line[line.index("{") :])["traceparent"] for line in lines] == [TRACE, TRACE]
    assert notes(tmp_path) == [TRACE, TRACE]
