"""The ranges of a config: the single form, `ranges` and `runtimeConfig.ipRanges`, checked as Go checks them."""

from __future__ import annotations

from ipam.address import MAPPED, MAPPED_END, format_address, format_cidr, network_of, parse_address, parse_cidr
from ipam.errors import InvalidConfig
from ipam.jsontext import quote
from ipam.model import IPV4, WIDTH, Address, Range, RangeSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.model import Value

MOST_SETS = 64
MOST_RANGES = 4096
_SINGLE_FORM = ("subnet", "rangestart", "rangeend", "gateway")

Object = dict[str, object]


def parse_range_sets(ipam: Object, runtime: Object, version: str) -> tuple[RangeSet, ...]:
    """All range sets in their effective order: ipRanges, the old single range, `ranges`.

    `ipam` and `runtime` are sections with their keys in lower case. Raises InvalidConfig.
    """
    raw = _lists(runtime, "ipranges", "runtimeConfig.ipRanges")
    if "subnet" in ipam:
        raw.append([{key: ipam[key] for key in _SINGLE_FORM if key in ipam}])
    raw += _lists(ipam, "ranges", "ipam.ranges")
    if not raw:
        raise InvalidConfig("no IP ranges specified", 'the ipam section needs "ranges", or "subnet"')
    if len(raw) > MOST_SETS or sum(map(len, raw)) > MOST_RANGES:
        raise InvalidConfig(
            f"too many IP ranges: {sum(map(len, raw))} in {len(raw)} range sets",
            f"at most {MOST_SETS} range sets (each yields one address) and {MOST_RANGES} ranges",
        )
    # All is read before anything is judged, as in Go, where the JSON decoder does the reading.
    written = [[_Written(item) for item in items] for items in raw]
    sets = tuple([_range_set(index, items) for index, items in enumerate(written)])
    _refuse_many_of_a_family(sets, version)
    _refuse_overlap(sets)
    return sets


def _lists(conf: Object, key: str, path: str) -> list[list[object]]:
    value = conf.get(key, [])
    if not isinstance(value, list):
        raise InvalidConfig(f"{path} must be a list of range sets, not {quote(value)}")
    for index, items in enumerate(value):
        if items is not None and not isinstance(items, list):
            raise InvalidConfig(f"{path}[{index}] must be a list of ranges, not {quote(items)}")
    return [items or [] for items in value]


class _Written:
    """A range as it is written: its addresses read, nothing judged yet."""

    def __init__(self, item: object) -> None:
        conf = item if item is not None else {}
        if not isinstance(conf, dict):
            raise InvalidConfig(f"a range must be an object with a subnet, not {quote(item)}")
        conf = {key.lower(): value for key, value in conf.items() if value is not None}
        self.subnet = _subnet(conf)
        self.start = _edge(conf, "rangeStart")
        self.end = _edge(conf, "rangeEnd")
        self.gateway = _edge(conf, "gateway")


def _range_set(index: int, items: list[_Written]) -> RangeSet:
    try:
        if not items:
            raise InvalidConfig("empty range set", "each range set needs a range with a subnet")
        ranges = tuple([part for item in items for part in _without_mapped(_range(item))])
        if len({rng.family for rng in ranges}) > 1:
            raise InvalidConfig("mixed address families", "put IPv4 and IPv6 ranges into sets of their own")
        pair = _overlapping([(rng, rng) for rng in ranges])
        if pair:
            raise InvalidConfig(f"subnets {_text(pair[0])} and {_text(pair[1])} overlap")
    except InvalidConfig as error:
        error.msg = f"invalid range set {index}: {error.msg}"
        raise
    return RangeSet(index, ranges)


