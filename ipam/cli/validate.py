"""`ipam validate CONFLIST`: the config as the plugin will see it, and what is wrong or doubtful in it."""

from __future__ import annotations

from pathlib import Path

import click

from ipam import config
from ipam.address import format_address, format_cidr
from ipam.allocator import range_text
from ipam.cli.output import note, say, write_object
from ipam.cli.sites import conf_dir_option, uses_in
from ipam.errors import InvalidConfig
from ipam.inspection import configs
from ipam.inspection.refusal import refusal
from ipam.inspection.usage import size
from ipam.inspection.validation import ERROR, validate
from ipam.model import Address
from ipam.witnesses.interfaces import host_subnets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ipam.inspection.configs import Configured
    from ipam.inspection.validation import Finding

INVALID = 3
"""The exit status where a config is wrong."""


@click.command("validate", epilog=f"Exit status: 0, also with warnings; {INVALID} where the config is wrong.")
@click.argument("conflist", type=click.Path(path_type=Path))
@click.option("--max-pods", type=int, default=110, show_default=True, help="How many containers the node may run.")
@conf_dir_option("Where other configs lie, whose ranges may overlap.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(*, conflist: Path, max_pods: int, conf_dir: Path, output: str) -> int:
    """The config as the plugin will see it, and what is wrong or doubtful in it.

    Unknown keys, ranges smaller than the node needs, ranges that overlap a subnet of this host or another
    config's, keys that mean nothing to the chosen store.
    """
    uses = uses_in(conflist)
    others, problems = configs.read_directory(conf_dir)
    for problem in problems:
        note(f"not looked at: {problem}")
    others = [each for each in others if not _is_same(each.path, conflist)]
    subnets = host_subnets()
    found = [(use, list(validate(use, others, subnets, max_pods))) for use in uses]
    if output == "json":
        write_object({"file": str(conflist), "networks": [_row(*each) for each in found]})
    else:
        for use, findings in found:
            for line in (*_seen(use), *(f"{each.level}: {each.text}" for each in findings)):
                say(line)
    return INVALID if any(each.level == ERROR for _, findings in found for each in findings) else 0


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _row(use: Configured, findings: list[Finding]) -> dict[str, Any]:
    network = use.network
    return {
        "network": use.name,
        "plugin": use.plugin,
        "store": use.store.shown if use.store else None,
        "range_sets": [
            {"index": each.index, "size": size(each), "ranges": [range_text(rng) for rng in each.ranges]}
            for each in (network.range_sets if network else ())
        ],
        "findings": [each._asdict() for each in findings],
    }


def _seen(use: Configured) -> Iterator[str]:
    """What the plugin makes of it."""
    yield f"network {use.name}, handed over by {use.plugin}, cniVersion {config.version_of(use.conf)}"
    if use.store is not None and not isinstance(refusal(use.conf), InvalidConfig):
        yield f"  leases in {use.store.shown}, lock timeout {use.store.lock_timeout:g} s, " + (
            "answers when the disk has it" if use.store.durable else "does not wait for the disk"
        )
    if use.network is None:
        return
    for range_set in use.network.range_sets:
        for rng in range_set.ranges:
            subnet = format_cidr(Address(rng.family, rng.subnet), rng.prefix)
            gateway = format_address(rng.gateway)
            yield f"  range set {range_set.index}: {range_text(rng)} of {subnet}, gateway {gateway}"
        yield f"  range set {range_set.index} has room for {size(range_set)} containers"
    for route in use.network.routes:
        yield f"  route to {route['dst']}" + (f" by {route['gw']}" if route.get("gw") else " by the gateway")
