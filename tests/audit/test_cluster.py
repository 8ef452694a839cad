"""What an audit finds in a cluster with planted faults: all of them, and nothing else."""

import shlex
from collections import Counter
from pathlib import Path

import pytest

from ipam.audit.auditing import Audit, audit
from ipam.audit.finding import RULES, Finding
from ipam.audit.source import SnapshotFile, Taken
from tests.audit.cluster import NOW, Cluster

KINDS_PLANTED = set(RULES)


def found(result: Audit) -> Counter[tuple[str, tuple[str, ...]]]:
    """How often each rule was found on which nodes."""
    return Counter((each.rule.name, each.nodes) for each in result.findings)


def audited(cluster: Cluster, directory: Path, **limits: object) -> Audit:
    """The audit of a cluster by its files."""
    paths = [node.write(directory) for node in cluster.nodes]
    return audit(map(SnapshotFile, paths), cluster.limits(**limits))


def test_a_healthy_cluster_has_no_findings(tmp_path: Path) -> None:
    result = audited(Cluster(20), tmp_path)
    assert (result.nodes, result.networks, result.leases, result.events) == (20, 1, 5000, 5000)
    assert not result.findings


def test_every_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    cluster = Cluster(90, leases=40)
    cluster.plant(each=4)
    more = cluster.plant_files(tmp_path, each=4)
    paths = [*more, *(node.write(tmp_path) for node in cluster.nodes)]
    result = audit(map(SnapshotFile, paths), cluster.limits())
    seen = found(result)
    assert {rule for rule, _ in cluster.expected} == KINDS_PLANTED
    assert set(seen) == cluster.expected
    assert seen.pop(("snapshot-damaged", ())) == 4
    assert set(seen.values()) == {1}


@pytest.fixture
def planted(tmp_path: Path) -> dict[str, list[Finding]]:
    """The findings of a small cluster with a fault of each kind, by rule."""
    cluster = Cluster(30, leases=5)
    cluster.plant(each=1)
    findings: dict[str, list[Finding]] = {}
    for finding in audited(cluster, tmp_path).findings:
        findings.setdefault(finding.rule.name, []).append(finding)
    return findings


def test_a_duplicate_says_since_when_and_who(planted: dict[str, list[Finding]]) -> None:
    (finding,) = planted["duplicate-address"]
    (fact,) = finding.evidence
    assert finding.subject == "172.16.0.10"
    assert (fact["from"], fact["until"]) == (NOW - 3 * 86_400, None)
    assert [holder["node"] for holder in fact["holders"]] == ["node-0000", "node-0001"]


def test_a_past_duplicate_says_from_when_to_when(planted: dict[str, list[Finding]]) -> None:
    (finding,) = planted["duplicate-address-past"]
    (fact,) = finding.evidence
    assert (fact["from"], fact["until"]) == (NOW - 4.5 * 86_400, NOW - 4 * 86_400)


def test_overlapping_ranges_are_named(planted: dict[str, list[Finding]]) -> None:
    between_networks, between_nodes = sorted(planted["overlapping-ranges"], key=lambda each: len(each.nodes))
    assert between_nodes.subject == "192.168.0.101-192.168.0.126"
    assert "networks edge and rack" in between_networks.message


def test_a_network_that_nodes_keep_to_themselves_collides_with_nothing(tmp_path: Path) -> None:
    cluster = Cluster(2, leases=5)
    for node in cluster.nodes:
        node.base = cluster.nodes[0].base
        node.networks = cluster.nodes[0].networks
        node.held["pods"] = [lease.replace(address=one.address) for lease, one in
                             zip(node.held["pods"], cluster.nodes[0].held["pods"], strict=True)]  # fmt: skip
        node.events["pods"] = []
    shared = found(audited(cluster, tmp_path))
    assert shared == {("duplicate-address", ("node-0000", "node-0001")): 5,
                      ("overlapping-ranges", ("node-0000", "node-0001")): 1}  # fmt: skip
    assert not audited(cluster, tmp_path, local=frozenset({"pods"})).findings


def test_what_helps_can_be_pasted_whatever_a_node_or_network_is_called(tmp_path: Path) -> None:
    cluster = Cluster(30, leases=3)
    for node in cluster.nodes:
        node.name += "; touch /tmp/x $(id) `id`\nid"
    cluster.plant(each=1)
    cluster.expected.clear()
    taken = [Taken(node.name, *node.snapshot(history=True)) for node in cluster.nodes]
    findings = audit(taken, cluster.limits()).findings
    assert len({finding.rule.name for finding in findings}) == len(RULES) - 2
    for finding in findings:
        command, _, comment = finding.help.partition("  # ")
        assert shlex.split(command)[0] in {"ipam", "timedatectl"}
        assert "\n" not in comment
        assert not {"$(id)", "`id`", ";"} & set(shlex.split(command))