def _range(written: _Written) -> Range:
    if written.subnet is None:
        raise InvalidConfig("IP <nil> not v4 nor v6", "a range needs a subnet such as 10.1.0.0/16")
    subnet, prefix = written.subnet
    family, width = subnet.family, WIDTH[subnet.family]
    shown = format_cidr(subnet, prefix)
    if prefix > width - 2:
        raise InvalidConfig(f"Network {shown} too small to allocate from", f"the longest prefix is /{width - 2}")
    first = network_of(subnet, prefix)
    if first != subnet.value:
        raise InvalidConfig(
            f"Network has host bits set. For a subnet mask of length {prefix} the network address is "
            f"{format_address(Address(family, first))}",
            f"subnet is {shown}",
        )
    last = first | (1 << width - prefix) - 1
    broadcast = last if family == IPV4 else None
    start, end = written.start, written.end
    for name, edge in (("RangeStart", start), ("RangeEnd", end)):
        if edge is not None and (edge.family != family or not first <= edge.value <= last):
            raise InvalidConfig(f"{name} {format_address(edge)} not in network {shown}")
    low = first + 1 if start is None else start.value
    high = (last if broadcast is None else last - 1) if end is None else end.value
    if low > high:
        name, blamed = ("RangeEnd", high) if start is None else ("RangeStart", low)
        raise InvalidConfig(
            f"{name} {format_address(Address(family, blamed))} not in network {shown}",
            f"the range would begin at {format_address(Address(family, low))}, behind its end "
            f"{format_address(Address(family, high))}",
        )
    gateway = written.gateway or Address(family, first + 1)
    if gateway.family != family or gateway.value == broadcast:
        raise InvalidConfig(
            f"gateway {format_address(gateway)} cannot serve network {shown}",
            "it must be of the subnet's family and not the broadcast address",
        )
    return Range(family, first, prefix, low, high, gateway)


def _without_mapped(rng: Range) -> list[Range]:
    """The range without ::ffff:0:0/96: whoever reads such an address takes it for one of IPv4, as Go does."""
    if rng.family == IPV4 or rng.end < MAPPED or rng.start > MAPPED_END:
        return [rng]
    parts = [(rng.start, MAPPED - 1), (MAPPED_END + 1, rng.end)]
    return [rng.replace(start=start, end=end) for start, end in parts if start <= end]


def _subnet(conf: Object) -> tuple[Address, int] | None:
    value = conf.get("subnet", "")
    if not isinstance(value, str):
        raise InvalidConfig(f"subnet must be a string such as 10.1.0.0/16, not {quote(value)}")
    if "subnet" not in conf:
        return None
    parsed = parse_cidr(value)
    if parsed is None:
        raise InvalidConfig(f"invalid CIDR address: {quote(value)[1:-1]}", "subnet is like 10.1.0.0/16")
    return parsed


def _edge(conf: Object, key: str) -> Address | None:
    value = conf.get(key.lower(), "")
    if not isinstance(value, str):
        raise InvalidConfig(f"{key} must be an address, not {quote(value)}")
    if not value:
        return None
    address = parse_address(value)
    if address is None:
        raise InvalidConfig(f"invalid IP address: {quote(value)[1:-1]}", f"as {key}")
    return address


def _refuse_many_of_a_family(sets: tuple[RangeSet, ...], version: str) -> None:
    families = [range_set.ranges[0].family for range_set in sets]
    if version in ("0.1.0", "0.2.0") and len(set(families)) < len(families):
        raise InvalidConfig(
            f"CNI version {version} does not support more than 1 address per family",
            f"there are {len(sets)} range sets; say cniVersion 0.3.0 or newer",
        )


def _refuse_overlap(sets: tuple[RangeSet, ...]) -> None:
    pair = _overlapping([(rng, range_set) for range_set in sets for rng in range_set.ranges])
    if pair:
        low, high = sorted([range_set.index for range_set in pair if isinstance(range_set, RangeSet)])
        raise InvalidConfig(f"range set {low} overlaps with {high}")


def _overlapping(owned: list[tuple[Range, Value]]) -> tuple[Value, Value] | None:
    """The owners of two ranges that share an address, the first such pair in the given order."""
    order = sorted([(rng.family, rng.start, rng.end) for rng, _ in owned])
    if all(order[i - 1][0] != order[i][0] or order[i - 1][2] < order[i][1] for i in range(1, len(order))):
        return None
    for place, (rng, owner) in enumerate(owned):
        for other, other_owner in owned[place + 1 :]:
            if rng.family == other.family and rng.start <= other.end and other.start <= rng.end:
                return owner, other_owner
    return None


def _text(rng: Value) -> str:
    if not isinstance(rng, Range):
        return repr(rng)
    return f"{format_address(Address(rng.family, rng.start))}-{format_address(Address(rng.family, rng.end))}"
