"""`ipam map NETWORK`: a picture of each range, one cell an address or a block of addresses."""

from __future__ import annotations

import sys

import click

from ipam.address import format_address
from ipam.allocator import range_text
from ipam.cli import sites
from ipam.cli.output import console, is_terminal, write_object
from ipam.inspection.cells import FREE, FULL, GATEWAY, HALF, LEGEND, RESTING, SOME, UNUSABLE, picture
from ipam.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.cli.sites import Scope
    from ipam.inspection.cells import Picture
    from ipam.inspection.sites import Site
    from ipam.model import Range

_WIDTH = 64  # cells a line
_STYLES = {
    FREE: "green",
    SOME: "yellow",
    HALF: "dark_orange",
    FULL: "red",
    RESTING: "cyan",
    UNUSABLE: "magenta",
    GATEWAY: "bold blue",
}


@click.command("map")
@click.argument("network", shell_complete=sites.names)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@sites.options
def command(*, network: str, output: str, scope: Scope) -> int:
    """A picture of each range: one cell an address or a block of addresses.

    Of a huge range only the part is drawn that is in use.
    """
    with scope.sites(network) as found:
        for site in found:
            if site.network is None:
                raise ValueError(f"network {site.name}: no config in {scope.conf_dir} tells its ranges")
            drawn = list(_drawn(site))
            if output == "json":
                write_object({"network": site.name, "store": site.url, "ranges": [_row(*each) for each in drawn]})
            else:
                _show(drawn)
    return scope.status


def _drawn(site: Site) -> Iterator[tuple[int, Range, Picture]]:
    leased = [lease.address for lease in sites.leases_of(site)]
    resting = [address for address, _ in site.store.resting(site.name)]
    unusable = list(site.store.unusable(site.name))
    for range_set in site.network.range_sets if site.network else ():
        for rng in range_set.ranges:
            yield range_set.index, rng, picture(rng, leased, resting, unusable)


def _row(index: int, rng: Range, drawn: Picture) -> dict[str, object]:
    return {"range_set": index, "range": range_text(rng), "block": drawn.block, "cells": drawn.cells}


def _show(drawn: list[tuple[int, Range, Picture]]) -> None:
    from rich.text import Text

    shown = console(no_color=not is_terminal(sys.stdout), soft_wrap=True)
    states: set[str] = set()
    for index, rng, each in drawn:
        print_line = f"set {index}  {range_text(rng)}  one cell: {_addresses(each.block)}"
        size = rng.end - rng.start + 1
        if each.shown < size:
            print_line += "; nothing behind this is in use"
        shown.print(Text(print_line, style="bold"))
        width = max(len(format_address(Address(rng.family, edge))) for edge in (rng.start, rng.end))
        for place in range(0, len(each.cells), _WIDTH):
            cells = each.cells[place : place + _WIDTH]
            first = Address(rng.family, rng.start + place * each.block)
            line = Text(f"{format_address(first):{width}}  ")
            for cell in cells:
                line.append(cell, style=_STYLES[cell])
            shown.print(line)
            states.update(cells)
        shown.print()
    shown.print(Text("   ".join(f"{cell} {name}" for cell, name in LEGEND.items() if cell in states)))


def _addresses(block: int) -> str:
    if block == 1:
        return "1 address"
    return f"{block} addresses" if block < 1 << 32 else f"2^{block.bit_length() - 1} addresses"
