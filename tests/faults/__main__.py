"""`python -m tests.faults`: the whole campaign, ours beside Go's, as one table; exit 1 on damage by ours."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import Case, Score, go_host_local, installed, plan, run_cases, table, total
from tests.faults.injector import usable
from tests.faults.scenario import SCENARIOS

OURS, GO = "ours", "Go"


def main() -> int:
    """Run what the arguments ask for."""
    arguments = _arguments()
    if not usable():
        print("needs strace, and leave to trace (Debian: apt-get install strace)", file=sys.stderr)
        return 2
    results: dict[str, dict[tuple[str, str], Score]] = {}
    with tempfile.TemporaryDirectory(prefix="ipam-cni-bin-") as directory:
        for name, plugin in _plugins(arguments.plugin, Path(directory)).items():
            results[name] = _run(name, plugin, arguments)
    print(table(results))
    details = total(list(results.get(OURS, {}).values())).details
    for line in details:
        print(f"ours: {line}", file=sys.stderr)
    if arguments.verbose and GO in results:
        for line in total(list(results[GO].values())).details:
            print(f"Go: {line}", file=sys.stderr)
    return 1 if details else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="only cases that hold TEXT, as 'dual-stack DEL: inject=fsync'",
    )
    parser.add_argument("--plugin", choices=("both", "ours", "go"), default="both")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th case")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="show what was found in Go too")
    return parser.parse_args()


def _plugins(which: str, directory: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    if which != "go":
        given = os.environ.get("IPAM_TEST_PLUGIN")
        found[OURS] = Path(given) if given else installed(directory)
    if which != "ours":
        go = go_host_local()
        if go:
            found[GO] = go
        else:
            print("Go's host-local is not here: no figures of it", file=sys.stderr)
    return found


def _run(name: str, plugin: Path, arguments: argparse.Namespace) -> dict[tuple[str, str], Score]:
    cases: list[Case] = []
    for scenario in SCENARIOS:
        if name == GO and (scenario.extra or scenario.torn):
            continue  # Go does not know the key; and a half ADD is damage in Go already, whatever strikes then
        planned = plan(plugin, scenario, every=arguments.every)
        cases += [case for case in planned if arguments.only in f"{scenario.name}: {case.fault.rule}"]
    start = time.monotonic()

    def progress(number: int) -> None:
        if number % 50 == 0 or number == len(cases) - 1:
            seconds = time.monotonic() - start
            where = cases[number].scenario.name
            print(f"{name}: {number + 1} of {len(cases)} ({where}), {seconds:.0f} s", file=sys.stderr)

    return run_cases(plugin, cases, workers=arguments.workers, progress=progress)


if __name__ == "__main__":
    sys.exit(main())
