"""JSON as Go writes it and as RFC 8259 has it: round trips, layout, and what is no JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.errors import Undecodable
from ipam.jsontext import LIMIT, decode, encode, pretty, string, to_bytes

_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
GO_ESCAPES = {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}
GO_ESCAPES |= {"\\b": r"\u0008", "\\f": r"\u000c"}  # which json.dumps writes in two characters


def as_go(text: str) -> str:
    """What json.dumps wrote, with what Go escapes beyond it."""
    out, place = [], 0
    while place < len(text):
        pair = text[place : place + 2]
        taken = pair if pair[0] == "\\" else pair[0]
        out.append(GO_ESCAPES.get(taken, taken))
        place += len(taken)
    return "".join(out)


@given(values)
def test_what_is_encoded_is_decoded_again(value: Any) -> None:
    assert decode(to_bytes(encode(value))) == value
    assert decode(to_bytes(pretty(value))) == value


@given(values)
def test_the_layout_is_that_of_four_spaces(value: Any) -> None:
    assert pretty(value) == as_go(json.dumps(value, indent=4, ensure_ascii=False))


@given(values)
def test_the_compact_form_has_no_space_between(value: Any) -> None:
    assert encode(value) == as_go(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


@given(values, st.text(alphabet=" \t\r\n"), st.text(alphabet=" \t\r\n"))
def test_what_json_writes_is_decoded(value: Any, before: str, behind: str) -> None:
    assert decode(f"{before}{json.dumps(value, ensure_ascii=False)}{behind}".encode()) == value
    assert decode(f"{before}{json.dumps(value)}{behind}".encode()) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_undecodable(data: bytes) -> None:
    try:
        value = decode(data)
    except Undecodable as error:
        assert error.code == 6
        assert error.msg.startswith("error unmarshall network config: ")
        return
    assert value == json.loads(data.decode())


@given(st.text())
def test_a_string_escapes_what_a_line_or_a_page_could_stumble_over(text: str) -> None:
    shown = string(text)
    assert not {"\n", "\r", "\t", "\0", "\x1b", "<", ">", "&", "\u2028", "\u2029"} & set(shown)
    assert json.loads(shown) == text


def test_a_lone_surrogate_becomes_its_escape() -> None:
    assert to_bytes(encode({"a": "\udcff\ud800"})) == rb'{"a":"\udcff\ud800"}'


def test_empty_containers_stay_on_one_line() -> None:
    assert pretty({"dns": {}, "ips": []}) == '{\n    "dns": {},\n    "ips": []\n}'


def test_a_tuple_is_a_list() -> None:
    assert encode((1, (2, "x"))) == '[1,[2,"x"]]'


NO_JSON = ["", " ", "{", "}", "[1,]", '{"a":1,}', "{1:2}", "{'a':1}", "tru", "True", "None", "nul", "01", "+1", ".5"]
NO_JSON += ["1.", "1e", "-", "0x1", "NaN", "-NaN", "Infinity", "-Infinity", "1 2", "{}{}", "[] x", '"', '"\n"']
NO_JSON += ['"\t"', '"\\x"', '"\\u12"', "\ufeff{}", "\u00a0{}", "{}\u00a0", "{}\0", "\x0c{}", "/**/{}", "[1 2]"]
NO_JSON += ['{"a" 1}', '{"a":}', "[,]", "[" * 100_000]


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_json_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable, match="error unmarshall network config: "):
        decode(text.encode())


@pytest.mark.parametrize(
    "data", [b"\xff", b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'{"a":"\xe4"}', b"{}\xff", '{"a":1}'.encode("utf-16")]
)
def test_what_is_not_utf_8_is_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable, match="not UTF-8 at byte"):
        decode(data)


def test_depth_is_bounded_and_configs_are_far_from_the_bound() -> None:
    assert decode(b"[" * 500 + b"]" * 500) is not None
    for depth in (5_000, 50_000, LIMIT // 2):
        with pytest.raises(Undecodable, match="nested too deeply"):
            decode(b"[" * depth + b"]" * depth)
        with pytest.raises(Undecodable):
            decode(b'{"":' * (depth // 4))


def test_length_is_bounded() -> None:
    assert decode(b"5".ljust(LIMIT)) == 5
    with pytest.raises(Undecodable, match="longer than 1 MiB"):
        decode(b"5".ljust(LIMIT + 1))


def test_numbers_of_any_length_are_read() -> None:
    assert decode(b"1" * 4_000) == int("1" * 4_000)
    assert decode(b"1" * 100_000) == float("inf")
    assert decode(b"-" + b"1" * 100_000) == float("-inf")
    assert decode(b"1e400") == float("inf")


def test_the_last_of_two_equal_keys_counts() -> None:
    assert decode(b'{"a":1,"a":2}') == {"a": 2}
