"""A store that nodes share: looked at directly it gives the findings that its nodes' snapshots give, none twice."""

from pathlib import Path

import pytest

from ipam import allocator
from ipam.audit import files
from ipam.audit.auditing import Audit, audit
from ipam.audit.live import LiveStores
from ipam.audit.report.gathering import Gathered
from ipam.audit.snapshot import encode
from ipam.audit.source import SnapshotFile
from ipam.audit.survey import Limits
from ipam.inspection.sites import Site
from ipam.model import NO_POD, Attachment, Host, Network, Pod, StoreConfig
from ipam.registry import open_store
from ipam.store import Store
from ipam.testing.fixtures import network, small_range
from tests.sql.cluster import Cluster

NET = "shared"
NOW = 1_800_000_000.0


class Nodes:
    """Three nodes with a lease or more each; node-1 has been rebooted since it made one of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.network = Network(NET, network(small_range(10)).range_sets)
        for number in range(3):
            for turn in range(2):
                self.add(number, f"c{number}-{turn}")
        self.add(1, "rebooted", boot="an-earlier-boot")
        boot = self.host(1).boot
        self.change(lambda tx: tx.begin_boot("node-1", boot))
        self.add(0, "moved", Pod("default", "moved"))
        self.add(2, "moved-too", Pod("default", "moved"))

    def host(self, number: int, boot: str = "") -> Host:
        """A node."""
        return Host(f"node-{number}", boot or f"boot-{number}", lambda: NOW)

    def open(self, number: int) -> Store:
        """The store, as that node opens it."""
        return open_store(StoreConfig(self.url, lock_timeout=30), self.host(number))

    def change(self, action: object) -> None:
        """One transaction."""
        store = self.open(0)
        try:
            store.transact(NET, action)  # type: ignore[arg-type]
        finally:
            store.close()

    def add(self, number: int, name: str, pod: Pod = NO_POD, boot: str = "") -> None:
        """What ADD does on a node."""
        host, who = self.host(number, boot), Attachment(name, "eth0")
        self.change(lambda tx: allocator.allocate(tx, self.network, who, pod, host))

    def source(self, number: int, store: Store) -> LiveStores:
        """The store as a node sees it."""
        return LiveStores([Site(NET, self.url, store, self.network)], self.host(number))

    def audited(self) -> Audit:
        """The audit of the store itself."""
        store = self.open(0)
        try:
            return audit([self.source(0, store)], Limits(NOW))
        finally:
            store.close()

    def audited_by_snapshots(self, directory: Path) -> Audit:
        """The audit of a snapshot of each node."""
        sources = []
        for number in range(3):
            store, path = self.open(number), directory / f"node-{number}.jsonl.gz"
            source = self.source(number, store)
            files.write(path, encode(source.header, source.records()))
            store.close()
            sources.append(SnapshotFile(path))
        return audit(sources, Limits(NOW))


@pytest.fixture
def nodes(postgresql: Cluster) -> Nodes:
    """Nodes on a real server."""
    return Nodes(postgresql.store())


def test_the_store_itself_gives_the_findings_of_its_nodes_snapshots(nodes: Nodes, tmp_path: Path) -> None:
    direct, collected = nodes.audited(), nodes.audited_by_snapshots(tmp_path)
    assert direct.leases == collected.leases == 9
    assert [each.to_json() for each in direct.findings] == [each.to_json() for each in collected.findings]
    assert [(each.rule.name, each.nodes) for each in direct.findings] == [
        ("range-set-exhausted", ()),
        ("pod-on-two-nodes", ("node-0", "node-2")),
        ("leaked-by-boot", ("node-1",)),
    ]


def test_a_shared_range_overlaps_with_nothing(nodes: Nodes, tmp_path: Path) -> None:
    collected = nodes.audited_by_snapshots(tmp_path)
    assert not {"overlapping-ranges", "duplicate-address"} & {each.rule.name for each in collected.findings}


def test_a_report_of_it_has_every_lease_once_with_its_own_node(nodes: Nodes, tmp_path: Path) -> None:
    data = Gathered(nodes.audited_by_snapshots(tmp_path)).data()
    held = [data["words"]["node"][number] for number in data["leases"]["node"]]
    assert sorted(held) == ["node-0"] * 3 + ["node-1"] * 3 + ["node-2"] * 3
    assert len(set(data["leases"]["address"])) == 9
