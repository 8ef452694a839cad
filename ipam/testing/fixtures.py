"""What the parts of the contract suite share: ranges, a clock, and a store to open again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ipam import allocator
from ipam.model import IPV4, IPV6, Address, Attachment, Cause, Host, Lease, Network, Pod, Range, RangeSet
from ipam.model import StoreConfig as Config
from ipam.registry import open_store
from ipam.store import Store

NETWORK = "testnet"
BOOT = "00000000-0000-4000-8000-000000000001"
NEXT_BOOT = "00000000-0000-4000-8000-000000000002"
RACERS = 8
ROUNDS = 12


def ipv4(text: str) -> Address:
    """10.0.0.x from its last number, or an address from dotted text."""
    value = 0
    for part in text.split("."):
        value = value << 8 | int(part)
    return Address(IPV4, value)


def small_range(last: int = 14) -> Range:
    """10.0.0.1 to 10.0.0.`last` of 10.0.0.0/24, gateway 10.0.0.1."""
    base = ipv4("10.0.0.0").value
    return Range(IPV4, base, 24, base + 1, base + last, Address(IPV4, base + 1))


def huge_range() -> Range:
    """fd00::/64, which nobody can enumerate."""
    base = 0xFD00 << 112
    return Range(IPV6, base, 64, base + 1, base + (1 << 64) - 1, Address(IPV6, base + 1))


def network(*ranges: Range) -> Network:
    """A network with one range set for each range."""
    return Network(NETWORK, tuple(RangeSet(index, (rng,)) for index, rng in enumerate(ranges)))


def who(name: str, ifname: str = "eth0") -> Attachment:
    """An attachment."""
    return Attachment(name, ifname)


class Ticking:
    """A clock that moves on by a second each time it is read."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1
        return self.now


class StoreTests:
    """A store, open and empty, and what ADD and DEL do to it."""

    lock_timeout = 30.0

    @pytest.fixture
    def url(self) -> str:
        """The URL of an empty store, of this test alone."""
        raise NotImplementedError("a subclass says which store")

    @pytest.fixture
    def clock(self) -> Ticking:
        """The store's clock."""
        return Ticking()

    @pytest.fixture
    def reopen(self, url: str, clock: Ticking) -> Iterator[Callable[..., Store]]:
        """Open the store (again), as another process would: on this node, or in another boot of it."""
        opened: list[Store] = []

        def open_again(node: str = "node-a", boot: str = BOOT) -> Store:
            store = open_store(Config(url, lock_timeout=self.lock_timeout), Host(node, boot, clock))
            opened.append(store)
            return store

        yield open_again
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, reopen: Callable[..., Store]) -> Store:
        """The store, open and empty."""
        return reopen()

    @staticmethod
    def add(store: Store, name: str, *ranges: Range, boot: str = BOOT, node: str = "node-a") -> list[Lease]:
        """What ADD does, and its leases."""
        net, host = network(*(ranges or (small_range(),))), Host(node, boot, lambda: 1_700_000_000.5)
        pod = Pod("default", name, f"uid-{name}")
        return store.transact(NETWORK, lambda tx: allocator.allocate(tx, net, who(name), pod, host))

    @staticmethod
    def delete(store: Store, name: str) -> None:
        """What DEL does."""
        store.transact(NETWORK, lambda tx: allocator.release(tx, who(name), Cause.DEL))
