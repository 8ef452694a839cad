"""ipam export, import and audit: on a node's own stores, and on files that nodes have sent."""

import csv
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from ipam.audit.finding import RULES
from ipam.audit.records import Held
from ipam.audit.source import SnapshotFile
from ipam.cli import ipam
from ipam.model import Host
from tests.audit.cluster import Cluster
from tests.audit.node import HOSTILE, Node, run
from tests.audit.test_signing import make_key

Capture = pytest.CaptureFixture[bytes]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with ten containers."""
    node = Node(tmp_path)
    node.fill(10)
    return node


def test_an_export_has_what_the_store_has(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    node.call("DEL", "c3")
    path = tmp_path / "snapshot.jsonl.xz"
    assert run(capfdbinary, "export", *node.options, "--with-history", "-o", path) == (0, "", "")
    with SnapshotFile(path).open() as reading:
        found = list(reading.records())
        (network,) = reading.header.networks
    assert (network.name, network.shared) == ("net", False)
    assert network.range_sets is not None
    assert [len(each.ranges) for each in network.range_sets] == [1]
    kinds = [type(each).__name__ for each in found]
    assert (kinds.count("Held"), kinds.count("Chained")) == (9, 11)


def test_an_export_to_stdout_is_the_snapshot_alone(node: Node, capfdbinary: Capture) -> None:
    status, out, err = run(capfdbinary, "export", *node.options)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [line["kind"] for line in lines] == ["snapshot", *["lease"] * 10, "end"]


def test_an_import_restores_the_lease_files(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    path, other = tmp_path / "s.gz", tmp_path / "restored"
    run(capfdbinary, "export", *node.options, "-o", path)
    assert run(capfdbinary, "import", path, "--store", other, "--dry-run")[2] == "net: 10 leases would be restored\n"
    assert not other.exists()
    assert run(capfdbinary, "import", path, "--store", other) == (0, "", "net: 10 leases restored\n")
    before = node.files()
    node.data = other
    assert node.files() == before
    status, out, _ = run(capfdbinary, "export", "--store", other, "--conf-dir", node.conf, "--with-history")
    events = [json.loads(line) for line in out.splitlines() if '"kind":"event"' in line]
    assert status == 0
    assert {event["cause"] for event in events} == {"import"}


def test_an_import_into_a_store_with_leases_is_refused(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    path = tmp_path / "s.gz"
    run(capfdbinary, "export", *node.options, "-o", path)
    status, _, err = run(capfdbinary, "import", path, "--store", node.data)
    assert status == 1
    assert "network net has leases" in err


def test_what_was_imported_goes_on_where_it_stood(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    path = tmp_path / "s.gz"
    run(capfdbinary, "export", *node.options, "-o", path)
    run(capfdbinary, "import", path, "--store", tmp_path / "restored")
    again = Node(tmp_path / "again", dataDir=str(tmp_path / "restored"))
    assert again.call("ADD", "next")["ips"][0]["address"] == "10.30.0.12/24"


@pytest.mark.parametrize("adopt", [False, True])
def test_leases_of_another_boot_stay_only_when_they_are_adopted(
    tmp_path: Path, capfdbinary: Capture, *, adopt: bool
) -> None:
    node = Node(tmp_path)
    node.call("ADD", "old", host=Host("another", "an-earlier-boot", lambda: 1.7e9))
    path, restored = tmp_path / "s.gz", tmp_path / "restored"
    run(capfdbinary, "export", *node.options, "-o", path)
    run(capfdbinary, "import", path, "--store", restored, *(["--adopt"] if adopt else []))
    again = Node(tmp_path / "again", dataDir=str(restored))
    again.data = restored
    again.call("ADD", "new")
    assert len(again.files()) == 1 + adopt


def test_a_damaged_snapshot_restores_nothing(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    path = tmp_path / "s.jsonl"
    run(capfdbinary, "export", *node.options, "-o", path)
    path.write_bytes(path.read_bytes().replace(b"web-3", b"web-4"))
    status, _, err = run(capfdbinary, "import", path, "--store", tmp_path / "restored")
    assert (status, f"import: {path}: line 12: the digest is another" in err) == (1, True), err
    assert not (tmp_path / "restored").exists()


def test_a_signature_is_asked_for_where_a_key_is_given(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    private, public = make_key(tmp_path, "key")
    bare, signed = tmp_path / "bare.gz", tmp_path / "signed.gz"
    run(capfdbinary, "export", *node.options, "-o", bare)
    run(capfdbinary, "export", *node.options, "-o", signed, "--sign-key", private)
    assert run(capfdbinary, "audit", signed, "--key", public, "--fail-on", "error")[0] == 0
    status, out, _ = run(capfdbinary, "audit", bare, "--key", public, "--fail-on", "error")
    assert (status, "it is not signed" in out) == (3, True)
    assert run(capfdbinary, "import", bare, "--key", public, "--store", tmp_path / "restored")[0] == 1
    assert run(capfdbinary, "import", signed, "--key", public, "--store", tmp_path / "restored")[0] == 0


def test_an_audit_of_the_store_finds_what_one_of_its_snapshot_finds(
    node: Node, tmp_path: Path, capfdbinary: Capture
) -> None:
    node.call("ADD", "old", host=Host("renamed", "an-earlier-boot", time.time))
    path = tmp_path / "s.gz"
    run(capfdbinary, "export", *node.options, "--with-history", "-o", path)
    here = json.loads(run(capfdbinary, "audit", *node.options, "-o", "json")[1])
    there = json.loads(run(capfdbinary, "audit", path, "-o", "json")[1])
    assert [each["code"] for each in here["findings"]] == ["A07"]
    assert here == there


@pytest.fixture
def snapshots(tmp_path: Path) -> list[Path]:
    """Snapshots of a small cluster with a fault of each kind."""
    cluster = Cluster(30, leases=3)
    cluster.plant(each=1)
    for node in cluster.nodes:
        for lease in node.held["pods"][:1]:
            lease.pod.name = HOSTILE[node.number % len(HOSTILE)]
    return [node.write(tmp_path) for node in cluster.nodes]


@pytest.mark.parametrize(("severity", "status"), [("error", 3), ("warning", 3), ("note", 3)])
def test_fail_on_counts_what_is_as_bad_or_worse(
    snapshots: list[Path], capfdbinary: Capture, severity: str, status: int
) -> None:
    assert run(capfdbinary, "audit", *snapshots, "--max-age", "99999d", "--fail-on", severity)[0] == status
    assert run(capfdbinary, "audit", *snapshots)[0] == 0


def test_a_healthy_node_fails_on_nothing(node: Node, capfdbinary: Capture) -> None:
    status, out, err = run(capfdbinary, "audit", *node.options, "--fail-on", "note")
    assert (status, out, err) == (0, "1 node, 1 network, 10 leases, 10 events: no findings\n", "")


def test_every_form_tells_the_same_findings(snapshots: list[Path], capfdbinary: Capture) -> None:
    forms = {form: run(capfdbinary, "audit", *snapshots, "-o", form)[1] for form in ("json", "csv", "sarif", "table")}
    codes = [each["code"] for each in json.loads(forms["json"])["findings"]]
    assert codes == sorted(codes, key=lambda code: (severity_of(code), code))
    assert [row["code"] for row in csv.DictReader(forms["csv"].splitlines())] == codes
    assert [each["ruleId"] for each in json.loads(forms["sarif"])["runs"][0]["results"]] == codes
    assert [line.split()[1] for line in forms["table"].splitlines() if line[:1] in "ewn"] == codes


def severity_of(code: str) -> int:
    """0 for an error, and so on."""
    (rule,) = [rule for rule in RULES.values() if rule.code == code]
    return ["error", "warning", "note"].index(rule.severity)


def test_nothing_that_a_pod_is_called_reaches_a_terminal(snapshots: list[Path], capfdbinary: Capture) -> None:
    for form in ("table", "csv", "json", "sarif"):
        out = run(capfdbinary, "audit", *snapshots, "-o", form)[1]
        assert not {"\x1b", "\u202e"} & set(out)


def test_the_commands_that_help_are_understood(snapshots: list[Path], capfdbinary: Capture) -> None:
    findings = json.loads(run(capfdbinary, "audit", *snapshots, "-o", "json")[1])["findings"]
    given = {each["help"].partition("  # ")[0] for each in findings if each["help"].startswith("ipam ")}
    assert len({command.split()[1] for command in given}) >= 6
    group = click.Context(ipam, **ipam.context_settings)
    for command in given - {"ipam validate CONFLIST"}:
        _, name, *arguments = shlex.split(command)
        found = ipam.get_command(group, name)
        assert found is not None
        found.make_context(name, arguments, parent=group)


def test_the_findings_in_the_readme_are_those_of_the_code() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for rule in RULES.values():
        assert f"| {rule.code} | {rule.name} | {rule.severity} | {rule.meaning} |\n" in readme


@pytest.mark.parametrize("to", ["directory", "sqlite"])
def test_history_and_cursors_come_along(node: Node, tmp_path: Path, capfdbinary: Capture, to: str) -> None:
    url = {"directory": str(tmp_path / "restored"), "sqlite": f"sqlite:///{tmp_path}/ipam.db"}[to]
    for name in ("c9", "c8", "c2"):
        node.call("DEL", name)
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    run(capfdbinary, "export", *node.options, "--with-history", "-o", before)
    assert run(capfdbinary, "import", before, "--store", url) == (0, "", "net: 7 leases restored\n")
    run(capfdbinary, "export", "--store", url, "--conf-dir", node.conf, "--with-history", "-o", after)
    assert after.read_text().splitlines()[1:-1] == before.read_text().splitlines()[1:-1]
    again = Node(tmp_path / "again", store=url) if to == "sqlite" else Node(tmp_path / "again", dataDir=url)
    if to == "sqlite":
        del again.plugin["ipam"]["dataDir"]  # type: ignore[attr-defined]
    assert again.call("ADD", "next")["ips"][0]["address"] == "10.30.0.12/24"
    assert run(capfdbinary, "verify", "--store", url, "--conf-dir", node.conf)[0] == 0


def test_a_history_is_not_imported_twice(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    for number in range(10):
        node.call("DEL", f"c{number}")
    path, restored = tmp_path / "s.jsonl", tmp_path / "restored"
    run(capfdbinary, "export", *node.options, "--with-history", "-o", path)
    assert run(capfdbinary, "import", path, "--store", restored)[0] == 0
    status, _, err = run(capfdbinary, "import", path, "--store", restored)
    assert (status, "network net has a history already" in err) == (1, True)
    assert len(json.loads(run(capfdbinary, "history", "--store", restored, "-o", "json")[1])) == 20


def test_a_snapshot_is_whole_while_others_write(node: Node, tmp_path: Path, capfdbinary: Capture) -> None:
    script = "import sys; from tests.audit.node import busy; busy(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], cwd=Path(__file__).parents[2]) as writer:
        try:
            for turn in range(8):
                path = tmp_path / f"s{turn}.jsonl.gz"
                assert run(capfdbinary, "export", *node.options, "--with-history", "-o", path)[0] == 0
                with SnapshotFile(path).open() as reading:
                    held = [each.lease.address for each in reading.records() if isinstance(each, Held)]
                    assert reading.header.networks[0].verdict is not None
                    assert reading.header.networks[0].verdict.problems == ()
                assert 10 <= len(set(held)) == len(held) <= 14
                assert run(capfdbinary, "audit", path, "--fail-on", "note")[0] == 0
        finally:
            writer.terminate()
    assert run(capfdbinary, "verify", *node.options)[0] == 0


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("jinja2", ["report", "-o", "report.html"]),
        ("prometheus_client", ["metrics"]),
        ("cryptography", ["export", "--sign-key", "key"]),
        ("cryptography", ["verify", "--key", "key", "/dev/null"]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_package_that_is_missing_is_told_with_what_installs_it(
    node: Node, monkeypatch: pytest.MonkeyPatch, capfdbinary: Capture, package: str, words: list[str]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package or name == "ipam.audit.metrics"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delattr("ipam.audit.metrics", raising=False)
    status, out, err = run(capfdbinary, *words, *node.options)
    assert (status, out) == (1, "")
    assert err.startswith(f"ipam {words[0]}: needs {package}")
    assert err.endswith(f": {sys.prefix}/bin/pip install 'ipam-cni[audit]'\n")
