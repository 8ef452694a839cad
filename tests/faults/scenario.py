"""What is done while a fault strikes: the attachments before, the call that is hit, and what follows."""

import json
from enum import Enum
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

NETWORK = "faults"
VICTIM = "victim"
NEIGHBOUR = "neighbour"
TORN = "torn"
IPV4 = ("10.88.0.0/28", "10.88.0.1", "10.88.0.9")
IPV6 = ("fd00:88::/124", "fd00:88::1", "fd00:88::9")


class Next(Enum):
    """What the node does after the call that was hit."""

    DEL = "a DEL of the same attachment, as runtimes send it"
    NEIGHBOUR = "no DEL, but the ADD of another container"


class Scenario(NamedTuple):
    """One situation.

    `others` is how many leases of other containers are there before; `torn`: an ADD that was killed half way
    through came before, and the call that is hit is the first that can put it right.
    """

    name: str
    command: str
    ranges: tuple[tuple[str, str, str], ...]
    others: int
    then: Next = Next.DEL
    kills_only: bool = False
    torn: bool = False
    extra: tuple[tuple[str, str], ...] = ()

    def config(self, directory: Path) -> bytes:
        """The network configuration on the plugin's stdin; `extra` keys are ours alone, Go ignores them."""
        sets = [[{"subnet": subnet, "rangeEnd": end}] for subnet, _, end in self.ranges]
        ipam = {"type": "host-local", "dataDir": str(directory), "ranges": sets, **dict(self.extra)}
        return json.dumps({"cniVersion": "1.0.0", "name": NETWORK, "type": "bridge", "ipam": ipam}).encode()

    def addresses(self) -> list[set[str]]:
        """Per range set: every address that may be handed out."""
        found = []
        for subnet, gateway, end in self.ranges:
            hosts = [str(host) for host in ip_network(subnet).hosts()]
            found.append(set(hosts[: hosts.index(end) + 1]) - {gateway})
        return found


FULL = (("durability", "full"),)
SCENARIOS = (
    Scenario("first ADD", "ADD", (IPV4,), others=0),
    Scenario("ADD beside 5 leases", "ADD", (IPV4,), others=5),
    Scenario("dual-stack ADD", "ADD", (IPV4, IPV6), others=1),
    Scenario("dual-stack ADD, then another's", "ADD", (IPV4, IPV6), 1, then=Next.NEIGHBOUR, kills_only=True),
    Scenario("ADD after a half ADD", "ADD", (IPV4, IPV6), 1, Next.NEIGHBOUR, kills_only=True, torn=True),
    Scenario("DEL", "DEL", (IPV4,), others=2),
    Scenario("dual-stack DEL", "DEL", (IPV4, IPV6), others=1),
    Scenario("DEL after a half ADD", "DEL", (IPV4, IPV6), others=1, torn=True),
    Scenario("dual-stack ADD, synced", "ADD", (IPV4, IPV6), others=1, extra=FULL),
    Scenario("dual-stack DEL, synced", "DEL", (IPV4, IPV6), others=1, extra=FULL),
)
