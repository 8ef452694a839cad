"""`make bench`: measure, print the tables, say which targets hold."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.bench import stores
from tests.bench.contestants import DAEMON, Contestant, challengers, go_host_local
from tests.bench.report import Report, as_json
from tests.bench.rounds import Plan, Results, Rounds
from tests.bench.summary import Summary
from tests.daemon.service import Service, ask

COLD_STARTS = 5

# Go's own call takes about a second at 60,000 leases: few rounds there.
WHOLE = Plan(
    sizes={0: 60, 110: 60, 1_000: 40, 10_000: 15, 60_000: 7},
    full_prefix=16,
    full_rounds=5,
    traced=[0, 1_000, 60_000],
    bursts={110: 7, 1_000: 3},
)
QUICK = Plan(
    sizes={0: 15, 110: 15, 1_000: 10, 10_000: 5},
    full_prefix=20,
    full_rounds=5,
    traced=[0, 1_000, 10_000],
    bursts={110: 3},
)


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, at most 10,000 leases, a /20")
    parser.add_argument("--stores", action="store_true", help="the SQL stores instead, and a million leases in them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--publish", action="store_true", help="put the figures into the README")
    parser.add_argument("--dir", type=Path, help="where the leases lie meanwhile (the file system matters)")
    options = parser.parse_args()
    plan = QUICK if options.quick else WHOLE
    scratch = Path(tempfile.mkdtemp(prefix="ipam-bench-", dir=options.dir))
    more: list[str] = []
    try:
        scratch.chmod(0o755)
        with ExitStack() as stack:
            if options.stores:
                plan = stores.QUICK if options.quick else stores.PLAN
                others = stack.enter_context(stores.contestants(scratch))
            else:
                others = challengers(scratch)
            results = measure([*others, go_host_local()], plan, scratch)
            if options.stores:
                progress("a million leases")
                more = stores.million(others, scratch, stores.MILLION // (10 if options.quick else 1))
        machine = describe(scratch)
    finally:
        progress("removing the leases")
        shutil.rmtree(scratch, ignore_errors=True)
        progress("")
    say(" · ".join(machine.values()))
    say("\n".join([Report(results, plan, [contestant.name for contestant in others]).text(), *more]))
    if options.publish and not options.stores:
        Summary(results, plan.sizes, plan.bursts).publish(", ".join(machine.values()))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **as_json(results)}, indent=2) + "\n")


def measure(contestants: list[Contestant], plan: Plan, scratch: Path) -> Results:
    """Everything in the plan, with what the contestants need running in the background."""
    with ExitStack() as stack:
        daemons = {}
        for number, contestant in enumerate(contestants):
            own = scratch / f"background-{number}"
            own.mkdir()
            daemons[contestant.name] = stack.enter_context(contestant.background(own))
        rounds = Rounds(contestants, daemons, scratch, plan)
        if DAEMON in daemons:
            rounds.results.cold_starts.extend(cold_start(scratch / "cold.sock") for _ in range(COLD_STARTS))
        for count in plan.bursts:
            progress(f"{count} calls at once")
            rounds.burst(count)
        for size in plan.sizes:
            progress(f"{size:,} leases")
            rounds.sized(size)
        if plan.full_rounds:
            progress(f"the last free address of a /{plan.full_prefix}")
            rounds.nearly_full()
        return rounds.results


def cold_start(place: Path) -> float:
    """Seconds from the start of a daemon to its first answer."""
    begun = time.perf_counter()
    with Service(place) as service:
        ask(service.socket, {"CNI_COMMAND": "VERSION"})
        return time.perf_counter() - begun


def describe(scratch: Path) -> Mapping[str, str]:
    """What the figures depend on."""
    filesystem = subprocess.run(
        ["findmnt", "-n", "-o", "FSTYPE", "-T", scratch], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "kernel": f"Linux {platform.release()}",
        "cpus": f"{os.cpu_count()} CPUs",
        "file system": filesystem,
        "python": f"Python {platform.python_version()}",
    }


def progress(text: str) -> None:
    """Tell who waits at a terminal what is going on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}{' ...' if text else ''}")
        sys.stderr.flush()


def say(text: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
