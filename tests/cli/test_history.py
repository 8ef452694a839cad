"""`ipam history`: what it tells, what it leaves out, and how it goes on."""

import json
import subprocess

import pytest

from ipam.model import Cause, Pod
from tests.cli.node import NAME, ONE_STORE, Node
from tests.cli.test_output import read_until, terminal


@pytest.fixture
def lived(node: Node) -> Node:
    """A node on which something has happened, a hundred seconds apart."""
    node.configure()
    for number, (what, name) in enumerate([("add", "c1"), ("add", "c2"), ("del", "c1"), ("add", "c3")]):
        node.now = 1_700_000_000.0 + 100 * number
        if what == "add":
            node.add(name, pod=Pod("default", f"pod-{name}"))
        else:
            node.delete(name)
    return node


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["add c1", "add c2", "del c1", "add c3"]),
        ([NAME], ["add c1", "add c2", "del c1", "add c3"]),
        (["--address", "10.203.0.2"], ["add c1", "del c1"]),
        (["--address", "10.203.0.2/31"], ["add c1", "add c2", "del c1"]),
        (["--pod", "default/pod-c2"], ["add c2"]),
        (["--container", "c1"], ["add c1", "del c1"]),
        (["--since", "1700000200"], ["del c1", "add c3"]),
        (["--until", "1700000200"], ["add c1", "add c2"]),
        (["--since", "1700000050", "--until", "1700000250"], ["add c2", "del c1"]),
    ],
)
def test_history_tells_what_is_asked_for(lived: Node, options: list[str], expected: list[str]) -> None:
    rows = lived.run("history", *options, "-o", "json").json()
    assert [f"{row['cause']} {row['container']}" for row in rows] == expected
    assert [
        f"{row['cause']} {row['container']}" for row in lived.run("history", *options, "-o", "csv").csv()
    ] == expected
    assert len(lived.run("history", *options).out.splitlines()) == len(expected) + 1


def test_histories_of_several_networks_are_merged_by_time(lived: Node) -> None:
    lived.now = 1_700_000_150.0
    lived.add("elsewhere", name="other")
    rows = lived.run("history", "-o", "json").json()
    assert [row["container"] for row in rows] == ["c1", "c2", "elsewhere", "c1", "c3"]


def test_the_zone_of_times_is_shown(lived: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lived.run("history").out.splitlines()[1]
    assert first.split()[2][0] in "+-"
    assert len(first.split()[2]) == 5


def test_notes_are_told(lived: Node) -> None:
    (lease,) = [each for each in lived.leases() if each.attachment.container_id == "c2"]
    lived.change(lambda tx: tx.drop(lease, Cause.RELEASE, "by root: gone"))
    assert lived.run("history", "-o", "json").json()[-1]["note"] == "by root: gone"


@pytest.mark.parametrize(
    ("url", "output"),
    [("directory", "csv"), ("directory", "table"), ("sqlite", "json"), ("postgresql", "json")],
    indirect=["url"],
)
def test_follow_goes_on_with_what_happens_and_tells_each_event_once(lived: Node, output: str) -> None:
    def container(line: str) -> str:
        return str(json.loads(line)["container"]) if output == "json" else line.replace(",", " ").split()[7]

    with lived.started("history", "--follow", "-o", output, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if output != "json":
            assert process.stdout.readline().lower().startswith("time")
        assert [container(process.stdout.readline()) for _ in range(4)] == ["c1", "c2", "c1", "c3"]
        lived.now = 1_700_001_000.0
        for name in ("c4", "c5", "c6"):  # all of one moment
            lived.add(name)
            assert container(process.stdout.readline()) == name


@pytest.mark.parametrize("url", ["directory", "sqlite"], indirect=True)
def test_follow_tells_what_a_clock_that_was_set_back_dates_before_what_was_told(lived: Node) -> None:
    with lived.started("history", "--follow", "-o", "json", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        names = [json.loads(process.stdout.readline())["container"] for _ in range(4)]
        told = {"c4": 1_700_001_000.0, "c5": 1_700_000_970.0, "c6": 1_700_000_980.0, "c7": 1_700_000_940.0}
        for name, lived.now in told.items():
            lived.add(name)
            names.append(json.loads(process.stdout.readline())["container"])
    assert names == ["c1", "c2", "c1", "c3", *told]


def test_follow_has_no_end(lived: Node) -> None:
    assert lived.run("history", "--follow", "--until", "now").code == 2


@ONE_STORE
def test_what_follows_is_as_short_on_a_terminal_as_what_was(node: Node) -> None:
    node.configure()
    node.add("0" * 64, pod=Pod("default", "web"))
    with terminal(node.arguments("history", "--follow")) as (fd, _):
        assert b"0" * 13 not in read_until(fd, b"eth0")
