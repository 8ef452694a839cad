"""What is measured, in which order: every contestant in turn within each round, the order alternating."""

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from tests.bench.calls import Cost, cpu_of
from tests.bench.contestants import Contestant
from tests.bench.leases import container_id
from tests.bench.networks import FIRST, SUBNET, Network
from tests.daemon.soak import resident

# Go makes some eight calls (sixteen where it finds nothing) for each lease: strace would take minutes.
TRACED_PEER = 1_000
ADD, DEL, NOTHING = "ADD", "DEL", "DEL, nothing there"


class Key(NamedTuple):
    """What a series of figures belongs to: the scene (as "110 leases"), the call, the contestant's name."""

    scene: str
    call: str
    contestant: str


class Burst(NamedTuple):
    """Calls begun at once: seconds until the last was answered, and the slowest but one per cent."""

    wall: float
    p99: float
    cpu: float


class Plan(NamedTuple):
    """How much is measured.

    `sizes` maps a number of leases to the number of rounds there, `bursts` a number of calls at once; at those sizes
    that are `traced` system calls are counted.
    """

    sizes: Mapping[int, int]
    full_prefix: int
    full_rounds: int
    traced: Sequence[int]
    bursts: Mapping[int, int]


class Results:
    """All figures of one run."""

    def __init__(self) -> None:
        self.costs: dict[Key, list[Cost]] = defaultdict(list)
        self.first_sights: dict[Key, Cost] = {}
        self.syscalls: dict[Key, int] = {}
        self.bursts: dict[Key, list[Burst]] = defaultdict(list)
        self.resident: dict[Key, float] = {}
        """MiB that a contestant's daemon had when a scene was over."""
        self.cold_starts: list[float] = []
        """Seconds from the start of a daemon to its first answer."""


class Rounds:
    """One run of a plan, in one scratch directory, which is emptied only when everything is measured.

    Nothing is deleted before, because ext4 creates files many times slower for minutes after a mass delete.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        daemons: Mapping[str, Sequence[int]],
        scratch: Path,
        plan: Plan,
    ) -> None:
        self.contestants = contestants
        self.daemons = daemons
        self.scratch = scratch
        self.plan = plan
        self.results = Results()
        self._serial = 1_000_000

    def sized(self, size: int) -> None:
        """ADD, DEL and a DEL that finds nothing where `size` leases exist already."""
        scene = f"{size:,} leases"
        takes_part = [each for each in self.contestants if each.sizes is None or size in each.sizes]
        networks = self._networks(f"bench-{size}", SUBNET, takes_part)
        for network in networks:
            if size:
                network.fill(range(FIRST, FIRST + size), FIRST + size - 1)
        os.sync()
        self._warm_up(scene, networks)
        for turn in self._turns(networks, self.plan.sizes[size]):
            self._round(scene, turn)
        self._weigh(scene)
        if size in self.plan.traced and shutil.which("strace"):
            self._trace(
                scene,
                [
                    network
                    for network in networks
                    if network.contestant.sizes is None and (size <= TRACED_PEER or not network.contestant.is_peer)
                ],
            )

    def nearly_full(self) -> None:
        """The only free address of a range, with the cursor on it, so that the search goes all the way round.

        The same on an empty range of the same length, in turns.
        """
        prefix = self.plan.full_prefix
        subnet = IPv4Network((SUBNET.network_address, prefix))
        last = int(subnet.broadcast_address) - 1
        free = (FIRST + last) // 2
        takes_part = [each for each in self.contestants if each.ranges]
        empty = self._networks("bench-empty", subnet, takes_part)
        full = self._networks("bench-full", subnet, takes_part)
        for network in full:
            network.fill((address for address in range(FIRST, last + 1) if address != free), free)
        os.sync()
        first_scene, last_scene = f"first address of a /{prefix}", f"last free address of a /{prefix}"
        self._warm_up(first_scene, empty)
        self._warm_up(last_scene, full)
        for number in range(self.plan.full_rounds):
            self._round(first_scene, _in_turn(empty, number))
            self._round(last_scene, _in_turn(full, number))

    def burst(self, count: int) -> None:
        """As many ADDs begun at once, then as many DELs."""
        takes_part = [each for each in self.contestants if each.bursts]
        networks = self._networks(f"bench-burst-{count}", SUBNET, takes_part)
        for network in networks:
            self._one(network, ADD)
            self._one(network, DEL)
        for turn in self._turns(networks, self.plan.bursts[count]):
            for call in (ADD, DEL):
                for network in turn:
                    key = Key(f"{count:,} at once", call, network.contestant.name)
                    self.results.bursts[key].append(self._burst(network, call, count))
        self._weigh(f"{count:,} at once")

    def _weigh(self, scene: str) -> None:
        """What the daemons weigh now."""
        for name, pids in self.daemons.items():
            if pids:
                self.results.resident[Key(scene, "", name)] = sum(map(resident, pids))

    def _burst(self, network: Network, call: str, count: int) -> Burst:
        before = sum(map(cpu_of, network.daemons))
        begun = time.perf_counter()
        costs = network.burst(call, count)
        wall = time.perf_counter() - begun
        cpu = sum(cost.cpu for cost in costs) + sum(map(cpu_of, network.daemons)) - before
        return Burst(wall, sorted(cost.wall for cost in costs)[round(0.99 * (count - 1))], cpu)

    def _networks(self, name: str, subnet: IPv4Network, contestants: Iterable[Contestant]) -> list[Network]:
        networks = [Network(contestant, self.scratch, name, subnet) for contestant in contestants]
        for network in networks:
            network.daemons = self.daemons[network.contestant.name]
        return networks

    def _turns(self, networks: list[Network], rounds: int) -> Iterator[list[Network]]:
        for number in range(rounds):
            yield _in_turn(networks, number)

    def _warm_up(self, scene: str, networks: list[Network]) -> None:
        """One call of each kind; the ADD is the first sight of leases that others made."""
        for network in networks:
            name = network.contestant.name
            self._serial += 1
            self.results.first_sights[Key(scene, ADD, name)] = self._one(network, ADD)
            self._one(network, DEL)
            self._one(network, NOTHING)

    def _round(self, scene: str, turn: list[Network]) -> None:
        self._serial += 1
        for call in (ADD, DEL, NOTHING):
            for network in turn:
                key = Key(scene, call, network.contestant.name)
                self.results.costs[key].append(self._one(network, call))

    def _one(self, network: Network, call: str) -> Cost:
        # The DEL that follows an ADD is for the same container; after it, the same DEL finds nothing.
        return network.call("ADD" if call == ADD else "DEL", container_id(self._serial))

    def _trace(self, scene: str, networks: list[Network]) -> None:
        self._serial += 1
        for call in (ADD, DEL, NOTHING):
            for network in networks:
                command = "ADD" if call == ADD else "DEL"
                count = network.syscalls(command, container_id(self._serial))
                self.results.syscalls[Key(scene, call, network.contestant.name)] = count


def _in_turn(networks: list[Network], number: int) -> list[Network]:
    """Who comes first changes from round to round, so that none always follows the same other."""
    networks = networks if number % 2 == 0 else networks[::-1]
    shift = number // 2 % len(networks)
    return networks[shift:] + networks[:shift]
