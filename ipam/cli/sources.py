"""The options of the commands that look at many nodes: snapshots or stores, and what counts as what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

import click

from ipam.cli import sites
from ipam.inspection.times import parse_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ipam.audit.source import Source
    from ipam.audit.survey import Limits


class Chosen:
    """What the options chose."""

    def __init__(
        self, scope: sites.Scope, snapshots: tuple[Path, ...], key: Path | None, values: dict[str, Any]
    ) -> None:
        self.scope = scope
        self._snapshots = snapshots
        self._key = key
        self._values = values

    @contextmanager
    def sources(self) -> Iterator[list[Source]]:
        """The snapshots, or this node's stores where none was named, or the stores that were named beside them."""
        from ipam.audit.live import LiveStores
        from ipam.audit.source import SnapshotFile

        trusted = None
        if self._key is not None:
            from ipam.audit import signing

            trusted = signing.public_key(self._key)
        found: list[Source] = [SnapshotFile(path, trusted) for path in self._snapshots]
        if self._snapshots and not self.scope.urls:
            yield found
            return
        with self.scope.sites() as here:
            yield [*found, LiveStores(self.scope.readable(here, sites.whole), self.scope.host)]

    def limits(self) -> Limits:
        """What counts as what."""
        from ipam.audit.survey import Limits

        given, now = self._values, time()
        expected = set(given["nodes"])
        if given["nodes_from"] is not None:
            expected.update(given["nodes_from"].read_text(encoding="utf-8").split())
        return Limits(
            now,
            frozenset(given["local"]),
            frozenset(expected),
            parse_duration(given["leak_age"]),
            parse_duration(given["max_age"]),
            given["nearly_full"] / 100,
        )


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Snapshots, `--store`, and all that Limits has; the command gets `chosen`."""

    def chosen(
        *arguments: Any, scope: sites.Scope, snapshots: tuple[Path, ...], key: Path | None, **others: Any
    ) -> Any:
        values = {
            name: others.pop(name) for name in ("nodes", "nodes_from", "local", "leak_age", "max_age", "nearly_full")
        }
        return function(*arguments, chosen=Chosen(scope, snapshots, key, values), **others)

    chosen.__doc__ = function.__doc__
    chosen.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Callable[..., Any] = sites.options(chosen)
    for option in (
        click.option("--nearly-full", type=click.FloatRange(1, 100), default=90, show_default=True, metavar="PERCENT",
                     help="From when on a range set is nearly exhausted."),
        click.option("--leak-age", default="30d", show_default=True, metavar="DURATION",
                     help="Older leases are taken for leaked."),
        click.option("--max-age", default="1d", show_default=True, metavar="DURATION",
                     help="Older snapshots are too old."),
        click.option("--local", multiple=True, metavar="NETWORK",
                     help="Each node has this network for itself: its addresses may be on many. May be repeated."),
        click.option("--nodes-from", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
                     help="The same, many: names between white space."),
        click.option("--node", "nodes", multiple=True, metavar="NAME",
                     help="A node whose snapshot has to be there. May be repeated."),
        click.option("--key", type=click.Path(path_type=Path), metavar="FILE",
                     help="Snapshots must be signed with this public key."),
        click.argument("snapshots", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False),
                       metavar="[SNAPSHOT]..."),
    ):  # fmt: skip
        wrapped = option(wrapped)
    return wrapped
