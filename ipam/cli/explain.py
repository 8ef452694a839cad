"""`ipam explain CONFLIST`: what ADD would answer now, and why."""

from __future__ import annotations

from pathlib import Path

import click

from ipam import config
from ipam.address import format_address, format_cidr
from ipam.allocator import set_text
from ipam.cli.output import number, say, waiting, write_json
from ipam.cli.sites import store_option, store_url, uses_in
from ipam.errors import AddressInUse, Exhausted, InvalidConfig
from ipam.inspection import configs
from ipam.inspection.explanation import Explanation, explain, in_words
from ipam.inspection.refusal import refusal
from ipam.inspection.selection import one_address
from ipam.inspection.usage import usage
from ipam.inspection.validation import unknown_keys
from ipam.model import Address, Attachment
from ipam.plugin import this_host
from ipam.registry import open_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ipam.inspection.configs import Configured
    from ipam.model import Host, Network
    from ipam.store import Store

REFUSED = 3
"""The exit status where ADD would be refused."""

_MOST = 8  # skipped addresses that are named
_NOBODY = "ipam-explain"


@click.command("explain", epilog=f"Exit status: 0 where ADD would succeed, {REFUSED} where it would be refused.")
@click.argument("conflist", type=click.Path(path_type=Path))
@click.option("--container", default=_NOBODY, metavar="ID", help="ADD for this container.  [default: an unknown one]")
@click.option("--ifname", default="eth0", show_default=True, help="ADD for this interface.")
@click.option("--request", metavar="IP", help="ADD that asks for this address.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_option
def command(*, conflist: Path, container: str, ifname: str, request: str | None, output: str, store: str | None) -> int:
    """What ADD would answer now, and why; changes nothing.

    Which address is next, which ones are passed over and why, who holds the one that is asked for, or which key
    of the config is wrong.
    """
    host, who = this_host(), Attachment(container, ifname)
    uses = uses_in(conflist)
    asked = one_address(request) if request else None
    rows = [_answer(use, who, asked, store_url(store) if store else None, host) for use in uses]
    if output == "json":
        write_json(row for row, _ in rows)
    else:
        for _, lines in rows:
            for line in lines:
                say(line)
    return REFUSED if any(row["error"] for row, _ in rows) else 0


def _answer(
    use: Configured, who: Attachment, asked: Address | None, url: str | None, host: Host
) -> tuple[dict[str, Any], list[str]]:
    """One use of the plugin: as a row, and in words."""
    row: dict[str, Any] = {"network": use.name, "plugin": use.plugin, "leases": [], "skipped": [], "error": None}
    wrong = refusal(use.conf, who)
    if wrong is not None or use.network is None or use.store is None:
        wrong = wrong or InvalidConfig(use.problem)
        hints = [f"  {finding.text}" for finding in unknown_keys(use.conf)]
        row["error"] = {"code": wrong.code, "msg": wrong.msg, "details": wrong.details}
        refused = f"network {use.name}: ADD would be refused with code {wrong.code}"
        return row, [f"{refused}: {configs.in_words(wrong)}", *hints]
    network = use.network
    if asked is not None:
        network = config.network(use.conf, config.version_of(use.conf), asked)
    store = use.store.replace(url=url) if url else use.store
    host = host.named(store.node)
    opened = open_store(store, host)
    try:
        with waiting("looking at every lease"):
            found = explain(opened, network, who, host)
        lines = list(_lines(network, found, opened))
    finally:
        opened.close()
    row["leases"] = [{"address": format_address(each.address), "range_set": each.range_set} for each in found.leases]
    row["skipped"] = [{"address": format_address(each.address), "why": each.why} for each in found.skipped]
    row["reclaimed"] = len(found.reclaimed)
    if found.error is not None:
        row["error"] = {"code": found.error.code, "msg": found.error.msg, "details": found.error.details}
    return row, [f"network {use.name}, for {_asker(who)}:", *(f"  {line}" for line in lines)]


def _asker(who: Attachment) -> str:
    name = "a new container" if who.container_id == _NOBODY else f"container {who.container_id}"
    return f"{name} {who.ifname}"


def _lines(network: Network, found: Explanation, store: Store) -> Iterator[str]:
    if found.reclaimed:
        yield f"first, {number(len(found.reclaimed), 'lease')} of an earlier boot would be released"
    if found.error is not None:
        yield f"ADD would be refused with code {found.error.code}: {found.error.msg}"
        if found.error.details:
            yield found.error.details
        yield from _how_full(network, store)
        if isinstance(found.error, (Exhausted, AddressInUse)):
            yield f"`ipam gc {network.name}` tells which leases are stale"
        return
    for lease, range_set in zip(found.leases, network.range_sets, strict=True):
        rng = range_set.range_of(lease.address)
        prefix = rng.prefix if rng else 0
        shown = f"range set {range_set.index}: {set_text(range_set)}"
        yield f"ADD would answer {format_cidr(lease.address, prefix)}, {shown}"
        skipped = [each for each in found.skipped if each.range_set == range_set.index]
        if lease.address in network.requested:
            yield "  it was asked for, and is free"
        elif range_set.index in found.cursors:
            last = found.cursors[range_set.index]
            yield f"  the one leased last is {format_address(last)}; this is the next free one after it"
        else:
            yield "  nothing was leased before: this is the first free one"
        for text in in_words(skipped, _MOST):
            yield f"  passed over: {text}"


def _how_full(network: Network, store: Store) -> Iterator[str]:
    leases = list(store.leases(network.name))
    resting = [address for address, _ in store.resting(network.name)]
    unusable = list(store.unusable(network.name))
    for each in usage(network, [lease.address for lease in leases], resting, unusable):
        yield (
            f"range set {each.range_set.index}: {each.size} addresses, {each.leased} leased, {each.resting} resting, "
            + (f"{each.unusable} unusable (see `ipam check {network.name}`), " if each.unusable else "")
            + f"{each.free} free"
        )
