"""The figures as Markdown tables, a challenger beside Go in each, and as JSON."""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles

from tests.bench.calls import Cost
from tests.bench.contestants import BARE, DAEMON, LIMIT, ONE_SHOT, PEER
from tests.bench.rounds import ADD, DEL, NOTHING, Burst, Key, Plan, Results
from tests.bench.targets import COLD_START, TARGETS, Target, Targets, most_resident, times


class Report:
    """The tables of one run."""

    def __init__(self, results: Results, plan: Plan, challengers: Sequence[str]) -> None:
        self.results = results
        self.plan = plan
        self.challengers = challengers

    def text(self) -> str:
        """Everything there is to say, as Markdown."""
        about = [self._about(name) for name in self.challengers if name not in (LIMIT, BARE)]
        return "\n".join(
            line for section in (*about, self._interpreter(), self._limits(), self._daemon_itself()) for line in section
        )

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
        sizes = self._sizes(name)
        for size in sizes:
            for call in (ADD, DEL, NOTHING):
                ours, go = (self._median(f"{size:,} leases", call, who) for who in (name, PEER))
                cpu, wall = ours.cpu / go.cpu, ours.wall / go.wall
                yield row(
                    f"{size:,}",
                    call,
                    *(ms(go.cpu), ms(ours.cpu), times(cpu), *judged(targets.cpu.get(size), cpu)),
                    *(ms(go.wall), ms(ours.wall), times(wall), *judged(targets.wall.get(size), wall)),
                )

        first, last = (self._median(f"{size:,} leases", ADD, name).wall for size in (sizes[0], sizes[-1]))
        if targets.growth:
            ratio = Target(targets.growth)
            yield ""
            yield f"ADD at {sizes[-1]:,} leases takes {times(last / first)} its time at {sizes[0]:,} (target {ratio}: "
            yield f"{ratio.verdict(last / first)})."

    def _sizes(self, name: str) -> list[int]:
        """Those at which it was measured."""
        return [size for size in self.plan.sizes if Key(f"{size:,} leases", ADD, name) in self.results.costs]

    def _first_sights(self, name: str) -> Iterable[str]:
        yield from ("", "The first ADD after others made the leases (once, not a median), in ms.", "")
        yield from head("first sight of", "CPU Go", "CPU", "wall Go", "wall")
        for scene in [key.scene for key in self.results.first_sights if key.contestant == name]:
            ours, go = (self.results.first_sights[Key(scene, ADD, who)] for who in (name, PEER))
            yield row(scene, ms(go.cpu), ms(ours.cpu), ms(go.wall), ms(ours.wall))

    def _ranges(self, name: str, targets: Targets) -> Iterable[str]:
        prefix = self.plan.full_prefix
        first_scene, last_scene = f"first address of a /{prefix}", f"last free address of a /{prefix}"
        if Key(first_scene, ADD, name) not in self.results.costs:
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
        if not any(key.contestant == name for key in self.results.syscalls):
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
            "All at once, in ms: until the last is answered, the 99th percentile of the calls, and CPU a call.",
            "",
        )
        yield from head("at once", "call", "", "Go", "here", "ratio", "target", "")
        for count in self.plan.bursts:
            for call in (ADD, DEL):
                go, ours = (self._burst(count, call, who) for who in (PEER, name))
                for field, promised in (
                    ("wall", targets.burst_wall),
                    ("p99", targets.burst_p99),
                    ("cpu", targets.burst_cpu),
                ):
                    theirs, mine = getattr(go, field), getattr(ours, field)
                    target = promised.get(count) if call == ADD else None  # the promises are about ADDs
                    yield row(f"{count:,}", call, field, ms(theirs), ms(mine), *compared(mine / theirs, target))

    def _interpreter(self) -> Iterable[str]:
        """How far the one-shot is from the least that a program in Python can be."""
        if BARE not in self.challengers or 0 not in self.plan.sizes:
            return
        yield from ("", "## How far the one-shot is from the interpreter alone", "")
        yield "The same interpreter, started in the same way, that ends at once. CPU at 0 leases, in ms."
        yield ""
        yield from head("call", BARE, "beside Go", ONE_SHOT, "ratio")
        for call in (ADD, DEL):
            go, least, ours = (self._median("0 leases", call, who).cpu for who in (PEER, BARE, ONE_SHOT))
            yield row(call, ms(least), times(least / go), ms(ours), times(ours / least))

    def _limits(self) -> Iterable[str]:
        """How far the daemon is from the least that there can be."""
        if LIMIT not in self.challengers:
            return
        yield from ("", "## How far the daemon is from the limit", "")
        yield "The limit is the same launcher before a server in C that gives every request the same reply. In ms."
        yield ""
        yield from head("", "call", "", "limit", "daemon", "ratio")
        if 0 in self.plan.sizes:
            for call in (ADD, DEL):
                costs = [self._median("0 leases", call, who) for who in (LIMIT, DAEMON)]
                for field in ("wall", "cpu"):
                    least, ours = (getattr(cost, field) for cost in costs)
                    yield row("alone", call, field, ms(least), ms(ours), times(ours / least))
        for count in self.plan.bursts:
            for call in (ADD, DEL):
                least, ours = (self._burst(count, call, who).wall for who in (LIMIT, DAEMON))
                yield row(f"{count:,} at once", call, "wall", ms(least), ms(ours), times(ours / least))

    def _daemon_itself(self) -> Iterable[str]:
        scenes = list(dict.fromkeys(key.scene for key in self.results.resident))
        if not scenes:
            return
        if not self.results.cold_starts:  # another plan than that of the directories
            return
        cold = median(self.results.cold_starts)
        verdict = Target(COLD_START).verdict(cold)
        yield from ("", "## The daemon itself", "")
        yield f"From its start to its first answer: {ms(cold)} ms (target {ms(COLD_START)} ms: {verdict})."
        yield from ("", "What the daemons had when each scene was over, in MiB.", "")
        yield from head("", *scenes)
        for name in dict.fromkeys(key.contestant for key in self.results.resident):
            sizes = (self.results.resident.get(Key(scene, "", name)) for scene in scenes)
            yield row(name, *("" if size is None else f"{size:.1f}" for size in sizes))
        yield row("target", *(f"≤ {most_resident(leases_in(scene)):.0f}" for scene in scenes))

    def _burst(self, count: int, call: str, contestant: str) -> Burst:
        """Medians; CPU is that of one call."""
        bursts = self.results.bursts[Key(f"{count:,} at once", call, contestant)]
        wall, p99, cpu = (median(getattr(burst, field) for burst in bursts) for field in Burst._fields)
        return Burst(wall, p99, cpu / count)

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
        "resident": [{**key._asdict(), "MiB": size} for key, size in results.resident.items()],
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


def leases_in(scene: str) -> int:
    """How many leases there are in a scene."""
    number, _, what = scene.partition(" ")
    return int(number.replace(",", "")) if what == "leases" else 0


def compared(ratio: float, target: Target | None) -> tuple[str, str, str]:
    """The cells for a ratio, its target and the verdict."""
    return (times(ratio), *judged(target, ratio))


def ms(seconds: float) -> str:
    """Seconds as milliseconds, with the digits that mean something."""
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def head(*cells: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*cells), row(*("---" for _ in cells))]


def row(*cells: str) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"
