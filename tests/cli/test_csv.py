"""CSV is for programs: it has what JSON has, numbers as numbers, and nothing where there is nothing."""

import json

import pytest

from tests.cli.node import ONE_STORE, Node

LISTINGS = [["leases"], ["history"], ["who", "10.203.0.2"], ["gc", "--all"], ["usage"], ["networks"], ["check"]]


@pytest.fixture
def filled(node: Node) -> Node:
    """A network of three leases, one of them outside of the range by now."""
    node.configure("10.203.0.0/28")
    for name in ("c1", "c2", "c3"):
        node.add(name, "10.203.0.0/28")
    node.configure("10.203.0.0/30")
    return node


@ONE_STORE
@pytest.mark.parametrize("words", LISTINGS, ids=lambda words: words[0])
def test_csv_has_the_columns_that_json_has(filled: Node, words: list[str]) -> None:
    rows = json.loads(filled.run(*words, "-o", "json").out)
    columns = filled.run(*words, "-o", "csv").csv()
    assert len(columns) == len(rows) > 0
    assert set(columns[0]) == set(rows[0])


@ONE_STORE
def test_what_is_not_there_is_an_empty_cell(filled: Node) -> None:
    rows = filled.run("gc", "--all", "-o", "csv").csv()
    assert [row["action"] for row in rows] == ["", "", ""]
    assert filled.run("gc", "--all").table()[0][5] == "-"


@ONE_STORE
def test_shares_and_spans_are_plain_numbers(filled: Node) -> None:
    filled.delete("c3")
    filled.configure("10.203.0.0/28")
    (row,) = filled.run("usage", "-o", "csv").csv()
    (same,) = filled.run("usage", "-o", "json").json()
    assert float(row["used"]) == same["used"] == 0.1538
    assert float(row["exhausted_in"]) == pytest.approx(same["exhausted_in"], rel=0.1)
    assert (row["size"], row["last_hour"]) == ("13", "2")
