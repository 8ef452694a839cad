"""A network that a contestant holds leases of, and the calls that are made on it."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from tests.bench import calls
from tests.bench.contestants import Contestant
from tests.bench.leases import container_id

SUBNET = IPv4Network("10.1.0.0/16")
# The network's own address and the gateway's are never handed out.
FIRST = int(SUBNET.network_address) + 2


class Network:
    """One network of one contestant, in a directory of its own."""

    def __init__(self, contestant: Contestant, root: Path, name: str, subnet: IPv4Network = SUBNET) -> None:
        self.contestant = contestant
        self.name = name
        self.data_dir = root / contestant.name.replace(" ", "-")
        self.daemons: Sequence[int] = ()
        config = {
            "cniVersion": "1.0.0",
            "name": name,
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipam": {
                "type": "host-local",
                **self._place(),
                "ranges": [[{"subnet": str(subnet)}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                **contestant.ipam,
            },
        }
        self.stdin = json.dumps(config, separators=(",", ":")).encode()

    def _place(self) -> dict[str, str]:
        if self.contestant.store:
            return {"store": self.contestant.store.format(data_dir=self.data_dir)}
        return {"dataDir": str(self.data_dir)}

    def fill(self, addresses: Iterable[int], cursor: int) -> None:
        """Lease these addresses behind the contestant's back, as if Go had done it."""
        self.contestant.fill(self.data_dir, self.name, cursor, addresses)

    def env(self, command: str, container: str) -> dict[str, str]:
        """The environment of one call."""
        return {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": "/run/netns/bench",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(Path(self.contestant.argv[0]).parent),
            "PATH": os.defpath,
            **self.contestant.env,
        }

    def call(self, command: str, container: str) -> calls.Cost:
        """One call that must succeed, and its cost, what the daemons spent on it included."""
        before = sum(map(calls.cpu_of, self.daemons))
        answer = calls.call(self.contestant.argv, self.env(command, container), self.stdin)
        self._insist(command, answer)
        spent = sum(map(calls.cpu_of, self.daemons)) - before
        return calls.Cost(answer.cost.wall, answer.cost.cpu + spent)

    def burst(self, command: str, count: int) -> list[calls.Cost]:
        """As many calls at once, each for a container of its own; all must succeed."""
        envs = [self.env(command, container_id(number)) for number in range(count)]
        answers = calls.together(self.contestant.argv, envs, self.stdin)
        for answer in answers:
            self._insist(command, answer)
        if self.contestant.allocates and command == "ADD" and len({answer.stdout for answer in answers}) != count:
            raise SystemExit(f"{self.contestant.name}: an address was given out twice")
        return [answer.cost for answer in answers]

    def syscalls(self, command: str, container: str) -> int:
        """How many system calls one call makes, in all its threads and children."""
        tally = self.data_dir.parent / "strace.out"
        subprocess.run(
            ["strace", "-f", "-c", "-o", tally, *self.contestant.argv],
            env=self.env(command, container),
            input=self.stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return tallied(tally.read_text())

    def _insist(self, command: str, answer: calls.Answer) -> None:
        if answer.code != 0:
            said = answer.stdout.decode(errors="replace")
            raise SystemExit(f"{self.contestant.name}: {command} on {self.name} failed: {said}")


def tallied(table: str) -> int:
    """The sum of the column "calls" in what strace -c wrote."""
    rows = [line.split() for line in table.splitlines()]
    return sum(int(row[3]) for row in rows if len(row) > 4 and row[0][0].isdigit() and row[-1] != "total")
