"""Options whose value is a time span."""

from __future__ import annotations

import click

from ipam.inspection.times import parse_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def duration_option(name: str, default: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option like `5m`; the command gets seconds."""
    return click.option(name, default=default, metavar="DURATION", show_default=True, help=text, callback=_seconds)


def _seconds(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
