"""The frames in Python: what was encoded is decoded, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam import frame
from ipam.frame import FrameError


def texts(without: bytes) -> st.SearchStrategy[str]:
    """What the environment can have: any bytes but these."""
    some = st.binary(max_size=40).map(lambda raw: raw.translate(None, without))
    return some.map(lambda raw: raw.decode("utf-8", "surrogateescape"))


NAMES = texts(b"\0=").map("CNI_".__add__)
TEXTS = texts(b"\0")


@given(st.dictionaries(NAMES, TEXTS, max_size=5), st.binary(max_size=200))
def test_a_request_is_decoded_as_it_was_encoded(env: dict[str, str], stdin: bytes) -> None:
    whole = frame.encode_request(env, stdin)
    assert frame.payload_length(whole, frame.REQUEST_LIMIT) == len(whole) - frame.PREFIX
    assert frame.decode_request(whole[frame.PREFIX :]) == (frame.PROTOCOL, env, stdin)


@given(st.integers(0, 255), st.binary(max_size=200), st.binary(max_size=200))
def test_a_reply_is_decoded_as_it_was_encoded(exit_code: int, stdout: bytes, stderr: bytes) -> None:
    whole = frame.encode_reply(exit_code, stdout, stderr)
    assert frame.payload_length(whole, frame.REPLY_LIMIT) == len(whole) - frame.PREFIX
    assert frame.decode_reply(whole[frame.PREFIX :]) == (frame.PROTOCOL, exit_code, stdout, stderr)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_frame_or_a_frame_error(payload: bytes) -> None:
    for decode in (frame.decode_request, frame.decode_reply):
        try:
            assert decode(payload)[0] == payload[0]
        except FrameError:
            continue


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01A=b", b"\x01A=b\0", b"\x01A=b\0stdin"])
def test_a_request_whose_variables_do_not_end_is_none(payload: bytes) -> None:
    with pytest.raises(FrameError):
        frame.decode_request(payload)


@pytest.mark.parametrize(
    "payload", [b"", b"\x01", b"\x01\0", b"\x01\0\0\0\0", b"\x01\0\0\0\0\x01", b"\x01\0\xff\xff\xff\xff"]
)
def test_a_reply_that_is_shorter_than_it_says_is_none(payload: bytes) -> None:
    with pytest.raises(FrameError):
        frame.decode_reply(payload)


def test_of_another_protocol_only_what_stays_the_same_is_read() -> None:
    assert frame.decode_request(b"\x02anything") == (2, {}, b"")
    assert frame.decode_reply(b"\x02\xffanything") == (2, frame.REFUSED, b"", b"")


def test_the_first_of_two_variables_counts_and_one_without_a_value_does_not() -> None:
    payload = b"\x01CNI_A=1\0CNI_B\0CNI_A=2\0CNI_C==\0\0\0stdin\0"
    assert frame.decode_request(payload) == (1, {"CNI_A": "1", "CNI_C": "="}, b"\0stdin\0")


def test_the_length_is_checked_before_anything_is_read() -> None:
    assert frame.payload_length(b"\0\0\0\x05", 5) == 5
    for prefix in (b"", b"\0\0\0", b"\0\0\0\0", b"\0\0\0\x06", b"\xff\xff\xff\xff"):
        with pytest.raises(FrameError):
            frame.payload_length(prefix, 5)


def test_what_is_too_long_is_not_sent() -> None:
    longest = "a" * (frame.VARIABLES_LIMIT - 2 - len("CNI_A=") - 1)
    whole = frame.encode_request({"CNI_A": longest}, bytes(frame.STDIN_LIMIT))
    assert len(whole) == frame.PREFIX + frame.REQUEST_LIMIT
    with pytest.raises(FrameError):
        frame.encode_request({"CNI_A": longest + "a"}, b"")
    with pytest.raises(FrameError):
        frame.encode_request({}, bytes(frame.STDIN_LIMIT + 1))
    with pytest.raises(FrameError):
        frame.encode_reply(0, bytes(frame.REPLY_LIMIT - 5))


@pytest.mark.parametrize("name", ["", "CNI=A", "CNI\0A"])
def test_what_can_be_no_variable_is_not_sent(name: str) -> None:
    with pytest.raises(FrameError):
        frame.encode_request({name: "x"}, b"")
