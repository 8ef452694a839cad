"""Charts as inline SVG: no library, colours by the page's classes, so that they follow light, dark and print."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import NamedTuple

from markupsafe import Markup, escape

from ipam.audit.report.gathering import Course, Series

WIDTH, HEIGHT = 640, 220
_WIDE = 1280
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 26


class Tick(NamedTuple):
    """A place on an axis, and what stands there."""

    place: float
    text: str


def _svg(parts: Sequence[str], title: str, width: int = WIDTH, height: int = HEIGHT, kind: str = "chart") -> Markup:
    return Markup(  # noqa: S704  # every part is numbers, or went through escape()
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def round_up(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50 … that is not below `value`."""
    if value <= 1:
        return 1
    size = int(10 ** floor(log10(value)))
    return next(step * size for step in (1, 2, 5, 10) if step * size >= value)


def short(number: float) -> str:
    """12, 1.2k, 3.4M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def ago(seconds: float) -> str:
    """`-3d`, `-6h`, `-20m`, `now`."""
    for size, letter in ((86_400.0, "d"), (3600.0, "h"), (60.0, "m")):
        if seconds >= size:
            return f"−{seconds / size:.3g}{letter}"
    return "now" if seconds < 1 else f"−{seconds:.0f}s"


_TICKS = {30 * 86_400.0: 6, 7 * 86_400.0: 7, 86_400.0: 8, 6 * 3600.0: 6, 3600.0: 6}
"""Into how many parts an axis of so many seconds is best divided."""


def activity(series: Series) -> Markup:
    """Allocations above a line, releases below it."""
    top = round_up(max([*series.allocated, *series.released, 1]))
    middle, half = HEIGHT / 2 - 7, HEIGHT / 2 - _BOTTOM
    count = len(series.allocated)
    step = (_WIDE - _LEFT - _RIGHT) / count
    parts = []
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        y = middle - half * share
        parts.append(_line(_LEFT, y, _WIDE - _RIGHT, y, "axis" if not share else "grid"))
        parts.append(_text(_LEFT - 6, y + 4, short(abs(share) * top), "end"))
    for place, (more, less) in enumerate(zip(series.allocated, series.released, strict=True)):
        x, end = _LEFT + place * step, series.span * (1 - place / count)
        for number, kind, word in ((more, "up", "allocated"), (less, "down", "released")):
            if number:
                height = max(1.5, half * number / top)
                y = middle - height if kind == "up" else middle
                parts.append(
                    f'<rect class="{kind}" x="{x + 0.5:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{height:.1f}"'
                    f' rx="1"><title>{ago(end)} to {ago(end - series.span / count)}: {number} {word}</title></rect>'
                )
    ticks = _TICKS.get(series.span, 4)
    for place in range(ticks + 1):
        anchor = "start" if not place else "end" if place == ticks else "middle"
        x = _LEFT + (_WIDE - _LEFT - _RIGHT) * place / ticks
        parts.append(_text(x, HEIGHT - 6, ago(series.span * (1 - place / ticks)), anchor))
    title = f"Allocations and releases over time: {sum(series.allocated)} and {sum(series.released)}"
    return _svg(parts, title, _WIDE)


def histogram(counts: Sequence[int], names: Sequence[str], title: str, kind: str = "bar") -> Markup:
    """One bar a class, its number above it."""
    top = max([*counts, 1])
    step = (WIDTH - 2 * _RIGHT) / len(counts)
    room = HEIGHT - _TOP - _BOTTOM - 14
    parts = [_line(_RIGHT, HEIGHT - _BOTTOM, WIDTH - _RIGHT, HEIGHT - _BOTTOM, "axis")]
    for place, (number, name) in enumerate(zip(counts, names, strict=True)):
        x, height = _RIGHT + place * step, room * number / top
        if number:
            height = max(2.0, height)
            parts.append(
                f'<rect class="{kind}" x="{x + step * 0.12:.1f}" y="{HEIGHT - _BOTTOM - height:.1f}" '
                f'width="{step * 0.76:.1f}" height="{height:.1f}" rx="2"><title>{escape(name)}: {number}</title></rect>'
            )
        parts.append(
            _text(x + step / 2, HEIGHT - _BOTTOM - height - 5, short(number), kind="value" if number else "tick")
        )
        parts.append(_text(x + step / 2, HEIGHT - 8, name))
    return _svg(parts, title)


def course(each: Course, span: float) -> Markup:
    """How many leases there were, the capacity as a line, and behind now what follows if it goes on like that."""
    width, height, left, right, bottom, top = 320, 120, 8, 8, 18, 14
    usage, highest = each.usage, max(each.usage.capacity, *each.leased, 1)
    now_x = left + (width - left - right) * 0.72
    base, room = height - bottom, height - bottom - top

    def y(number: float) -> float:
        return base - room * number / highest

    count = len(each.leased)
    points = [(left + (now_x - left) * place / (count - 1), y(number)) for place, number in enumerate(each.leased)]
    path = " ".join(f"{x:.1f},{v:.1f}" for x, v in points)
    parts = [
        f'<polygon class="area" points="{left},{base} {path} {now_x:.1f},{base}"/>',
        f'<polyline class="course" points="{path}"/>',
        _line(left, y(usage.capacity), width - right, y(usage.capacity), "limit"),
        _line(left, base, width - right, base, "axis"),
        _line(now_x, top - 6, now_x, base, "grid"),
        _text(left, y(usage.capacity) - 4, f"{short(usage.capacity)} addresses", "start"),
        _text(left, height - 4, ago(span), "start"),
        _text(now_x, height - 4, "now"),
    ]
    if usage.exhausted_in is not None and usage.left:
        ahead = span * 0.28 / 0.72
        share = min(1.0, usage.exhausted_in / ahead)
        end = usage.leased + usage.left * min(1.0, ahead / usage.exhausted_in)
        x = now_x + (width - right - now_x) * share
        parts.append(_line(now_x, y(usage.leased), x, y(end), "forecast"))
        if share < 1:
            parts.append(f'<circle class="hit" cx="{x:.1f}" cy="{y(usage.capacity):.1f}" r="4"/>')
    title = f"Leases of range set {usage.range_set} of {usage.scope.network} {usage.scope.node}: {usage.leased} now"
    return _svg(parts, title, width, height, "chart small")
