"""What the daemon tells of itself."""

import json
from pathlib import Path
from typing import Any

from ipam import __version__, frame
from tests.daemon.calls import config, environment
from tests.daemon.service import Service, ask


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
