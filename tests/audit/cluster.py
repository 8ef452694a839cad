"""A generated cluster: nodes with their snapshots, and faults planted in some, each kind on nodes of its own."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

from ipam.audit import files
from ipam.audit.finding import RULES
from ipam.audit.records import Chained, Held, NetworkInfo
from ipam.audit.snapshot import Header, Record, encode
from ipam.audit.survey import Limits
from ipam.model import CLAIM, DROP, IPV4, Address, Attachment, Cause, Event, Lease, Pod, Range, RangeSet
from ipam.verdict import Problem, Verdict

NOW = 1_800_000_000.0
DAY = 86_400.0
LEASES = 250
FAULTS = 20
PODS, STORAGE = "pods", "storage"

Expected = set[tuple[str, tuple[str, ...]]]
"""The name of a rule, and the nodes that it is found on."""


def address(text: str, offset: int = 0) -> Address:
    """An IPv4 address, or the one so many behind it."""
    value = 0
    for part in text.split("."):
        value = value << 8 | int(part)
    return Address(IPV4, value + offset)


def subnet(first: Address, prefix: int, skip: int = 0) -> Range:
    """All of a subnet from `skip` addresses behind its first on; the first address is the gateway."""
    last = first.value + (1 << 32 - prefix) - 2
    return Range(IPV4, first.value, prefix, first.value + 1 + skip, last, Address(IPV4, first.value + 1))


class Node:
    """One node's snapshot in the making."""

    def __init__(self, number: int, leases: int, names: Iterator[int], random: Random) -> None:
        self.number = number
        self.name = f"node-{number:04}"
        self.boot = f"boot-of-{number:04}"
        self.time = NOW - random.randrange(600)
        self.base = address("10.0.0.0", number * 512)
        self.networks: dict[str, tuple[RangeSet, ...] | None] = {PODS: (RangeSet(0, (subnet(self.base, 23),)),)}
        self.held: dict[str, list[Lease]] = {PODS: []}
        self.events: dict[str, list[Event]] = {PODS: []}
        self.set_back = False
        self.verdict: Verdict | None = None
        self._names = names
        for offset in range(leases):
            since = self.time - DAY * (2 + random.random() * 20)
            self.lease(PODS, Address(IPV4, self.base.value + 2 + offset), since)

    def network(self, name: str, *ranges: Range) -> None:
        """One more network; its config is not known where there are no ranges."""
        self.networks[name] = (RangeSet(0, ranges),) if ranges else None
        self.held[name], self.events[name] = [], []

    def lease(self, network: str, where: Address, since: float = NOW - 3 * DAY, **changes: object) -> Lease:
        """One more lease, of a pod that nobody else has."""
        name = next(self._names)
        pod = Pod("default", f"web-{name}", f"uid-{name}")
        lease = Lease(where, Attachment(f"c{name:08x}", "eth0"), 0, pod, since, self.boot, self.name)
        lease = lease.replace(**changes)
        self.held[network].append(lease)
        self.events[network].append(Event(lease.since, lease.boot, network, CLAIM, lease, Cause.ADD))
        return lease

    def ended(self, network: str, where: Address, begin: float, end: float) -> None:
        """A lease that was released."""
        lease = self.lease(network, where, begin)
        self.held[network].remove(lease)
        self.events[network].append(Event(end, self.boot, network, DROP, lease, Cause.DEL))

    def snapshot(self, *, history: bool) -> tuple[Header, list[Record]]:
        """The header and the records."""
        infos = tuple(
            NetworkInfo(name, sets, shared=False, boots={self.name: self.boot}, verdict=self.verdict)
            for name, sets in self.networks.items()
        )
        records: list[Record] = []
        for name in self.networks:
            records += [Held(name, lease) for lease in sorted(self.held[name], key=lambda lease: lease.address)]
            if history:
                in_order = sorted(self.events[name], key=lambda event: 0 if self.set_back else event.time)
                records += [Chained(event, "") for event in in_order]
        return Header(self.name, self.boot, self.time, "file:///var/lib/cni/networks", infos), records

    def write(self, directory: Path, *, history: bool = True, suffix: str = ".jsonl.gz") -> Path:
        """The snapshot's file."""
        path = directory / f"{self.name}{suffix}"
        files.write(path, encode(*self.snapshot(history=history)))
        return path


