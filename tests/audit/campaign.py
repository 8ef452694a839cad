"""The whole cluster: 1,000 nodes with 250 leases each and 20 faults of every kind. `make cluster`."""

import re
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

from backends.directory import journal
from ipam import chain
from ipam.audit.auditing import audit
from ipam.audit.report.gathering import Gathered
from ipam.audit.report.page import render
from ipam.audit.source import SnapshotFile
from ipam.audit.survey import Limits
from ipam.model import CLAIM, DROP, IPV4, Address, Attachment, Event
from tests.audit.browser import Browser
from tests.audit.cluster import FAULTS, LEASES, Cluster, Expected
from tests.audit.pages import audited, large
from tests.audit.test_cluster import found
from tests.directory.test_proof import Written

NODES = 1000
EVENTS = 1_000_000
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
        proof(directory / "networks")


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


def proof(root: Path) -> None:
    """A very long history, whole and damaged in each way: what verify says, and how long it takes."""
    written = Written(root)
    written.add("first")
    lines = written.lines()
    event, parts = journal.decode(lines[0]), chain.split(lines[0])
    assert event is not None
    assert parts is not None
    link = parts[1]
    for number in range(1, EVENTS):
        who = Attachment(f"c{number // 2:012x}", "eth0")
        lease = event.lease.replace(address=Address(IPV4, 0x0A000003 + number % 100), attachment=who)
        more = Event(event.time + number, event.boot, event.network, (CLAIM, DROP)[number % 2], lease, "add")
        (line,), link = journal.encode_chained([more], link)
        lines.append(line)
    written.put(lines)
    written.add("last")  # the index learns where history ends by now
    whole = written.lines()
    at = EVENTS // 3
    flipped = bytearray(whole[at])
    flipped[40] ^= 1
    swapped = [*whole[:at], whole[at + 1], whole[at], *whole[at + 2 :]]
    for name, damaged in (
        ("untouched", whole),
        (f"a flipped bit in event {at + 1}", [*whole[:at], bytes(flipped), *whole[at + 1 :]]),
        (f"event {at + 1} removed", [*whole[:at], *whole[at + 1 :]]),
        (f"events {at + 1} and {at + 2} swapped", swapped),
        ("the last 1000 events cut off", whole[:-1000]),
    ):
        written.put(damaged)
        began = perf_counter()
        verdict = written.store.verify(event.network)
        seconds = perf_counter() - began
        first = (
            f"first bad: event {verdict.problems[0].number}, {verdict.problems[0].place}"
            if verdict.problems
            else "fine"
        )
        print(f"history of {verdict.events} events, {name}: {seconds:.1f} s; {first}")
    written.close()


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
