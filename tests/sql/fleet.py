"""Several nodes: daemons of their own, each under the name of its node, and calls to all of them at once."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.daemon.calls import address, code, environment
from tests.daemon.service import Client, Service
from tests.sql.allocation import config


class Order(NamedTuple):
    """A call to be made on a node; `ipam` is added to its config."""

    node: int
    command: str
    container: str
    ipam: dict[str, object] = {}  # noqa: RUF012 (never written to)


class Outcome(NamedTuple):
    """What came of an order: the address of an ADD, or the code of an error and what was said of it."""

    order: Order
    address: str
    code: int
    said: str


class Fleet:
    """The daemons of some nodes that share the store of one URL."""

    def __init__(self, url: str, services: Sequence[Service]) -> None:
        self._url = url
        self._services = services

    def send(self, orders: Sequence[Order]) -> list[Client]:
        """Have all of them begun, each on a connection of its own."""
        clients = []
        for order in orders:
            stdin = config(self._url, version="1.1.0", nodeName=f"node-{order.node}", **order.ipam)
            client = Client(self._services[order.node].socket)
            clients.append(client.send(environment(order.command, order.container), stdin))
        return clients

    def receive(self, orders: Sequence[Order], clients: Sequence[Client]) -> list[Outcome]:
        """All answers, in the order of the calls."""
        outcomes = []
        for order, client in zip(orders, clients, strict=True):
            with client:
                status, stdout, _ = client.receive()
            said = stdout.decode()
            got = address(stdout) if order.command == "ADD" and status == 0 else ""
            outcomes.append(Outcome(order, got, code(stdout) if status else 0, said if status else ""))
        return outcomes

    def call(self, orders: Sequence[Order]) -> list[Outcome]:
        """All of them at once, and their answers."""
        return self.receive(orders, self.send(orders))


@contextmanager
def fleet(url: str, nodes: int) -> Iterator[Fleet]:
    """As many nodes."""
    with tempfile.TemporaryDirectory(prefix="ipam-") as directory, ExitStack() as stack:
        services = [Service(Path(directory, f"{number}.sock")) for number in range(nodes)]
        for service in services:
            stack.enter_context(service)
        yield Fleet(url, services)
