"""Snapshots: what goes in comes out, and what is not what was written is refused, with the place."""

import gzip
import lzma
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipam.address import format_address
from ipam.audit import files
from ipam.audit.records import Chained, Held, NetworkInfo, Resting
from ipam.audit.snapshot import Damaged, Header, Reader, Record, encode
from ipam.audit.source import SnapshotFile
from ipam.model import CLAIM, DROP, IPV4, IPV6, Address, Attachment, Event, Lease, Pod, Range, RangeSet
from tests.audit.cluster import Cluster

texts = st.text(max_size=20)
times = st.floats(0, 4e9)
# An IPv4-mapped address is the IPv4 address that it carries, so that there is no such IPv6 address.
addresses = st.integers(0, 2**32 - 1).map(lambda value: Address(IPV4, value)) | st.integers(2**64, 2**128 - 1).map(
    lambda value: Address(IPV6, value)
)
attachments, pods = st.builds(Attachment, texts, texts), st.builds(Pod, texts, texts, texts)
leases = st.builds(Lease, addresses, attachments, st.none() | st.integers(0, 9), pods, times, texts, texts)
names = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)
events = st.builds(Event, times, texts, names, st.sampled_from([CLAIM, DROP]), leases, texts, texts)
records = st.lists(
    st.builds(Held, names, leases) | st.builds(Resting, names, addresses, times) | st.builds(Chained, events, texts)
)
FOUR = Range(IPV4, 0xA000000, 24, 0xA000001, 0xA0000FE, Address(IPV4, 0xA000001))
SIX = Range(IPV6, 1 << 124, 64, (1 << 124) + 9, (1 << 124) + 99, Address(IPV6, 1))
NETWORKS = (
    NetworkInfo("net", (RangeSet(0, (FOUR,)),), shared=False, boots={"node": "boot"}),
    NetworkInfo("six", (RangeSet(0, (SIX,)),), shared=True, boots={"node": "boot", "other": "b2"}),
    NetworkInfo("unknown", None, shared=False, boots={}),
)
HEADER = Header("node", "boot", 1_700_000_000.5, "file:///x", NETWORKS)


def read(lines: list[bytes]) -> tuple[Header, list[Record]]:
    """The header and all records."""
    reader = Reader(lines)
    return reader.header, list(reader.records())


@settings(max_examples=60)
@given(records)
def test_what_goes_in_comes_out(given_records: list[Record]) -> None:
    assert read(list(encode(HEADER, given_records))) == (HEADER, given_records)


def test_names_that_are_no_text_come_back_as_they_were() -> None:
    lease = Lease(Address(IPV4, 1), Attachment("c\udc80\x1b[31m", "\u202e"), 0, Pod("\0", "</script>"))
    assert read(list(encode(HEADER, [Held("net", lease)])))[1] == [Held("net", lease)]


@pytest.fixture
def lines() -> list[bytes]:
    """A snapshot of 30 leases and as many events."""
    header, found = Cluster(1, leases=30).nodes[0].snapshot(history=True)
    return list(encode(header, found))


def damage(lines: list[bytes]) -> str:
    """What the reader says of them."""
    with pytest.raises(Damaged) as raised:
        read(lines)
    return str(raised.value)


def test_a_changed_byte_is_noticed_wherever_it_is(lines: list[bytes]) -> None:
    for place in range(1, len(lines) - 1):
        changed = [*lines[:place], lines[place].replace(b'"uid-', b'"uld-'), *lines[place + 1 :]]
        assert damage(changed) == f"line {len(lines)}: the digest is another: something before this line was changed"


def test_a_missing_line_and_two_that_changed_places_are_noticed(lines: list[bytes]) -> None:
    assert "the digest is another" in damage([*lines[:5], *lines[6:]])
    assert "the digest is another" in damage([*lines[:5], lines[6], lines[5], *lines[7:]])


def test_a_snapshot_that_was_cut_off_says_where(lines: list[bytes]) -> None:
    assert damage(lines[:-1]) == f"line {len(lines) - 1}: it ends here, without its last line: the file was cut off"
    assert damage([*lines[:7], lines[7][:-9]]) == "line 8: it ends here, in the middle of a line: the file was cut off"
    assert damage([]) == "line 1: it ends here, in the middle of a line: the file was cut off"


