"""Snapshots that nobody exported: refused in a line, and nothing outside the store is touched."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ipam.cli import main
from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store

Json = dict[str, Any]

LEASE: Json = {
    "kind": "lease", "network": "net", "address": "10.9.0.5", "container": "c1", "ifname": "eth0", "range_set": 0,
    "node": "n1", "since": 1.0, "boot": "b",
}  # fmt: skip
EVENT: Json = {**LEASE, "kind": "event", "time": 1.0, "what": "claim", "cause": "add", "claimed_in": "b"}
NET: Json = {"name": "net", "shared": False, "boots": {}, "range_sets": None}
VERDICT: Json = {"events": 1, "chained": 1, "forgotten": 0, "last": "", "problems": []}


def snapshot(path: Path, *records: Json, **header: Any) -> Path:
    """A file whose digest is right, whatever is in it."""
    head = {
        "kind": "snapshot", "schema": 1, "version": "1", "node": "n1", "boot": "b", "time": 1.0, "store": "s",
        "networks": [NET], **header,
    }  # fmt: skip
    lines = [json.dumps(value).encode() + b"\n" for value in (head, *records)]
    kinds = [record["kind"] for record in records]
    digest = sha256(b"".join(lines)).hexdigest()
    end = {"kind": "end", "leases": kinds.count("lease"), "events": kinds.count("event"), "sha256": digest}
    path.write_bytes(b"".join(lines) + json.dumps(end).encode() + b"\n")
    return path


@pytest.fixture(params=["directory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {"directory": f"file://{tmp_path}/store/networks", "sqlite": f"sqlite:///{tmp_path}/store/ipam.db"}[
        request.param
    ]


@pytest.mark.parametrize("name", ["../evil", "/evil", ".ipam", "a/b", "a\0b", "\ud800", "a" * 300, "\x1b[2J"])
def test_a_network_whose_name_cannot_be_one_is_not_imported(
    name: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = snapshot(tmp_path / "s", {**LEASE, "network": name}, networks=[{**NET, "name": name}])
    with pytest.raises(SystemExit) as ended:
        main(["import", str(path), "--store", url])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert (said.startswith(f"ipam import: {path}: line 1: "), "network name" in said) == (True, True), said
    assert list(tmp_path.rglob("*")) == [path]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([{**LEASE, "container": "a\r\nb"}], "containerID"),
        ([{**LEASE, "container": ""}], "containerID"),
        ([{**LEASE, "ifname": "../x"}], "interface name"),
        ([{**LEASE, "pod": "p" * 5000}], "too long"),
        ([{**EVENT, "container": "a\nb"}], "containerID"),
        ([{**EVENT, "note": "x" * 5000}], "too long"),
        ([LEASE, {**LEASE, "container": "c2"}], "two leases on 10.9.0.5"),
    ],
)
def test_a_record_that_nobody_can_have_made_is_not_imported(
    records: list[Json], why: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = snapshot(tmp_path / "s", *records)
    with pytest.raises(SystemExit) as ended:
        main(["import", str(path), "--store", url])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert (said.startswith(f"ipam import: {path}: line {1 + len(records)}: "), why in said) == (True, True), said
    assert list(tmp_path.rglob("*")) == [path]


@pytest.mark.parametrize("number", [10**30, -1, True, "0", 0.5])
def test_a_range_set_that_cannot_be_one_is_none(number: object, url: str, tmp_path: Path) -> None:
    path = snapshot(tmp_path / "s", {**LEASE, "range_set": number}, {**EVENT, "range_set": number})
    main(["import", str(path), "--store", url])
    store = open_store(StoreConfig(url), this_host())
    assert [lease.range_set for lease in store.leases("net")] == [None]
    store.close()


@pytest.mark.parametrize(
    "header",
    [
        {"time": 10**400},
        {"networks": [{**NET, "history": {**VERDICT, "events": float("inf")}}]},
        {"networks": [{**NET, "history": {**VERDICT, "problems": [{"event": float("inf"), "place": "", "why": ""}]}}]},
    ],
)
@pytest.mark.parametrize("command", [["verify"], ["audit", "--fail-on", "note"]])
def test_a_number_that_is_none_is_told_as_damage(
    command: list[str], header: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*command, str(snapshot(tmp_path / "s", LEASE, **header))])
    said = capsys.readouterr()
    assert "bad header" in said.out + said.err
