"""A node to look at: a config directory, a store with leases that are made as a plugin makes them, and `ipam`."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ipam import allocator
from ipam.cli import main
from ipam.config import decode, network
from ipam.model import Address, Attachment, Cause, Host, Lease, Network, Pod, StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store
from ipam.store import Store, Transaction

ONE_STORE = pytest.mark.parametrize("url", ["directory"], indirect=True)
"""For what has nothing to do with the store."""

NAME = "containers"
SUBNET = "10.203.0.0/24"
IPAM = [sys.executable, "-m", "ipam.cli"]


class Said(NamedTuple):
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The JSON on stdout; nothing on stderr, and success."""
        assert (self.code, self.err) == (0, "")
        return json.loads(self.out)

    def csv(self) -> list[dict[str, str]]:
        """The CSV on stdout."""
        return list(csv.DictReader(io.StringIO(self.out)))

    def table(self) -> list[list[str]]:
        """The cells of a table whose cells have no space of their own, without the titles."""
        return [line.split() for line in self.out.splitlines()[1:]]


class Node:
    """`url` is the store's; `now` is the time at which leases are made, the real one where None."""

    def __init__(self, url: str, conf_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.conf_dir = conf_dir
        self.subnet = SUBNET
        self.now: float | None = None
        self._capsys = capsys
        self.real = this_host()

    @property
    def host(self) -> Host:
        """This host, at that time."""
        now = self.now
        return self.real if now is None else Host(self.real.node, self.real.boot, lambda: now)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, open."""
        store = open_store(StoreConfig(self.url), self.host)
        try:
            yield store
        finally:
            store.close()

    def conflist(self, *subnets: str, name: str = NAME, plugin: str = "bridge", **ipam: Any) -> dict[str, Any]:
        """A network's config; a range set for each subnet."""
        section = {"type": "host-local", "store": self.url, "ranges": [[{"subnet": each}] for each in subnets]}
        plugins = [{"type": plugin, "ipam": section | ipam}, {"type": "portmap"}]
        return {"cniVersion": "1.0.0", "name": name, "plugins": plugins}

    def configure(self, *subnets: str, name: str = NAME, plugin: str = "bridge", **ipam: Any) -> Path:
        """Put a network's config into the directory."""
        path = self.conf_dir / f"10-{name}.conflist"
        path.write_text(json.dumps(self.conflist(*(subnets or (self.subnet,)), name=name, plugin=plugin, **ipam)))
        return path

    def network(self, *subnets: str, name: str = NAME) -> Network:
        """The same as the plugin sees it."""
        ranges = [[{"subnet": each}] for each in subnets or (self.subnet,)]
        conf = decode(json.dumps({"name": name, "ipam": {"ranges": ranges}}).encode())
        return network(conf, "1.0.0", None)

    def add(self, container: str, *subnets: str, name: str = NAME, pod: Pod | None = None) -> list[Lease]:
        """What ADD does."""
        wanted, who, of = (
            self.network(*subnets, name=name),
            Attachment(container, "eth0"),
            pod or Pod("default", container),
        )
        with self.store() as store:
            return store.transact(name, lambda tx: allocator.allocate(tx, wanted, who, of, self.host))

    def delete(self, container: str, name: str = NAME) -> None:
        """What DEL does."""
        who = Attachment(container, "eth0")
        with self.store() as store:
            store.transact(name, lambda tx: allocator.release(tx, who, Cause.DEL))

    def change(self, what: Callable[[Transaction], Any], name: str = NAME) -> None:
        """Any other change."""
        with self.store() as store:
            store.transact(name, what)

    def fill(self, addresses: Iterable[Address], name: str = NAME) -> None:
        """A lease on each of many addresses, in a few changes."""
        left = list(addresses)
        while left:
            some, left = left[:5000], left[5000:]
            self.change(lambda tx, some=some: self._claim(tx, some), name)  # type: ignore[misc]

    def _claim(self, tx: Transaction, addresses: list[Address]) -> None:
        host = self.host
        for family, value in addresses:
            who, pod = Attachment(f"{value:064x}", "eth0"), Pod("default", f"web-{value}", f"uid-{value}")
            lease = Lease(Address(family, value), who, 0, pod, host.clock(), host.boot, host.node)
            tx.claim(lease, Cause.ADD)

    def leases(self, name: str = NAME) -> list[Lease]:
        """What is leased."""
        with self.store() as store:
            return list(store.leases(name))

    def arguments(self, command: str, *more: str) -> list[str]:
        """A command line for this node."""
        where = ["--conf-dir", str(self.conf_dir)] if command != "explain" else []
        alone = command not in ("validate", "explain", "completion")
        return [command, *where, *(["--store", self.url] if alone else []), *more]

    def run(self, command: str, *more: str) -> Said:
        """Run a command in this process."""
        code = 0
        try:
            main(self.arguments(command, *more))
        except SystemExit as end:
            code = int(end.code or 0)
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    @contextmanager
    def started(self, command: str, *more: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """A command as a process of its own, killed if it is still there in the end."""
        process = subprocess.Popen([*IPAM, *self.arguments(command, *more)], text=True, **options)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()
