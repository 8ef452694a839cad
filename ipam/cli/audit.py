"""`ipam audit`: what is wrong with the leases of any number of nodes."""

from __future__ import annotations

from typing import NamedTuple

import click

from ipam.cli import output, sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.audit.auditing import Audit
    from ipam.audit.finding import Finding

FOUND = 3
"""The exit status where --fail-on found what it looks for."""

SEVERITIES = ("error", "warning", "note")
_STYLES = {"error": "red", "warning": "yellow", "note": "blue"}
_EPILOG = (
    f"Exit status: 0, or {FOUND} where there is a finding that --fail-on asks for. Without a SNAPSHOT it looks at the "
    "stores of this node. README lists the codes."
)


@click.command("audit", epilog=_EPILOG)
@sources.options
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json", "csv", "sarif"]), default="table", show_default=True,
    help="How to print the findings.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help=f"Exit with {FOUND} where there is such a finding, or a worse one."
)
def command(*, chosen: sources.Chosen, form: str, fail_on: str | None) -> int:
    """Find what is wrong across nodes: addresses held twice, leaks, full or overlapping ranges, bad clocks."""
    from ipam.audit.auditing import audit
    from ipam.audit.finding import fails

    with chosen.sources() as found:
        result = audit(found, chosen.limits())
    if form == "json":
        output.write_object({**_summary(result)._asdict(), "findings": [each.to_json() for each in result.findings]})
    elif form == "sarif":
        from ipam.audit.sarif import to_sarif

        output.write_object(to_sarif(result.findings))
    elif form == "csv":
        columns = [output.Column(key) for key in ("severity", "code", "name", "network", "nodes", "subject", "message")]
        rows = [each.to_json() | {"nodes": " ".join(each.nodes)} for each in result.findings]
        output.emit(rows, [*columns, output.Column("help")], "csv")
    else:
        for line in _lines(result):
            click.echo(line)
    return FOUND if fail_on and fails(list(result.findings), fail_on) else chosen.scope.status


class _Summary(NamedTuple):
    nodes: int
    networks: int
    leases: int
    events: int


def _summary(result: Audit) -> _Summary:
    return _Summary(result.nodes, result.networks, result.leases, result.events)


def _lines(result: Audit) -> Iterator[str]:
    for each in result.findings:
        yield from _finding(each)
    counts = [sum(each.rule.severity == severity for each in result.findings) for severity in SEVERITIES]
    told = [output.number(count, name) for count, name in zip(counts, SEVERITIES, strict=True) if count]
    seen = ", ".join(output.number(count, name[:-1]) for name, count in _summary(result)._asdict().items())
    yield f"{seen}: {', '.join(told) or 'no findings'}"


def _finding(each: Finding) -> Iterator[str]:
    severity = click.style(f"{each.rule.severity:8}", fg=_STYLES[each.rule.severity])
    yield f"{severity} {each.rule.code}  {output.visible(each.message)}"
    if each.help:
        yield f"{'':14}{click.style(output.visible(each.help), dim=True)}"
