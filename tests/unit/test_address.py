"""Addresses as text: what Go's net package reads and prints, held against Python's ipaddress where the two agree."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.address import format_address, format_cidr, network_of, parse_address, parse_cidr
from ipam.model import IPV4, IPV6, WIDTH, Address

MAPPED = range(0xFFFF << 32, 0x10000 << 32)


def ipv4(text: str) -> Address:
    return Address(IPV4, int(ipaddress.IPv4Address(text)))


def ipv6(text: str) -> Address:
    return Address(IPV6, int(ipaddress.IPv6Address(text)))


# Numbers with runs of zeros, which is where IPv6 has its rules.
_groups = st.lists(st.one_of(st.just(0), st.integers(0, 0xFFFF)), min_size=8, max_size=8)
ipv4_numbers = st.integers(0, (1 << 32) - 1)
ipv6_numbers = st.one_of(
    st.integers(0, (1 << 128) - 1), _groups.map(lambda groups: sum(g << 16 * i for i, g in enumerate(groups)))
).filter(lambda number: number not in MAPPED)
addresses = st.one_of(ipv4_numbers.map(lambda n: Address(IPV4, n)), ipv6_numbers.map(lambda n: Address(IPV6, n)))


@given(ipv4_numbers)
def test_ipv4_is_written_as_ipaddress_writes_it(number: int) -> None:
    assert format_address(Address(IPV4, number)) == str(ipaddress.IPv4Address(number))


@given(ipv6_numbers)
def test_ipv6_is_written_as_ipaddress_writes_it(number: int) -> None:
    assert format_address(Address(IPV6, number)) == str(ipaddress.IPv6Address(number))


@given(addresses)
def test_what_is_written_is_read_back(address: Address) -> None:
    assert parse_address(format_address(address)) == address


@given(ipv6_numbers)
def test_ipv6_is_read_in_every_spelling(number: int) -> None:
    whole = ipaddress.IPv6Address(number)
    head, tail = whole.exploded.rsplit(":", 2)[0], ipaddress.IPv4Address(number & 0xFFFFFFFF)
    for text in (whole.exploded, whole.exploded.upper(), whole.compressed.upper(), f"{head}:{tail}"):
        assert parse_address(text) == Address(IPV6, number), text


@given(ipv4_numbers)
def test_an_ipv4_mapped_address_is_the_ipv4_address_in_it(number: int) -> None:
    dotted = ipaddress.IPv4Address(number)
    for text in (f"::ffff:{dotted}", f"::FFFF:{number >> 16:x}:{number & 0xFFFF:x}", f"0:0:0:0:0:ffff:{dotted}"):
        assert parse_address(text) == Address(IPV4, number), text


@st.composite
def nearly_addresses(draw: st.DrawFn) -> str:
    """An address with a character or two added, changed or left out."""
    text = format_address(draw(addresses))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place] + draw(st.sampled_from([*"0123456789abfF:. ", ""])) + text[place + draw(st.integers(0, 1)) :]
        )
    return text


@given(nearly_addresses())
def test_what_ipaddress_reads_is_read_and_nothing_else(text: str) -> None:
    address = parse_address(text)
    try:
        theirs = ipaddress.ip_address(text)
    except ValueError:
        assert address is None
        return
    if isinstance(theirs, ipaddress.IPv6Address):
        theirs = theirs.ipv4_mapped or theirs
    assert address == (theirs.version, int(theirs))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0", Address(IPV4, 0)),
        ("255.255.255.255", Address(IPV4, (1 << 32) - 1)),
        ("10.0.0.9", ipv4("10.0.0.9")),
        ("::", Address(IPV6, 0)),
        ("::1", Address(IPV6, 1)),
        ("1::", Address(IPV6, 1 << 112)),
        ("fd00:0:0:0:0:0:0:A", ipv6("fd00::a")),
        ("0fd0::00a", ipv6("fd0::a")),
        ("1:2:3:4:5:6:7::", ipv6("1:2:3:4:5:6:7:0")),
        ("::10.0.0.9", Address(IPV6, 0x0A000009)),
        ("64:ff9b::10.0.0.9", ipv6("64:ff9b::a00:9")),
        ("::fffe:10.0.0.9", ipv6("::fffe:a00:9")),
    ],
)
def test_what_go_reads_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


REFUSED = ["x", "10", "10.0.0", "10.0.0.0.0", "10.0.0.256", "10.0.0.-1", "10.0.0.+1", "10.0.0.1_0", "10.0.0."]
REFUSED += [".10.0.0", "10..0.1", "10.0.0.09", "010.0.0.1", "10.0.0.00", "0x0a.0.0.1", "10.0.0.1000", "0010.0.0.1"]
REFUSED += ["167772161", "10.0.0.9/24", "10,0.0.1", ":", ":::", "1", "1:", ":1", "1:2", "1:2:3:4:5:6:7"]
REFUSED += ["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "1:::2", "fd00::g", "12345::"]
REFUSED += ["::00001", "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8", "fd00::1%eth0", "fe80::1%1", "fd00::/64", "[::1]", "::1."]
REFUSED += ["::10.0.0", "::10.0.0.09", "::10.0.0.256", "10.0.0.1::", "::10.0.0.1:1", "1:2:3:4:5:6:7:10.0.0.1"]
REFUSED += ["::ffff:010.0.0.1", "::0x1", "::+1", "::-1", "::1_1"]
REFUSED += ["", " ", "10.0.0.9 ", " 10.0.0.9", "10.0.0.9\n", "10.0. 0.9", "::1\n", " ::1", ":: 1", "10.0.0.9\0"]
REFUSED += ["::1\0"]
REFUSED += ["10.0.0.\u0669", "\uff110.0.0.1", "10\u30020\u30020\u30021", "::\u0661", "::\uff46", "10.0.0.\u00b2"]
REFUSED += ["\udcff", "1\u0660.0.0.1"]


@pytest.mark.parametrize("text", REFUSED)
def test_what_go_refuses_is_refused(text: str) -> None:
    assert parse_address(text) is None
    assert parse_cidr(f"{text}/8") is None


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:0:0:2:0:0:0", "1::2:0:0:0"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"),
        ("0:0:2:3:4:5:6:7", "::2:3:4:5:6:7"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
        ("0:1:2:3:4:5:6:0", "0:1:2:3:4:5:6:0"),
        ("2001:DB8::00AB", "2001:db8::ab"),
        ("::a00:9", "::a00:9"),
    ],
)
def test_ipv6_is_written_as_rfc_5952_says(address: str, text: str) -> None:
    assert format_address(ipv6(address)) == text


@given(addresses, st.data())
def test_a_cidr_keeps_its_host_bits(address: Address, data: st.DataObject) -> None:
    prefix = data.draw(st.integers(0, WIDTH[address.family]))
    text = format_cidr(address, prefix)
    assert text == f"{format_address(address)}/{prefix}"
    assert parse_cidr(text) == (address, prefix)
    network = ipaddress.ip_network(text, strict=False)
    assert network_of(address, prefix) == int(network.network_address)


NO_CIDRS = ["10.0.0.0", "10.0.0.0/", "/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/2 4"]
NO_CIDRS += ["10.0.0.0/24/24", "10/8", "10.0.0.0/255.255.255.0", "10.0.0.0/0x8", "10.0.0.0/\u0668", "10.0.0.0/1_6"]
NO_CIDRS += ["10.0.0.0/24\n", "10.0.0.0/99999", "::/129", "::/128.0", "::ffff:10.0.0.0/24", "::ffff:10.0.0.0/120"]
NO_CIDRS += ["::ffff:a00:0/96", "fd00::%eth0/64"]


@pytest.mark.parametrize("text", NO_CIDRS)
def test_what_is_no_cidr_is_refused(text: str) -> None:
    assert parse_cidr(text) is None


@pytest.mark.parametrize(("text", "prefix"), [("10.0.0.0/08", 8), ("10.0.0.0/0", 0), ("10.0.0.0/024", 24)])
def test_a_length_may_have_leading_zeros_as_in_go(text: str, prefix: int) -> None:
    assert parse_cidr(text) == (ipv4("10.0.0.0"), prefix)
