"""A slice of the campaign: every fourth kill, some failing calls; `python -m tests.faults` runs it whole."""

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults.campaign import Case, plan, run_cases, total, try_case
from tests.faults.injector import FAILING_CALLS, Fault, Point, usable
from tests.faults.judge import Damage
from tests.faults.scenario import SCENARIOS, Scenario

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
SLICED = ("first ADD", "dual-stack ADD", "dual-stack ADD, then another's", "dual-stack DEL")


@pytest.fixture(scope="session", autouse=True)
def strace() -> None:
    """The injector needs strace, and a kernel that lets it trace."""
    if not usable():
        missing("strace, and leave to trace")


def damage(plugin: Path, cases: list[Case]) -> list[str]:
    score = total(list(run_cases(plugin, cases).values()))
    assert score.runs > 0, "no fault took place"
    return score.details


@pytest.mark.parametrize("name", SLICED)
def test_a_kill_before_any_system_call_damages_nothing(plugin: Path, name: str) -> None:
    kills = [case for case in plan(plugin, BY_NAME[name]) if case.fault.error is None]
    assert damage(plugin, kills[::4]) == []


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("dual-stack ADD", "ENOSPC"),
        ("dual-stack ADD, synced", "EIO"),
        ("dual-stack DEL", "EROFS"),
        ("DEL", "EMFILE"),
        ("first ADD", "EINTR"),
    ],
)
def test_a_failing_system_call_gives_an_error_and_damages_nothing(plugin: Path, name: str, error: str) -> None:
    failing = [case for case in plan(plugin, BY_NAME[name]) if case.fault.error == error]
    assert damage(plugin, failing[::5]) == []


def test_what_can_neither_be_delivered_nor_written_down_is_given_back(plugin: Path) -> None:
    cases = plan(plugin, BY_NAME["dual-stack ADD, synced"])
    undelivered = [case for case in cases if case.fault.error and case.fault.point.text.startswith("write(1,")]
    assert len(undelivered) >= 8
    assert damage(plugin, undelivered) == []


def test_every_system_call_of_the_plugin_proper_is_in_the_plan(plugin: Path) -> None:
    cases = plan(plugin, BY_NAME["dual-stack ADD"])
    killed = {case.fault.point for case in cases if case.fault.error is None}
    failed = {case.fault.point for case in cases if case.fault.error is not None}
    assert failed < killed
    assert {point.call for point in failed} <= FAILING_CALLS
    assert any(point.text.startswith("flock(") for point in killed)
    assert any(point.text.startswith("write(1,") for point in killed)


def go_case(scenario: Scenario, call: str, error: str | None) -> Case:
    return Case(scenario, Fault(Point(call, 1, call), error))


def test_the_judge_sees_the_address_that_go_leaks(go_host_local: Path) -> None:
    verdict = try_case(go_host_local, go_case(BY_NAME["first ADD"], "write", None))
    assert verdict.hit
    assert [finding.damage for finding in verdict.findings] == [Damage.LEAKED]


def test_the_judge_sees_the_false_done_of_go(go_host_local: Path) -> None:
    verdict = try_case(go_host_local, go_case(BY_NAME["DEL"], "unlinkat", "EIO"))
    assert verdict.hit
    assert Damage.FALSE_DONE in [finding.damage for finding in verdict.findings]
