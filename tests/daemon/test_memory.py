"""The daemon's memory: what it may have, and that calls leave nothing behind (`make soak` makes 100,000)."""

from pathlib import Path

from tests.daemon.service import Service
from tests.daemon.soak import GROWTH, LIMIT, ROUNDS_IN_A_LOT, campaign


def test_calls_of_all_kinds_leave_nothing_in_memory(service: Service, tmp_path: Path) -> None:
    first, *_, last = campaign(service, tmp_path, 2 * ROUNDS_IN_A_LOT)
    assert last <= LIMIT
    assert last - first <= GROWTH
