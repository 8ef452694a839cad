"""What the README shows of a run: a table, and the picture."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median

from tests.bench import chart
from tests.bench.contestants import DAEMON, FULL, LIMIT, ONE_SHOT, PEER
from tests.bench.report import head, ms, row
from tests.bench.rounds import ADD, Key, Results
from tests.bench.targets import times

CHART = Path(__file__).with_name("chart.svg")
README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- bench:begin -->\n", "<!-- bench:end -->"
_SHOWN = (PEER, ONE_SHOT, DAEMON, LIMIT)


class Summary:
    """ADDs of one run: alone by the number of leases, and at once; medians of the wall clock, in seconds."""

    def __init__(self, results: Results, sizes: Iterable[int], bursts: Iterable[int]) -> None:
        self.curves: dict[str, dict[int, float]] = {}
        self.bursts: dict[int, dict[str, float]] = {}
        names = (PEER, ONE_SHOT, DAEMON, FULL, LIMIT)
        for name in names:
            for size in sizes:
                if costs := results.costs.get(Key(f"{size:,} leases", ADD, name)):
                    self.curves.setdefault(name, {})[size] = median(cost.wall for cost in costs)
        for count in bursts:
            for name in names:
                if runs := results.bursts.get(Key(f"{count:,} at once", ADD, name)):
                    self.bursts.setdefault(count, {})[name] = median(run.wall for run in runs)

    def table(self) -> str:
        """Markdown."""
        lines = head(
            "ADD, ms", "Go's host-local", "one-shot", "daemon", "daemon, `durability: full`", "limit", "faster"
        )
        for size in self.curves[PEER]:
            figures = {name: curve[size] for name, curve in self.curves.items() if size in curve}
            lines.append(self._row(f"{size:,} leases", figures))
        lines += [self._row(f"{count:,} at once", figures) for count, figures in self.bursts.items()]
        return "\n".join(lines) + "\n"

    def _row(self, scene: str, figures: dict[str, float]) -> str:
        cells = (ms(figures[name]) if name in figures else "" for name in (PEER, ONE_SHOT, DAEMON, FULL, LIMIT))
        best = figures.get(DAEMON)
        return row(scene, *cells, times(figures[PEER] / best) if best else "")

    def publish(self, machine: str) -> None:
        """Put table and picture where the README shows them."""
        CHART.write_text(chart.draw(_SHOWN, self.curves, self.bursts))
        before, _, rest = README.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        text = (
            f"![How long an ADD takes, alone and among many]({CHART.relative_to(README.parent)})\n\n{self.table()}\n"
            f"`make bench`, {machine}: medians of whole processes, in turns with Debian's Go host-local in one run.\n"
            "The limit is our launcher before a server in C that does nothing.\n"
        )
        README.write_text(f"{before}{BEGIN}{text}{END}{after}")
