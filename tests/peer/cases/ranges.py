"""Range sets: the forms they come in, what a range may be, what is refused."""

from tests.peer.cases import V4, V6, Case, add, check, conf, delete, one, sets
from tests.peer.comparison import Json


def _ok(*range_sets: Json | list[Json], **rest: object) -> Case:
    """Two attachments take an address each, then the first comes again."""
    config = conf(sets(*range_sets, **rest))
    return [
        add(config, container="a"),
        add(config, container="b"),
        check(config, container="a"),
        delete(config, container="a"),
        add(config, container="a"),
    ]


def _bad(*range_sets: Json | list[Json], differs: tuple[str, ...] = (), says: str | None = None) -> Case:
    return [add(conf(sets(*range_sets)), code=7, differs=differs, says=says)]


CASES: dict[str, Case] = {
    "one IPv4 subnet": _ok(one(V4)),
    "one IPv6 subnet": _ok(one(V6)),
    "dual stack": _ok(one(V4), one(V6)),
    "dual stack, IPv6 first": _ok(one(V6), one(V4)),
    "two IPv4 subnets": _ok(one(V4), one("10.0.1.0/24")),
    "three range sets": _ok(one(V4), one(V6), one("192.168.0.0/29")),
    "a set of two ranges": _ok([one("10.0.0.0/30"), one("10.0.1.0/30")]),
    "a set of two ranges of one subnet": _ok(
        [one(V4, rangeEnd="10.0.0.2"), one(V4, rangeStart="10.0.0.7", rangeEnd="10.0.0.8")]
    ),
    "two sets of one subnet": _ok(one(V4, rangeEnd="10.0.0.10"), one(V4, rangeStart="10.0.0.11")),
    "the higher range first": _ok([one("10.0.1.0/30"), one("10.0.0.0/30")]),
    "a /8": _ok(one("10.0.0.0/8")),
    "a /30": [add(conf(sets(one("10.0.0.0/30", gateway="10.0.0.2"))))],
    "a /126": _ok(one("fd00::/126")),
    "a /33 of IPv6": _ok(one("fd00::/33")),
    "a /64 in capitals, spelt in full": _ok(one("FD00:0:0:0::/64", rangeStart="FD00:0::A")),
    "rangeStart": _ok(one(V4, rangeStart="10.0.0.10")),
    "rangeEnd": _ok(one(V4, rangeEnd="10.0.0.10")),
    "rangeStart and rangeEnd": _ok(one(V4, rangeStart="10.0.0.10", rangeEnd="10.0.0.11")),
    "a range of one address": [
        add(conf(sets(one(V4, rangeStart="10.0.0.9", rangeEnd="10.0.0.9"))), container="a"),
        delete(conf(sets(one(V4, rangeStart="10.0.0.9", rangeEnd="10.0.0.9"))), container="a"),
        add(conf(sets(one(V4, rangeStart="10.0.0.9", rangeEnd="10.0.0.9"))), container="b"),
    ],
    "rangeStart at the gateway": _ok(one(V4, rangeStart="10.0.0.1")),
    "rangeStart at the network's address": _ok(one(V4, rangeStart="10.0.0.0")),
    "rangeStart IPv4-mapped": _ok(one(V4, rangeStart="::ffff:10.0.0.9")),
    "rangeStart and rangeEnd empty": _ok(one(V4, rangeStart="", rangeEnd="")),
    "rangeStart, rangeEnd and gateway null": _ok(one(V4, rangeStart=None, rangeEnd=None, gateway=None)),
    "rangeEnd at the broadcast address": _ok(one(V4, rangeStart="10.0.0.254", rangeEnd="10.0.0.255")),
    "rangeEnd at the last of IPv6": _ok(one("fd00::/126", rangeStart="fd00::2", rangeEnd="fd00::3")),
    "a gateway of one's own": _ok(one(V4, gateway="10.0.0.254")),
    "a gateway in the middle": _ok(one(V4, gateway="10.0.0.2")),
    "a gateway at the end of the range": _ok(one("10.0.0.0/29", rangeStart="10.0.0.4", gateway="10.0.0.6")),
    "a gateway outside the range": _ok(one(V4, rangeStart="10.0.0.9", gateway="10.0.0.3")),
    "a gateway outside the subnet": _ok(one(V4, gateway="10.9.0.1")),
    "a gateway that is link-local": _ok(one(V6, gateway="fe80::1")),
    "a gateway at the first address of IPv6": _ok(one(V6, gateway="fd00::")),
    "a gateway at the network's address": _ok(one(V4, gateway="10.0.0.0")),
    "a gateway IPv4-mapped": _ok(one(V4, gateway="::ffff:10.0.0.9")),
    "a gateway empty": _ok(one(V4, gateway="")),
    "a gateway each for two ranges": _ok([one("10.0.0.0/30", gateway="10.0.0.2"), one("10.0.1.0/30")]),
    "the old form": [add(conf({"subnet": V4})), delete(conf({"subnet": V4}))],
    "the old form with all keys": [
        add(conf({"subnet": V4, "rangeStart": "10.0.0.9", "rangeEnd": "10.0.0.20", "gateway": "10.0.0.3"}))
    ],
    "the old form comes before ranges": [add(conf({"subnet": V4, "ranges": [[one("10.1.0.0/24")]]}))],
    "the old form without a subnet is none": [add(conf({"rangeStart": "10.0.0.9", "ranges": [[one(V4)]]}))],
    "the old form null": [
        add(conf({"subnet": None, "ranges": [[one(V4)]]}), differs="null-is-absent", gives=("10.0.0.2/24",))
    ],
    "the old form empty": [
        add(conf({"subnet": "", "ranges": [[one(V4)]]}), code=7, says="subnet"),
    ],
    "ipRanges come before both": [
        add(
            conf(
                {"subnet": V4, "gateway": "10.0.0.3", "ranges": [[one("10.1.0.0/24")]]},
                runtimeConfig={"ipRanges": [[one("10.2.0.0/24")], [one(V6)]]},
            )
        )
    ],
    "ipRanges alone": [
        add(conf({}, runtimeConfig={"ipRanges": [[one(V4)]]})),
        delete(conf({}, runtimeConfig={"ipRanges": [[one(V4)]]})),
    ],
    "ipRanges null": [add(conf(runtimeConfig={"ipRanges": None}))],
    "ipRanges empty": [add(conf(runtimeConfig={"ipRanges": []}))],
    "ipRanges with an empty set": [add(conf(runtimeConfig={"ipRanges": [[]]}), code=7)],
    "ipRanges that overlap the config's": [add(conf(runtimeConfig={"ipRanges": [[one("10.0.0.0/25")]]}), code=7)],
    "ipRanges with host bits": [add(conf(runtimeConfig={"ipRanges": [[one("10.9.0.1/24")]]}), code=7)],
    "no range set": _bad(),
    "an empty set": _bad([]),
    "a set null": [add(conf({"ranges": [None]}), code=7)],
    "a range null": [add(conf({"ranges": [[None]]}), code=7, says="subnet")],
    "a range without a subnet": _bad({}),
    "a subnet empty": _bad(one(""), says="subnet"),
    "host bits": _bad(one("10.0.0.1/24")),
    "host bits of IPv6": _bad(one("fd00::1:0/64")),
    "host bits in the second set": _bad(one(V4), one("10.1.0.1/24")),
    "a /31": _bad(one("10.0.0.0/31")),
    "a /32": _bad(one("10.0.0.0/32")),
    "a /127": _bad(one("fd00::/127")),
    "a /128": _bad(one("fd00::/128")),
    "a subnet without a length": _bad(one("10.0.0.0")),
    "a length too long": _bad(one("10.0.0.0/33")),
    "a length below nothing": _bad(one("10.0.0.0/-1")),
    "a length missing": _bad(one("10.0.0.0/")),
    "a length with leading zeros": _ok(one("10.0.0.0/024")),
    "a mask for a length": _bad(one("10.0.0.0/255.255.255.0")),
    "a subnet with a space": _bad(one(" 10.0.0.0/24")),
    "a subnet with leading zeros": _bad(one("010.0.0.0/24")),
    "a subnet with a zone": _bad(one("fe80::%eth0/64")),
    "a subnet IPv4-mapped, its length of IPv6": _bad(
        one("::ffff:10.0.0.0/120"), differs=("decoder-wording",), says="::ffff:10.0.0.0/120"
    ),
    "a subnet IPv4-mapped, its length of IPv4": _bad(
        one("::ffff:10.0.0.0/24"), differs=("decoder-wording",), says="::ffff:10.0.0.0/24"
    ),
    "rangeStart no address": _bad(one(V4, rangeStart="x")),
    "rangeStart with a length": _bad(one(V4, rangeStart="10.0.0.9/24")),
    "rangeStart with leading zeros": _bad(one(V4, rangeStart="10.0.0.09")),
    "rangeStart with a zone": _bad(one(V6, rangeStart="fd00::2%eth0")),
    "rangeStart outside": _bad(one(V4, rangeStart="10.0.1.1")),
    "rangeStart of the other family": _bad(one(V4, rangeStart="fd00::1")),
    "rangeEnd outside": _bad(one(V4, rangeEnd="10.0.1.1")),
    "rangeEnd of the other family": _bad(one(V4, rangeEnd="fd00::1")),
    "rangeEnd at the network's address": _bad(one(V4, rangeEnd="10.0.0.0")),
    "rangeStart behind rangeEnd": _bad(one(V4, rangeStart="10.0.0.20", rangeEnd="10.0.0.10")),
    "rangeStart at the broadcast address": _bad(
        one(V4, rangeStart="10.0.0.255"), differs=("range-start-at-broadcast",), says="10.0.0.255"
    ),
    "a range of the broadcast address": _ok(one("10.0.0.0/30", rangeStart="10.0.0.2", rangeEnd="10.0.0.3")),
    "a gateway no address": _bad(one(V4, gateway="x")),
    "a gateway with a length": _bad(one(V4, gateway="10.0.0.1/24")),
    "a gateway at the broadcast address": _bad(one(V4, gateway="10.0.0.255"), differs=("gateway",), says="gateway"),
    "a gateway of the other family": _bad(one(V4, gateway="fd00::1"), differs=("gateway",), says="gateway"),
    "mixed families in a set": _bad([one(V4), one(V6)]),
    "a range twice in a set": _bad([one(V4), one(V4)]),
    "ranges that overlap in a set": _bad([one(V4, rangeEnd="10.0.0.9"), one(V4, rangeStart="10.0.0.9")]),
    "sets that overlap": _bad(one(V4), one("10.0.0.0/25")),
    "the second and third set overlap": _bad(one(V4), one("10.0.1.0/24"), one("10.0.1.0/28")),
    "all of IPv4": [add(conf({"subnet": "0.0.0.0/0"}), differs="all-addresses", gives=("0.0.0.2/0",))],
    "all of IPv6": [add(conf({"subnet": "::/0"}), differs="all-addresses", gives=("::2/0",))],
}