def test_what_stands_behind_the_end_is_refused(lines: list[bytes]) -> None:
    assert "more behind the end" in damage([*lines, lines[3]])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"kind":"lease","network":"n","address":"10.0.0.300"}', "address is '10.0.0.300', no address"),
        (b'{"kind":"lease","network":"n","address":7}', "address is 7, no text"),
        (b'{"kind":"lease","address":"10.0.0.3"}', "network is '', no text"),
        (b'{"kind":"lease","network":"n","address":"10.0.0.3","since":NaN}', "since is nan, no time"),
        (b'{"kind":"lease","network":"n","address":"10.0.0.3","since":true}', "since is True, no time"),
        (b'{"kind":"lease","network":"n","address":"10.0.0.3","pod":["x"]}', "pod is ['x'], no text"),
        (b'{"kind":"event","network":"n","address":"10.0.0.3","what":"moved"}', "what is 'moved', not claim or drop"),
        (b'{"kind":"wish"}', "unknown kind 'wish'"),
        (b"[1]", "no JSON object"),
        (b"{", "no JSON"),
        (b'{"kind":' + b"[" * 100_000, "no JSON"),
    ],
)
def test_a_line_that_is_no_record_is_named(lines: list[bytes], line: bytes, said: str) -> None:
    assert damage([lines[0], line + b"\n", *lines[1:]]) == f"line 2: {said}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"kind":"snapshot","schema":2}', "schema 2; this ipam reads 1: upgrade it"),
        (b'{"some":"JSON"}', "no snapshot of ipam: it does not begin with a header"),
        (b'{"kind":"snapshot","schema":1,"networks":[]}', "bad header: 'time'"),
        (b'{"kind":"snapshot","schema":1,"networks":[{}],"time":1}', "bad header: boots is no object"),
        (b'{"kind":"snapshot","schema":1,"networks":[],"time":1e999}', "bad header: time is inf"),
    ],
)
def test_a_file_of_another_kind_is_named(line: bytes, said: str) -> None:
    assert damage([line + b"\n"]) == f"line 1: {said}"


@pytest.mark.parametrize("suffix", ["", ".jsonl", ".gz", ".xz"])
def test_a_file_is_compressed_as_its_name_says(tmp_path: Path, lines: list[bytes], suffix: str) -> None:
    path = tmp_path / f"snapshot{suffix}"
    files.write(path, lines)
    unpack = {".gz": gzip.decompress, ".xz": lzma.decompress}.get(suffix, bytes)
    assert unpack(path.read_bytes()) == b"".join(lines)
    with SnapshotFile(path).open() as reading:
        assert [reading.header, *reading.records()] == [read(lines)[0], *read(lines)[1]]
    first = path.read_bytes()
    files.write(path, lines)
    assert path.read_bytes() == first


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_compressed_file_that_was_cut_off_is_damaged(
    tmp_path: Path, lines: list[bytes], suffix: str, keep: float
) -> None:
    path = tmp_path / f"snapshot{suffix}"
    files.write(path, lines)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(Damaged), SnapshotFile(path).open() as reading:
        list(reading.records())


def test_a_snapshot_is_for_its_owner_alone_and_appears_at_once(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "snapshot.gz"

    def interrupted() -> list[bytes]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write(path, (each for part in (lambda: lines, interrupted) for each in part()))
    assert list(tmp_path.iterdir()) == []
    files.write(path, lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["snapshot.gz"]


def test_a_small_file_that_unpacks_to_a_large_one_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b" " * (40 << 20)))
    with path.open("rb") as file:
        pieces = [len(piece) for piece in files.inflated(file, ".gz")]
    assert max(pieces) <= 1 << 20
    with pytest.raises(Damaged, match="a line is longer"), SnapshotFile(path).open():
        pass


def test_leases_come_in_address_order() -> None:
    _, found = Cluster(1, leases=30).nodes[0].snapshot(history=False)
    held = [record.lease.address for record in found if isinstance(record, Held)]
    assert held == sorted(held)
    assert format_address(held[0]) == "10.0.0.2"
