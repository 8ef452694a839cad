"""Every command on every store, empty and with leases, in every form, in a pipe and on a terminal."""

import json

import pytest

from tests.cli.node import NAME, Node
from tests.cli.test_output import PLAIN, shown

LISTING = {
    "networks": [],
    "leases": [],
    "history": [],
    "usage": [],
    "who": ["10.203.0.2"],
    "gc": ["--all"],
    "check": [],
}


@pytest.mark.parametrize("leases", [0, 3])
def test_every_listing_command_answers_in_every_form(node: Node, leases: int) -> None:
    path = node.configure()
    for number in range(leases):
        node.add(f"c{number}")
    expected = {"networks": 1, "usage": 1, "check": 0, "who": min(leases, 1)}
    for command, words in LISTING.items():
        count, code = expected.get(command, leases), 3 if command == "who" and not leases else 0
        table, comma = node.run(command, *words), node.run(command, *words, "-o", "csv")
        rows = node.run(command, *words, "-o", "json")
        assert (table.code, comma.code, rows.code) == (code, code, code), command
        assert len(table.out.splitlines()) == (count + 1 if count or command not in ("who", "check") else 0), command
        assert len(comma.csv()) == len(json.loads(rows.out)) == count, command
    drawn = json.loads(node.run("map", NAME, "-o", "json").out)["ranges"]
    assert drawn[0]["cells"].count("#") == leases
    (told,) = json.loads(node.run("explain", str(path), "-o", "json").out)
    assert told["leases"] == [{"address": f"10.203.0.{2 + leases}", "range_set": 0}]


@pytest.mark.parametrize("leases", [0, 3])
def test_on_a_terminal_the_same_is_told(node: Node, leases: int) -> None:
    node.configure()
    for number in range(leases):
        node.add(f"c{number}")
    code, text = shown(node.arguments("leases"))
    lines = [line.rstrip() for line in PLAIN.sub("", text).splitlines()]
    assert (code, lines) == (0, node.run("leases").out.splitlines())
