"""What the daemon tells of itself, and that it does not grow."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from ipam import __version__, frame
from tests.daemon.calls import config, environment, leases
from tests.daemon.service import Client, Service, ask

MIB = 1 << 20
CALLS = 20_000
WARM = 4_000
"""Calls until everything is allocated that ever will be: the times of the last 2,048 of each command are kept."""


def status(service: Service) -> dict[str, Any]:
    """The answer to a status request."""
    exit_code, stdout, stderr = ask(service.socket, {"IPAM_QUERY": "status"})
    assert (exit_code, stderr) == (0, b"")
    answer: dict[str, Any] = json.loads(stdout)
    return answer


def test_a_status_request_tells_who_is_there_and_what_was_done(service: Service, tmp_path: Path) -> None:
    first = status(service)
    assert (first["version"], first["protocol"], first["pid"]) == (__version__, frame.PROTOCOL, service.pid)
    assert (first["requests"], first["seconds"], first["stores"]) == ({}, {}, {})
    stdin = config(tmp_path)
    for command in ("ADD", "ADD", "CHECK", "DEL", "DEL", "CHECK", "VERSION"):
        ask(service.socket, environment(command), stdin)
    then = status(service)
    assert then["requests"] == {
        "ADD error 103": 1,
        "ADD ok": 1,
        "CHECK error 102": 1,
        "CHECK ok": 1,
        "DEL ok": 2,
        "VERSION ok": 1,
    }
    assert set(then["seconds"]) == {"ADD", "DEL", "CHECK", "VERSION"}
    for quantiles in then["seconds"].values():
        assert list(quantiles) == ["p50", "p90", "p99"]
        assert 0 <= quantiles["p50"] <= quantiles["p90"] <= quantiles["p99"]
    assert then["stores"] == {f"file://{tmp_path}": "ok"}
    assert then["since"] == first["since"]


def test_a_store_that_is_away_is_told_and_changes_nothing_for_others(service: Service, tmp_path: Path) -> None:
    away = tmp_path / "away"
    for directory in (away, tmp_path / "here"):
        assert ask(service.socket, environment("ADD"), config(directory))[0] == 0
    away.rename(tmp_path / "aside")
    away.write_text("no directory")
    stores = status(service)["stores"]
    assert stores[f"file://{tmp_path / 'here'}"] == "ok"
    assert str(away) in stores[f"file://{away}"]


def test_made_up_commands_count_as_one(service: Service) -> None:
    for number in range(50):
        ask(service.socket, environment(f"MADE-UP-{number}"))
    answer = status(service)
    assert answer["requests"] == {"other error 4": 50}
    assert list(answer["seconds"]) == ["other"]


def resident(service: Service) -> int:
    """Bytes of memory that the daemon has."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{service.pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def test_memory_does_not_grow_with_calls(service: Service, tmp_path: Path) -> None:
    stdin = config(tmp_path)
    warm = 0
    for number in range(CALLS // 2):
        if number == WARM // 2:
            warm = resident(service)
        for command in ("ADD", "DEL"):
            ask(service.socket, environment(command, f"container-{number}"), stdin)
        if number % 20 == 0:
            ask(service.socket, environment(f"BAD{number}"), stdin)
            ask(service.socket, environment("ADD", f"bad/{number}"), stdin)
            ask(service.socket, environment("ADD"), b"[" * number)
            with Client(service.socket) as client, suppress(OSError):
                client.socket.sendall(bytes([0, 0, 1]) * (number % 7))
    grown = resident(service) - warm
    print(f"{warm / MIB:.1f} MiB after {WARM} calls, {grown / 1024:.0f} KiB more after {CALLS}")
    assert leases(tmp_path) == {}
    assert warm < 22 * MIB
    assert grown < MIB // 2


def test_big_requests_and_answers_are_not_kept(service: Service, tmp_path: Path) -> None:
    big = config(tmp_path, routes=[{"dst": "0.0.0.0/0"}] * 15_000)
    for number in range(4):
        ask(service.socket, environment("ADD", f"c{number}"), big)
    before = resident(service)
    for number in range(4, 20):
        assert ask(service.socket, environment("ADD", f"c{number}"), big)[0] == 0
    assert resident(service) - before < 8 * MIB
