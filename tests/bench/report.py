"""The figures as Markdown tables, a challenger beside Go in each, and as JSON."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles

from tests.bench.calls import Cost
from tests.bench.contestants import PEER
from tests.bench.rounds import ADD, DEL, NOTHING, Key, Plan, Results
from tests.bench.targets import TARGETS, Target, Targets, times


class Report:
    """The tables of one run."""

    def __init__(self, results: Results, plan: Plan, challengers: Sequence[str]) -> None:
        self.results = results
        self.plan = plan
        self.challengers = challengers

    def text(self) -> str:
        """Everything there is to say, as Markdown."""
        return "\n".join(line for name in self.challengers for line in self._about(name))

    def _about(self, name: str) -> Iterable[str]:
        targets = TARGETS.get(name, Targets())
        yield from ("", f"## {name} beside Go host-local", "")
        yield from self._calls(name, targets)
        yield from self._first_sights(name)
        yield from self._ranges(name, targets)
        yield from self._syscalls(name, targets)
        yield from self._bursts(name, targets)

    def _calls(self, name: str, targets: Targets) -> Iterable[str]:
        yield "Medians of whole processes, in ms; a ratio is the figure divided by Go's."
        yield ""
        yield from head(
            "leases", "call", "CPU Go", "CPU", "ratio", "target", "", "wall Go", "wall", "ratio", "target", ""
        )
        for size in self.plan.sizes:
            for call in (ADD, DEL, NOTHING):
                ours, go = (self._median(f"{size:,} leases", call, who) for who in (name, PEER))
                cpu, wall = ours.cpu / go.cpu, ours.wall / go.wall
                yield row(
                    f"{size:,}",
                    call,
                    *(ms(go.cpu), ms(ours.cpu), times(cpu), *judged(targets.cpu.get(size), cpu)),
                    *(ms(go.wall), ms(ours.wall), times(wall), *judged(targets.wall.get(size), wall)),
                )

    def _first_sights(self, name: str) -> Iterable[str]:
        yield from ("", "The first ADD after others made the leases (once, not a median), in ms.", "")
        yield from head("first sight of", "CPU Go", "CPU", "wall Go", "wall")
        for scene in dict.fromkeys(key.scene for key in self.results.first_sights):
            ours, go = (self.results.first_sights[Key(scene, ADD, who)] for who in (name, PEER))
            yield row(scene, ms(go.cpu), ms(ours.cpu), ms(go.wall), ms(ours.wall))

    def _ranges(self, name: str, targets: Targets) -> Iterable[str]:
        prefix = self.plan.full_prefix
        first_scene, last_scene = f"first address of a /{prefix}", f"last free address of a /{prefix}"
        if not self.plan.full_rounds:
            return
        yield from (
            "",
            f"ADD on a /{prefix}, in ms of CPU: the first address, and the only free one left.",
            "",
        )
        yield from head("contestant", "first", "last free", "last : first", "target", "")
        for who in (PEER, name):
            first, last = (self._median(scene, ADD, who) for scene in (first_scene, last_scene))
            ratio = last.cpu / first.cpu
            limit = targets.last_to_first if who == name else None
            verdict = judged(Target(limit) if limit else None, ratio)
            yield row(who, ms(first.cpu), ms(last.cpu), times(ratio), *verdict)

    def _syscalls(self, name: str, targets: Targets) -> Iterable[str]:
        scenes = list(dict.fromkeys(key.scene for key in self.results.syscalls))
        if not scenes:
            return
        yield from ("", "System calls of one call (strace -f).", "")
        yield from head("contestant", "call", *scenes, "difference", "target", "")
        for who in (PEER, name):
            for call in (ADD, DEL, NOTHING):
                counts = [self.results.syscalls.get(Key(scene, call, who)) for scene in scenes]
                known = [count for count in counts if count is not None]
                more = known[-1] - known[0]
                limit = targets.more_syscalls if who == name else None
                verdict = ("", "") if limit is None else (f"± {limit}", "holds" if abs(more) <= limit else "missed")
                yield row(
                    who,
                    call,
                    *("" if count is None else f"{count:,}" for count in counts),
                    f"{more:+,}",
                    *verdict,
                )

    def _bursts(self, name: str, targets: Targets) -> Iterable[str]:
        if not self.plan.bursts:
            return
        yield from (
            "",
            "All at once, in ms: until the last is answered, and the 99th percentile of the calls.",
            "",
        )
        yield from head(
            "at once",
            "call",
            "wall Go",
            "wall",
            "ratio",
            "target",
            "",
            "p99 Go",
            "p99",
            "ratio",
            "target",
            "",
        )
        for count in self.plan.bursts:
            for call in (ADD, DEL):
                bursts = [self.results.bursts[Key(f"{count:,} at once", call, who)] for who in (PEER, name)]
                go_wall, wall = (median(burst.wall for burst in each) for each in bursts)
                go_p99, p99 = (median(burst.p99 for burst in each) for each in bursts)
                # The promises are about ADDs.
                for_wall = targets.burst_wall.get(count) if call == ADD else None
                for_p99 = targets.burst_p99.get(count) if call == ADD else None
                yield row(
                    f"{count:,}",
                    call,
                    *(ms(go_wall), ms(wall), times(wall / go_wall), *judged(for_wall, wall / go_wall)),
                    *(ms(go_p99), ms(p99), times(p99 / go_p99), *judged(for_p99, p99 / go_p99)),
                )

    def _median(self, scene: str, call: str, contestant: str) -> Cost:
        costs = self.results.costs[Key(scene, call, contestant)]
        return Cost(median(cost.wall for cost in costs), median(cost.cpu for cost in costs))


def as_json(results: Results) -> dict[str, object]:
    """All figures in seconds, medians and quartiles with every sample's number."""
    return {
        "calls": [
            {**key._asdict(), "wall": spread(c.wall for c in costs), "cpu": spread(c.cpu for c in costs)}
            for key, costs in results.costs.items()
        ],
        "first_sights": [{**key._asdict(), **cost._asdict()} for key, cost in results.first_sights.items()],
        "syscalls": [{**key._asdict(), "count": count} for key, count in results.syscalls.items()],
        "bursts": [
            {
                **key._asdict(),
                **{field: spread(getattr(b, field) for b in bursts) for field in bursts[0]._fields},
            }
            for key, bursts in results.bursts.items()
        ],
    }


def spread(values: Iterable[float]) -> dict[str, float]:
    """The median, the quartiles and the number of some samples."""
    samples = list(values)
    low, middle, high = quantiles(samples, method="inclusive") if len(samples) > 1 else samples * 3
    return {"median": middle, "quartile_1": low, "quartile_3": high, "samples": len(samples)}


def judged(target: Target | None, ratio: float) -> tuple[str, str]:
    """The cells for a target and its verdict; empty where nothing was promised."""
    return (str(target), target.verdict(ratio)) if target else ("", "")


def ms(seconds: float) -> str:
    """Seconds as milliseconds, with the digits that mean something."""
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def head(*cells: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*cells), row(*("---" for _ in cells))]


def row(*cells: str) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"