class Cluster:
    """Nodes without a fault, until they are planted. `expected` is what an audit has to find, and nothing else."""

    def __init__(self, nodes: int, leases: int = LEASES, seed: int = 1) -> None:
        self._names = count(1)
        random = Random(seed)
        self.nodes = [Node(number, leases, self._names, random) for number in range(nodes)]
        self.expected: Expected = set()
        self.ghosts: list[str] = []
        self._fresh = iter(self.nodes)

    def expect(self, rule: str, *nodes: Node | str) -> None:
        """One finding more."""
        assert rule in RULES
        names = sorted(node if isinstance(node, str) else node.name for node in nodes)
        self.expected.add((rule, tuple(names)))

    def limits(self, **changes: object) -> Limits:
        """Limits for an audit now, of which every node that is no ghost is expected, and the ghosts."""
        expected = frozenset([*(node.name for node in self.nodes), *self.ghosts])
        return Limits(NOW, expected=expected)._replace(**changes)  # type: ignore[arg-type]

    def plant(self, each: int = FAULTS) -> None:
        """Plant so many faults of each kind that can be planted in what a node wrote."""
        for number in range(each):
            self._plant_collisions(number)
            self._plant_leases(number)
            self._plant_ranges(number)
            self._plant_times(number)

    def _plant_collisions(self, number: int) -> None:
        one, two = next(self._fresh), next(self._fresh)
        for node in (one, two):
            node.network(STORAGE)
            node.lease(STORAGE, address("172.16.0.10", number))
        self.expect("duplicate-address", one, two)
        one, two = next(self._fresh), next(self._fresh)
        for node, begin in ((one, NOW - 5 * DAY), (two, NOW - 4.5 * DAY)):
            node.network(STORAGE)
            node.ended(STORAGE, address("172.16.1.10", number), begin, begin + DAY)
        self.expect("duplicate-address-past", one, two)
        one, two = next(self._fresh), next(self._fresh)
        for node in (one, two):
            node.lease(PODS, Address(IPV4, node.base.value + 400), attachment=Attachment(f"twice{number}", "eth0"))
        self.expect("container-on-two-nodes", one, two)
        one, two = next(self._fresh), next(self._fresh)
        for node in (one, two):
            node.lease(PODS, Address(IPV4, node.base.value + 400), pod=Pod("default", f"moved-{number}"))
        self.expect("pod-on-two-nodes", one, two)

    def _plant_leases(self, number: int) -> None:
        node = next(self._fresh)
        node.lease(PODS, address("11.0.0.1", number))
        self.expect("lease-outside-ranges", node)
        node = next(self._fresh)
        node.lease(PODS, Address(IPV4, node.base.value + 400), boot="an-earlier-boot")
        self.expect("leaked-by-boot", node)
        node = next(self._fresh)
        node.lease(PODS, Address(IPV4, node.base.value + 400), NOW - 40 * DAY)
        self.expect("leaked-by-age", node)

    def _plant_ranges(self, number: int) -> None:
        one, two = next(self._fresh), next(self._fresh)
        here = address("192.168.0.0", number * 256)
        one.network("edge", subnet(here, 25))
        two.network("edge", subnet(here, 24, skip=100))
        self.expect("overlapping-ranges", one, two)
        node = next(self._fresh)
        node.network("edge", subnet(address("192.168.128.0", number * 256), 25))
        node.network("rack", subnet(address("192.168.128.0", number * 256), 24, skip=100))
        self.expect("overlapping-ranges", node)
        node = next(self._fresh)
        first = address("172.20.0.0", number * 256)
        node.network("small", subnet(first, 29))
        for offset in range(5):
            node.lease("small", Address(IPV4, first.value + 2 + offset))
        self.expect("range-set-exhausted", node)
        node = next(self._fresh)
        first = address("172.21.0.0", number * 256)
        node.network("small", subnet(first, 24))
        for offset in range(100 if number % 2 else 240):  # half of them: not full, but a hundred more in a few hours
            node.lease("small", Address(IPV4, first.value + 2 + offset), NOW - DAY / 4 if number % 2 else NOW - 3 * DAY)
        self.expect("range-set-nearly-exhausted", node)

    def _plant_times(self, number: int) -> None:
        node = next(self._fresh)
        node.time = NOW - 1.5 * DAY
        self.expect("snapshot-old", node)
        node = next(self._fresh)
        if number % 2:
            node.time = NOW + 600
        else:
            node.set_back = True
            node.network(STORAGE)
            node.events[PODS].clear()
            node.ended(STORAGE, address("172.16.2.10", number), NOW - 3 * DAY, NOW - 2 * DAY)
            node.ended(STORAGE, address("172.16.3.10", number), NOW - 2 * DAY - 900, NOW - 1.5 * DAY)
        self.expect("clock-disagrees", node)
        node = next(self._fresh)
        node.verdict = Verdict(9, 9, 0, "", (Problem(3, "byte 700", "it was changed"),))
        self.expect("history-broken", node)
        ghost = f"ghost-{number}"
        self.ghosts.append(ghost)
        self.expect("node-missing", ghost)

    def plant_files(self, directory: Path, each: int = FAULTS) -> list[Path]:
        """So many snapshots that were superseded, and so many damaged in one of several ways: more files."""
        made = []
        for node in self.nodes[-each:]:
            now, node.time = node.time, node.time - 3600
            made.append(node.write(directory, suffix=".old.jsonl"))
            node.time = now
            self.expect("snapshot-superseded", node)
        for number in range(each):
            node = Node(len(self.nodes) + number, 20, self._names, Random(number))
            packed, plain = (node.write(directory, suffix=suffix) for suffix in (".jsonl.gz", ".jsonl"))
            keep = plain if number % 4 else packed
            damage(keep, number)
            (packed if number % 4 else plain).unlink()
            made.append(keep)
            self.expect("snapshot-damaged")
        return made


def damage(path: Path, number: int) -> None:
    """Cut off a compressed file or a plain one, change a letter, or remove a line."""
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    ways = (
        lambda: data[: len(data) // 2],
        lambda: data[:-30],
        lambda: data.replace(b"web-", b"wab-", 1),
        lambda: b"".join(lines[:7] + lines[8:]),
    )
    path.write_bytes(ways[number % 4]())
