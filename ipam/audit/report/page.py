"""The page: figures and texts put into a template that escapes all of them; script and style named by their digest."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from math import log2
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ipam import __version__
from ipam.audit.finding import SEVERITIES
from ipam.audit.judging import duration
from ipam.audit.report import charts
from ipam.audit.report.gathering import AGES, Gathered
from ipam.audit.usage import Usage

_SCRIPTS = ("text.js", "table.js", "map.js", "page.js")
_STYLES = ("page.css", "parts.css")
MOST_ROWS = 200
"""Range sets that are listed; of more, the fullest."""

MOST_FINDINGS = 300
_SHOWN_EVIDENCE = 12


class Total(NamedTuple):
    """A network on all its nodes together."""

    network: str
    nodes: int
    capacity: int
    leased: int
    resting: int

    @property
    def share(self) -> float:
        """How much of it is leased: 0 to 1."""
        return min(1.0, self.leased / self.capacity) if self.capacity else 1.0


def render(gathered: Gathered, title: str = "IP address report") -> str:
    """The whole page."""
    audit = gathered.audit
    environment = Environment(
        loader=PackageLoader("ipam.audit.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(duration=duration, percent=percent, count=count, moment=moment, fact=fact)
    style, script = (_joined(names) for names in (_STYLES, _SCRIPTS))
    fullest = sorted(audit.usages, key=lambda each: (-each.share, each.scope, each.range_set))
    soon = [each for each in audit.usages if each.exhausted_in is not None]
    capacity = sum(each.capacity for each in audit.usages)
    leased = sum(each.leased for each in audit.usages)
    return environment.get_template(
        "page.html"
    ).render(
        title=title,
        version=__version__,
        now=gathered.now,
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704
        data=embedded(gathered.data()),
        audit=audit,
        severities=[
            (severity, sum(each.rule.severity == severity for each in audit.findings)) for severity in SEVERITIES
        ],
        findings=audit.findings[:MOST_FINDINGS],
        untold=max(0, len(audit.findings) - MOST_FINDINGS),
        shown_evidence=_SHOWN_EVIDENCE,
        capacity=capacity,
        share=leased / capacity if capacity else None,
        soonest=min(soon, key=lambda each: each.exhausted_in or 0.0, default=None),
        totals=_totals(audit.usages),
        usages=fullest[:MOST_ROWS],
        unlisted=max(0, len(fullest) - MOST_ROWS),
        nodes=_nodes(audit.usages),
        activity=charts.activity(gathered.series),
        series=gathered.series,
        events=audit.events,
        ages=charts.histogram(gathered.ages, [name for _, name in AGES], "Ages of leases"),
        lifetimes=charts.histogram(
            gathered.lifetimes, [name for _, name in AGES], "Lifetimes of ended leases", "bar ended"
        ),
        age_rows=list(zip([name for _, name in AGES], gathered.ages, gathered.lifetimes, strict=True)),
        courses=[(each.usage, charts.course(each, gathered.span)) for each in gathered.courses()],
    )


def _joined(names: tuple[str, ...]) -> str:
    return "\n" + "".join((files("ipam.audit.report") / name).read_text(encoding="utf-8") for name in names)


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def embedded(value: Any) -> Markup:
    """JSON that can stand in a script element: no `<`, `>` or `&`, whatever a pod is called, and pure ASCII."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704


def _totals(usages: tuple[Usage, ...]) -> list[Total]:
    capacities: Counter[str] = Counter()
    leased: Counter[str] = Counter()
    resting: Counter[str] = Counter()
    nodes: dict[str, set[str]] = {}
    for each in usages:
        name = each.scope.network
        capacities[name] += each.capacity
        leased[name] += each.leased
        resting[name] += each.resting
        nodes.setdefault(name, set()).add(each.scope.node)
    found = [Total(name, len(nodes[name]), capacities[name], leased[name], resting[name]) for name in capacities]
    return sorted(found, key=lambda each: (-each.share, each.network))


def _nodes(usages: tuple[Usage, ...]) -> list[tuple[str, float, int]]:
    """(node, share of its fullest range set, class of colour) of every node that has ranges of its own."""
    worst: dict[str, float] = {}
    for each in usages:
        if each.scope.node:
            worst[each.scope.node] = max(worst.get(each.scope.node, 0.0), each.share)
    return [(node, share, heat(share)) for node, share in sorted(worst.items())]


def heat(share: float) -> int:
    """The class of colour of a share: 0 for none, 1 to 5 up to nearly full, 6 from 90 % on, 7 for full."""
    if share >= 1.0:
        return 7
    return 6 if share >= 0.9 else 0 if share <= 0 else 1 + int(share / 0.18)


def percent(share: float) -> str:
    """`48.3 %`; never 100 where one address is left, nor 0 where one is leased."""
    number = share * 100
    if 0 < number < 0.1:
        return "< 0.1 %"
    if 99.9 < number < 100:
        return "> 99.9 %"
    return f"{number:.1f} %" if number % 1 else f"{number:.0f} %"


def count(number: int) -> str:
    """With thin spaces between thousands; powers of two where it is very large."""
    if number >= 10**12:
        power = round(log2(number))
        return f"2^{power}" if number == 1 << power else f"about 2^{power}"
    return f"{number:,}".replace(",", "\u202f")


def moment(seconds: float) -> str:
    """ISO 8601 in UTC, to the second; nothing where there is no time."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds else ""
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s since the epoch"


_TIMES = {"since", "from", "until", "taken"}


def fact(value: Any, key: str = "") -> str:
    """A value of evidence as one line of text."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {fact(item, name)}" for name, item in value.items())
    if isinstance(value, list):
        return "; ".join(fact(item, key) for item in value)
    if key in _TIMES:
        return moment(value) if value is not None else "now"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)
