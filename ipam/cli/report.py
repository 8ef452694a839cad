"""`ipam report`: all of it on one page of HTML, to look at."""

from __future__ import annotations

from pathlib import Path

import click

from ipam.cli import output, sources


@click.command("report")
@sources.options
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
    help="Where to write the page, for the owner alone to read.",
)  # fmt: skip
@click.option("--title", default="IP address report", show_default=True, help="What stands at the top of the page.")
def command(*, chosen: sources.Chosen, path: Path, title: str) -> int:
    """Make one page of HTML of usage, address maps, activity, forecasts, findings and leases.

    It loads nothing from anywhere.
    """
    import jinja2  # noqa: F401  # to say at once what is missing

    from ipam.audit import files
    from ipam.audit.auditing import audit
    from ipam.audit.report.gathering import Gathered
    from ipam.audit.report.page import render

    with chosen.sources() as found:
        gathered = Gathered(audit(found, chosen.limits()))
    files.write(path, [render(gathered, title).encode("utf-8", "backslashreplace")])
    counts = {"lease": gathered.audit.leases, "finding": len(gathered.audit.findings)}
    output.note(f"{path}: {', '.join(output.number(count, what) for what, count in counts.items())}")
    return chosen.scope.status
