"""The whole cluster: 1,000 nodes with 250 leases each and 20 faults of every kind. `make cluster`."""

import re
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

from ipam.audit.auditing import audit
from ipam.audit.report.gathering import Gathered
from ipam.audit.report.page import render
from ipam.audit.source import SnapshotFile
from ipam.audit.survey import Limits
from tests.audit.browser import Browser
from tests.audit.cluster import FAULTS, LEASES, Cluster, Expected
from tests.audit.test_cluster import found
from tests.audit.test_report import audited, large

NODES = 1000
OF_HISTORY = {"duplicate-address-past", "range-set-nearly-exhausted", "clock-disagrees"}
"""What is found by events alone, at least in part."""


def main() -> None:
    """Make it, audit it without history and with it, and say what was found, in what time and memory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        cluster = Cluster(NODES)
        cluster.plant()
        more = cluster.plant_files(directory)
        for suffix, history in ((".jsonl", False), (".jsonl.gz", True)):
            paths = [*more, *(node.write(directory, history=history, suffix=suffix) for node in cluster.nodes)]
            # In a process of its own, so that its memory is that of the audit alone.
            process = get_context("spawn").Process(
                target=run, args=(paths, cluster.limits(), cluster.expected), kwargs={"history": history}
            )
            process.start()
            process.join()
            if process.exitcode:
                sys.exit("not what was planted")
        report(directory / "report.html")


def run(paths: list[Path], limits: Limits, expected: Expected, *, history: bool) -> None:
    """Audit, and exit with 1 where not all was found, or too much."""
    wall, cpu, before = perf_counter(), process_time(), peak()
    result = audit(map(SnapshotFile, paths), limits)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    seen = set(found(result))
    missed = {each for each in expected - seen if history or each[0] not in OF_HISTORY}
    print(
        f"{result.nodes} nodes, {LEASES} leases a node and more: {result.leases} leases, {result.events} events, "
        f"{FAULTS} faults of each kind: {len(result.findings)} findings, missed {len(missed)}, "
        f"invented {len(seen - expected)}; {wall:.1f} s ({cpu:.1f} s CPU), peak {peak():.0f} MiB, of which "
        f"{before:.0f} MiB are Python and its modules"
    )
    sys.exit(bool(missed or seen - expected))


def report(path: Path) -> None:
    """The report of very many leases: how long it takes to make, and a browser to open it."""
    result, began = audited(large()), perf_counter()
    path.write_text(render(Gathered(result)), encoding="utf-8")
    made = perf_counter() - began
    with Browser() as browser:
        browser.show(1280, 900)
        opened = ", ".join(f"{browser.open(path):.1f}" for _ in range(3))
    size = path.stat().st_size / (1 << 20)
    print(
        f"report of {result.leases} leases: made in {made:.1f} s, {size:.0f} MiB; open, with its scripts run and its "
        f"first picture painted, in {opened} s; console: {browser.said or 'silent'}"
    )


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
