"""The picture that the benchmark draws for the README."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import summary
from tests.bench.calls import Cost
from tests.bench.chart import HEIGHT, WIDTH, draw
from tests.bench.contestants import DAEMON, FULL, LIMIT, PEER
from tests.bench.rounds import ADD, Burst, Key, Results

NAMES = (PEER, summary.ONE_SHOT, DAEMON, LIMIT)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(seconds: dict[str, float]) -> ElementTree.Element:
    """The picture of contestants that take so long, whatever the number of leases."""
    curves = {name: dict.fromkeys((0,) if name == LIMIT else (0, 110, 60_000), time) for name, time in seconds.items()}
    return ElementTree.fromstring(draw(NAMES, curves, {110: seconds, 1_000: seconds}))


def boxes(picture: ElementTree.Element) -> list[tuple[float, float, float, float, str]]:
    """Where each text is, at the most: left, top, right, bottom."""
    found = []
    for text in picture.iter(f"{SVG}text"):
        length = 6.8 * len(text.text or "")
        before = {"start": 0.0, "middle": length / 2, "end": length}[text.attrib["text-anchor"]]
        left, bottom = float(text.attrib["x"]) - before, float(text.attrib["y"])
        found.append((left, bottom - 11, left + length, bottom, text.text or ""))
    return found


@pytest.mark.parametrize(
    "seconds",
    [
        {PEER: 0.0046, summary.ONE_SHOT: 0.008, DAEMON: 0.0006, LIMIT: 0.0003},
        {PEER: 0.947, summary.ONE_SHOT: 0.0081, DAEMON: 0.008, LIMIT: 0.0079},
        {PEER: 12.2, summary.ONE_SHOT: 6.29, DAEMON: 0.523, LIMIT: 0.329},
        {PEER: 0.0046, summary.ONE_SHOT: 0.008},
    ],
)
def test_no_text_lies_on_another_or_outside(seconds: dict[str, float]) -> None:
    texts = boxes(drawn(seconds))
    for left, top, right, bottom, text in texts:
        assert left >= 0 and top >= 0 and right <= WIDTH and bottom <= HEIGHT, text
    for one, other in combinations(texts, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)


def test_a_longer_bar_is_a_longer_time() -> None:
    picture = drawn({PEER: 4.0, summary.ONE_SHOT: 2.0, DAEMON: 1.0, LIMIT: 0.5})
    widths = [float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect")]
    assert widths == sorted(widths[:4], reverse=True) * 2
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.01)


def test_it_needs_nothing_from_elsewhere_and_tells_its_figures_in_words() -> None:
    picture = drawn({PEER: 0.0046, summary.ONE_SHOT: 0.008, DAEMON: 0.0006, LIMIT: 0.0003})
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        "svg", "title", "desc", "style", "text", "line", "polyline", "circle", "rect"
    }  # fmt: skip
    words = picture.findtext(f"{SVG}desc") or ""
    assert "Go: 4.6 ms at 0 leases" in words and "110 at once" in words


def test_what_is_published_stands_in_the_readme_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results()
    for name, seconds in ((PEER, 0.004), (summary.ONE_SHOT, 0.008), (DAEMON, 0.0005), (FULL, 0.001), (LIMIT, 0.00025)):
        results.costs[Key("0 leases", ADD, name)] = [Cost(seconds, seconds)] * 3
        results.bursts[Key("110 at once", ADD, name)] = [Burst(100 * seconds, seconds, seconds)]
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{summary.BEGIN}old\n{summary.END}\nafter\n")
    monkeypatch.setattr(summary, "README", readme)
    monkeypatch.setattr(summary, "CHART", tmp_path / "chart.svg")
    summary.Summary(results, [0], [110]).publish("a machine")
    text = readme.read_text()
    assert text.startswith(f"before\n{summary.BEGIN}") and text.endswith(f"{summary.END}\nafter\n")
    assert "old" not in text and "](chart.svg)" in text
    assert "| 0 leases | 4.00 | 8.00 | 0.50 | 1.00 | 0.25 | 8 x |" in text
    assert "| 110 at once | 400 | 800 | 50.0 | 100 | 25.0 | 8 x |" in text
    assert re.match(r"<svg ", (tmp_path / "chart.svg").read_text())
