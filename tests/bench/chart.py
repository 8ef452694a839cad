"""The figures as a picture for the README: SVG without scripts or fonts of its own, legible on light and on dark."""

from collections.abc import Iterable, Mapping, Sequence
from math import log10

WIDTH, HEIGHT = 760, 312
LEFT, RIGHT, TOP, BOTTOM = 52, 372, 58, 268  # of the curves
BARS, LONGEST, THICK = 575, 125, 13  # where bars begin, how long the longest is, and how high each

# Colours that people with any colour vision tell apart (Okabe and Ito); line styles and labels say the same.
STYLE = """\
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 13px }
  .small { font-size: 11px; fill: #57606a }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .c0 { stroke: #c2410c; fill: #c2410c }
  .c1 { stroke: #0369a1; fill: #0369a1 }
  .c2 { stroke: #047857; fill: #047857 }
  .c3 { stroke: #6b7280; fill: #6b7280; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9da7b3 }
    .grid { stroke: #30363d }
    .c0 { stroke: #fb923c; fill: #fb923c }
    .c1 { stroke: #38bdf8; fill: #38bdf8 }
    .c2 { stroke: #34d399; fill: #34d399 }
    .c3 { stroke: #9ca3af; fill: #9ca3af }
  }
  .line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
  .bar, .dot { stroke: none }
"""

Curves = Mapping[str, Mapping[int, float]]
Bursts = Mapping[int, Mapping[str, float]]


def draw(names: Sequence[str], curves: Curves, bursts: Bursts) -> str:
    """One SVG: the seconds of an ADD by the number of leases, and of bursts by the number of calls at once.

    `names` give the order and with it the colours; the last one is the limit, which does not depend on leases.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
        '<title id="t">How long an ADD takes</title>',
        f'<desc id="d">{_described(names, curves, bursts)}</desc>',
        f"<style>\n{STYLE}</style>",
        *_curves(names, curves),
        *_bars(names, bursts),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _described(names: Sequence[str], curves: Curves, bursts: Bursts) -> str:
    alone = (
        f"{name}: " + ", ".join(f"{_ms(seconds)} at {size:,} leases" for size, seconds in curves[name].items())
        for name in names
        if name in curves
    )
    at_once = (
        f"{count:,} at once: " + ", ".join(f"{name} {_ms(burst[name])}" for name in names if name in burst)
        for count, burst in bursts.items()
    )
    return "; ".join([*alone, *at_once])


def _curves(names: Sequence[str], curves: Curves) -> Iterable[str]:
    sizes = sorted({size for curve in curves.values() for size in curve})
    known = [seconds for curve in curves.values() for seconds in curve.values()]
    low, high = log10(min(known)) - 0.1, log10(max(known)) + 0.1

    def x(size: int) -> float:
        return LEFT + (RIGHT - LEFT) * sizes.index(size) / max(len(sizes) - 1, 1)

    def y(seconds: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (log10(seconds) - low) / (high - low)

    yield _text(8, 20, "One ADD, by the leases that are there already", "title")
    yield _text(8, 38, "median of whole processes, logarithmic", "small")
    for power in range(-4, 2):
        if low <= power <= high:
            height = y(10**power)
            yield f'<line class="grid" x1="{LEFT}" y1="{height:.1f}" x2="{RIGHT}" y2="{height:.1f}"/>'
            yield _text(LEFT - 6, height + 4, _ms(10**power), "small", "end")
    for size in sizes:
        yield _text(x(size), BOTTOM + 20, f"{size:,}", "small", "middle")
    yield _text((LEFT + RIGHT) / 2, BOTTOM + 38, "leases", "small", "middle")
    labels = []
    for number, name in enumerate(names):
        curve = curves.get(name, {})
        if len(curve) == 1:  # the same, however many there are
            curve = dict.fromkeys((sizes[0], sizes[-1]), *curve.values())
        if not curve:
            continue
        points = [(x(size), y(seconds)) for size, seconds in sorted(curve.items())]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
        yield f'<polyline class="line c{number}" points="{path}"/>'
        if number < len(names) - 1:
            yield from (f'<circle class="dot c{number}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
        labels.append((points[-1][1] + 4, f"{name}  {_ms(curve[max(curve)])}"))
    yield from _apart(labels)


def _apart(labels: list[tuple[float, str]]) -> Iterable[str]:
    """Labels at the right ends of the curves, moved so that none covers another."""
    bottom = float("inf")
    for top, label in sorted(labels, reverse=True):
        bottom = min(top, bottom - 15)
        yield _text(RIGHT + 9, bottom, label)


def _bars(names: Sequence[str], bursts: Bursts) -> Iterable[str]:
    top = 20
    for count, burst in bursts.items():
        yield _text(BARS - 65, top, f"{count:,} ADDs at once", "title")
        yield _text(BARS - 65, top + 18, "until the last is answered", "small")
        top += 28
        longest = max(burst.values())
        for number, name in enumerate(names):
            if name not in burst:
                continue
            width = max(LONGEST * burst[name] / longest, 1.5)
            yield f'<rect class="bar c{number}" x="{BARS}" y="{top}" width="{width:.1f}" height="{THICK}" rx="2"/>'
            yield _text(BARS - 6, top + 11, name, "small", "end")
            yield _text(BARS + width + 6, top + 11, _ms(burst[name]), "small")
            top += THICK + 7
        top += 26


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _ms(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.2g} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
