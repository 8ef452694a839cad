"""The daemon's memory: what it may have, and that calls leave nothing behind (`make soak` makes 100,000)."""

from pathlib import Path

from tests.daemon.calls import config, environment
from tests.daemon.service import Service, ask, until
from tests.daemon.soak import GROWTH, LIMIT, ROUNDS_IN_A_LOT, campaign, resident


def test_calls_of_all_kinds_leave_nothing_in_memory(service: Service, tmp_path: Path) -> None:
    first, *_, last = campaign(service, tmp_path, 2 * ROUNDS_IN_A_LOT)
    assert last <= LIMIT
    assert last - first <= GROWTH


def test_big_requests_and_answers_are_not_kept(service: Service, tmp_path: Path) -> None:
    big = config(tmp_path, routes=[{"dst": "0.0.0.0/0"}] * 15_000)
    for number in range(4):
        ask(service.socket, environment("ADD", f"c{number}"), big)
    before = resident(service.pid)
    for number in range(4, 20):
        assert ask(service.socket, environment("ADD", f"c{number}"), big)[0] == 0
    assert resident(service.pid) - before < 8


def test_stores_that_nobody_asks_for_any_more_keep_no_files_open(service: Service, tmp_path: Path) -> None:
    files = Path(f"/proc/{service.pid}/fd")
    before = len(list(files.iterdir()))
    for number in range(50):
        assert ask(service.socket, environment("ADD"), config(tmp_path / str(number)))[0] == 0
    until("the files are closed", lambda: len(list(files.iterdir())) <= before)
    for number in range(50):
        assert ask(service.socket, environment("CHECK"), config(tmp_path / str(number)))[0] == 0
