"""A network on a store in memory, and what runtimes do to it."""

from collections.abc import Iterable

from backends.memory import MemoryStore
from ipam import allocator
from ipam.address import format_address, parse_address
from ipam.model import IPV4, IPV6, Address, Attachment, Cause, Host, Lease, Network, Pod, Range, RangeSet
from ipam.testing.fixtures import BOOT, Ticking, who

NODE, OTHER_NODE = "node-a", "node-b"


def at(text: str) -> Address:
    """10.0.0.x from its last number, or any address from its text."""
    address = parse_address(f"10.0.0.{text}" if text.isdecimal() else text)
    assert address is not None, text
    return address


def texts(leases: Iterable[Lease]) -> list[str]:
    return [format_address(lease.address).removeprefix("10.0.0.") for lease in leases]


def part(start: int, end: int, gateway: str = "1") -> Range:
    """10.0.0.`start` to 10.0.0.`end`."""
    base = at("0").value
    return Range(IPV4, base, 24, base + start, base + end, at(gateway))


def six() -> Range:
    """fd00::/64."""
    base = at("fd00::").value
    return Range(IPV6, base, 64, base + 1, base + (1 << 64) - 1, at("fd00::1"))


class Node:
    """A network of these range sets, and a store of its own."""

    def __init__(self, *sets: list[Range]) -> None:
        self.sets = tuple(RangeSet(index, tuple(ranges)) for index, ranges in enumerate(sets))
        self.host = Host(NODE, BOOT, Ticking())
        self.store = MemoryStore(self.host)

    def network(self, *requested: str) -> Network:
        return Network("net", self.sets, tuple(map(at, requested)))

    def add(self, name: str, *requested: str, ifname: str = "eth0", pod: Pod | None = None) -> list[str]:
        network, me = self.network(*requested), who(name, ifname)
        return texts(
            self.store.transact(
                "net", lambda tx: allocator.allocate(tx, network, me, pod or Pod("default", name), self.host)
            )
        )

    def release(self, name: str, ifname: str = "eth0") -> list[str]:
        return texts(self.store.transact("net", lambda tx: allocator.release(tx, who(name, ifname), Cause.DEL)))

    def reclaim(self, *valid: Attachment, shared: bool = True) -> list[str]:
        return texts(self.store.transact("net", lambda tx: allocator.reclaim(tx, set(valid), self.host, shared=shared)))

    def check(self, name: str, *previous: str, ifname: str = "eth0") -> None:
        """CHECK with these addresses in prevResult, or without one where there are none."""
        addresses = list(map(at, previous)) or None
        self.store.transact("net", lambda tx: allocator.check(tx, self.network(), who(name, ifname), addresses))

    def put(
        self, address: str, owner: Attachment, *, range_set: int | None = None, node: str = "", boot: str = ""
    ) -> Lease:
        """A lease that is there already, made by whoever."""
        lease = Lease(at(address), owner, range_set, node=node, boot=boot)
        self.store.transact("net", lambda tx: tx.claim(lease, Cause.FOUND))
        return lease

    def leased(self) -> list[str]:
        return texts(self.store.leases("net"))

    def cursor(self, range_set: int = 0) -> Address | None:
        return self.store.transact("net", lambda tx: tx.cursor(range_set))
