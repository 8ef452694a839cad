"""The campaign: every fault at every point of every scenario, for one plugin or several, and its table."""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.faults.injector import ERRORS, FAILING_CALLS, Fault, Point, points, record
from tests.faults.judge import Damage, Node, Verdict, judge, prepare
from tests.faults.scenario import TORN, VICTIM, Scenario

BEYOND = 3


class Case(NamedTuple):
    """One fault in one scenario."""

    scenario: Scenario
    fault: Fault
    torn: Fault | None = None

    @property
    def kind(self) -> str:
        """The row of the table that it counts in."""
        return self.fault.error or "SIGKILL"


class Score(NamedTuple):
    """Runs in which the fault took place, and in how many of them there was damage of each kind.

    `missed` are the runs that did not make the call that was to fail.
    """

    runs: int
    missed: int
    damage: Counter[Damage]
    details: list[str]


def plan(plugin: Path, scenario: Scenario, *, every: int = 1) -> list[Case]:
    """All cases of a scenario, or every n-th, from the system calls that an unharmed run makes."""
    torn = _half(plugin, scenario) if scenario.torn else None
    if scenario.torn and torn is None:
        return []
    starting, working = _points(plugin, scenario, scenario.command, torn)
    faults = [Fault(point) for point in [*starting, *working, *_beyond(working)]]
    if not scenario.kills_only:
        failing = [point for point in working if point.call in FAILING_CALLS]
        faults += [fault for point in failing for fault in _failures(point)]
    return [Case(scenario, fault, torn) for fault in faults[::every]]


def _points(
    plugin: Path, scenario: Scenario, command: str, torn: Fault | None = None
) -> tuple[list[Point], list[Point]]:
    with tempfile.TemporaryDirectory(prefix="ipam-faults-") as name:
        node = Node(plugin, Path(name) / "networks", scenario)
        prepare(node, scenario, torn)
        environment = node.environment(command, VICTIM if command == scenario.command else TORN)
        outcome, trace = record([str(plugin)], environment, node.config)
        if outcome.exit_code != 0:
            raise RuntimeError(f"{scenario.name} fails without a fault: {outcome.stdout!r} {outcome.stderr!r}")
        return points(trace, node.directory)


def _half(plugin: Path, scenario: Scenario) -> Fault | None:
    """The last kill that leaves an ADD with some, but not all of its addresses; None if there is none."""
    for point in reversed(_points(plugin, scenario, "ADD")[1]):
        with tempfile.TemporaryDirectory(prefix="ipam-faults-") as name:
            node = Node(plugin, Path(name) / "networks", scenario)
            prepare(node, scenario, Fault(point))
            if 0 < len(node.held_by(TORN)) < len(scenario.ranges):
                return Fault(point)
    return None


def _beyond(working: list[Point]) -> Iterator[Point]:
    """Calls that this run did not make: another run may, and the last kill must meet none."""
    last = {point.call: point.ordinal for point in sorted(working, key=lambda point: point.ordinal)}
    for call, ordinal in last.items():
        for more in range(1, BEYOND + 1):
            yield Point(call, ordinal + more, "beyond the last")


def _failures(point: Point) -> Iterator[Fault]:
    for error in ERRORS:
        yield Fault(point, error)
        # A call that is interrupted for ever is retried for ever, and no kernel does that: three times.
        yield Fault(point, error, times=3 if error == "EINTR" else 0)


def try_case(plugin: Path, case: Case) -> Verdict:
    """One case on a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="ipam-faults-") as name:
        return judge(Node(plugin, Path(name) / "networks", case.scenario), case.scenario, case.fault, case.torn)


def run_cases(
    plugin: Path, cases: list[Case], *, workers: int = 2, progress: Callable[[int], object] = lambda _: None
) -> dict[tuple[str, str], Score]:
    """Try all cases; scores by scenario and kind of fault."""
    scores: dict[tuple[str, str], Score] = {}
    with ThreadPoolExecutor(workers) as pool:
        verdicts = pool.map(lambda case: try_case(plugin, case), cases)
        for number, (case, verdict) in enumerate(zip(cases, verdicts, strict=True)):
            progress(number)
            key = (case.scenario.name, case.kind)
            score = scores.setdefault(key, Score(0, 0, Counter(), []))
            if not verdict.hit:
                scores[key] = score._replace(missed=score.missed + 1)
                continue
            score.damage.update({finding.damage for finding in verdict.findings})
            score.details.extend(
                f"{case.scenario.name}: {case.fault.rule} at {case.fault.point.text}: "
                f"{finding.damage.value}: {finding.text}"
                for finding in verdict.findings
            )
            scores[key] = score._replace(runs=score.runs + 1)
    return scores


def table(results: dict[str, dict[tuple[str, str], Score]]) -> str:
    """A markdown table; each cell has one figure per plugin, in the order of the heading."""
    names = " / ".join(results)
    heads = ["scenario", "fault", "runs", *(damage.value for damage in Damage)]
    lines = [f"Each figure: {names}", "", f"| {' | '.join(heads)} |", "|---|---|" + "--:|" * (len(heads) - 2)]
    rows = list(dict.fromkeys(key for scores in results.values() for key in scores))
    for row in rows:
        scores = [by_row.get(row) for by_row in results.values()]
        lines.append(_line(*row, scores))
    lines.append(_line("**all**", "", [total(list(by_row.values())) for by_row in results.values()]))
    return "\n".join(lines)


def total(scores: list[Score]) -> Score:
    """The sum of scores."""
    return Score(
        sum(score.runs for score in scores),
        sum(score.missed for score in scores),
        sum((score.damage for score in scores), Counter()),
        [line for score in scores for line in score.details],
    )


def _line(scenario: str, fault: str, scores: list[Score | None]) -> str:
    columns = [[str(score.runs) if score else "-" for score in scores]]
    columns += [[str(score.damage[damage]) if score else "-" for score in scores] for damage in Damage]
    return f"| {scenario} | {fault} | " + " | ".join(" / ".join(column) for column in columns) + " |"


def installed(directory: Path) -> Path:
    """Our one-shot plugin as `ipam install` puts it into a CNI bin directory."""
    install = [sys.executable, "-m", "ipam.cli", "install", "--one-shot", "--cni-bin-dir", str(directory)]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    return directory / "host-local"


def go_host_local() -> Path | None:
    """Go's host-local, where this machine has it."""
    found = shutil.which("host-local", path="/usr/lib/cni:/opt/cni/bin")
    return Path(found) if found else None
