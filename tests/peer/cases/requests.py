"""Requested addresses: CNI_ARGS IP=, args.cni.ips and runtimeConfig.ips, alone and together."""

from tests.peer.cases import V4, V6, Case, add, check, conf, delete, one, sets
from tests.peer.comparison import Json


def _each(ips: object, *, code: int = 0, **expected: object) -> Case:
    """The same list through both keys of the config, for one attachment each."""
    ways: list[Json] = [{"args": {"cni": {"ips": ips}}}, {"runtimeConfig": {"ips": ips}}]
    steps: Case = []
    for way in ways:
        steps += [add(conf(**way), code=code, **expected), delete(conf(**({} if code else way)))]
    return steps


_TWO_SETS = sets(one(V4), one("10.0.1.0/24"))
_RANGE = sets(one(V4, rangeStart="10.0.0.10", rangeEnd="10.0.0.20"))

CASES: dict[str, Case] = {
    "IP= an address": [add(args="IP=10.0.0.5"), check(args="IP=10.0.0.5"), delete(args="IP=10.0.0.5")],
    "IP= with the subnet's length": [add(args="IP=10.0.0.5/24")],
    "IP= with another length": [add(args="IP=10.0.0.5/8")],
    "IP= with a length too long": [add(args="IP=10.0.0.5/99", code=4)],
    "IP= empty": [add(args="IP=")],
    "IP= no address": [add(args="IP=x", code=4)],
    "IP= two addresses": [add(args="IP=10.0.0.5,10.0.0.6", code=4)],
    "IP= with leading zeros": [add(args="IP=10.0.0.05", code=4)],
    "IP= IPv4-mapped": [add(args="IP=::ffff:10.0.0.5")],
    "IP= of IPv6": [add(conf(sets(one(V4), one(V6))), args="IP=FD00::0:5")],
    "IP= twice, the last counts": [add(args="IP=10.0.0.5;IP=10.0.0.6")],
    "IP= before IgnoreUnknown": [add(args="IP=10.0.0.5;MAC=0a:58:0a:00:00:05;IgnoreUnknown=1")],
    "ip= is another key": [add(args="ip=10.0.0.5", code=4)],
    "the config asks for an address": _each(["10.0.0.5"]),
    "the config asks for an address with a length": _each(["10.0.0.5/24"]),
    "the config asks for an address with another length": _each(["10.0.0.5/8"]),
    "the config asks for an IPv4-mapped address": _each(["::ffff:10.0.0.5"]),
    "the config asks for an address twice": _each(["10.0.0.5", "10.0.0.5/24"]),
    "the config asks for none": _each([]),
    "the config asks for null": _each(None),
    "the config asks for a list of null": _each([None], code=7, differs="null-in-a-list", says="ips"),
    "the config asks for an empty text": _each([""], code=7, differs="decoder-wording", says="ips"),
    "the config asks for no address": _each(["x"], code=7),
    "the config asks for a length too long": _each(["10.0.0.5/99"], code=7),
    "the config asks for a length below nothing": _each(["10.0.0.5/-1"], code=7),
    "the config asks for the gateway": _each(["10.0.0.1"], code=104),
    "the config asks for nine of one set": [
        add(
            conf(runtimeConfig={"ips": [f"10.0.0.{number}" for number in range(5, 14)]}),
            code=104,
            differs=("failed-add-leaves-no-trace", "first-request-first"),
            says="failed to allocate all requested IPs: 10.0.0.6 10.0.0.7 10.0.0.8",
        ),
    ],
    "outside every subnet": [
        add(args="IP=10.9.0.5", code=104, differs="failed-add-leaves-no-trace"),
        add(differs="failed-add-leaves-no-trace", gives=("10.0.0.2/24",)),
    ],
    "the network's address": [add(args="IP=10.0.0.0", code=104, differs="failed-add-leaves-no-trace")],
    "the broadcast address": [add(args="IP=10.0.0.255", code=104, differs="failed-add-leaves-no-trace")],
    "in the subnet but not in the range": [
        add(conf(_RANGE), args="IP=10.0.0.9", code=104, differs="failed-add-leaves-no-trace"),
        add(conf(_RANGE), args="IP=10.0.0.20"),
        add(conf(_RANGE), container="b"),
    ],
    "of the other family": [add(args="IP=fd00::5", code=104, differs="failed-add-leaves-no-trace")],
    "held by another": [
        add(container="a"),
        add(container="b", args="IP=10.0.0.2", code=101),
        delete(container="a"),
    ],
    "held by another interface of the container": [add(), add(ifname="eth1", args="IP=10.0.0.2", code=101)],
    "released, then asked for": [
        add(args="IP=10.0.0.5"),
        delete(args="IP=10.0.0.5"),
        add(container="b", args="IP=10.0.0.5"),
    ],
    "the round robin goes on behind a requested address": [
        add(container="a"),
        add(container="b", args="IP=10.0.0.100"),
        add(container="c"),
    ],
    "one for the second of two sets": [add(conf(_TWO_SETS), args="IP=10.0.1.9")],
    "one for each of two sets": [add(conf(_TWO_SETS, runtimeConfig={"ips": ["10.0.1.9", "10.0.0.9"]}))],
    "one for each of two families": [
        add(conf(sets(one(V4), one(V6)), runtimeConfig={"ips": ["10.0.0.9/24", "fd00::9/64"]}))
    ],
    "one good, one nowhere": [
        add(
            conf(runtimeConfig={"ips": ["10.0.0.9", "10.9.0.9"]}),
            code=104,
            differs="failed-add-leaves-no-trace",
        ),
    ],
    "the second of two sets has it leased": [
        add(conf(_TWO_SETS), container="a"),
        add(
            conf(_TWO_SETS),
            container="b",
            args="IP=10.0.1.2",
            code=101,
            differs="failed-add-leaves-no-trace",
        ),
        add(
            conf(_TWO_SETS),
            container="b",
            differs="failed-add-leaves-no-trace",
            gives=("10.0.0.3/24", "10.0.1.3/24"),
        ),
    ],
    "the same in all three ways": [
        add(
            conf(args={"cni": {"ips": ["10.0.0.5"]}}, runtimeConfig={"ips": ["10.0.0.5/24"]}),
            args="IP=10.0.0.5",
        )
    ],
    "one way for each set": [
        add(conf(sets(one(V4), one(V6)), runtimeConfig={"ips": ["fd00::5"]}), args="IP=10.0.0.5"),
    ],
    "args and runtimeConfig for a set each": [
        add(conf(_TWO_SETS, runtimeConfig={"ips": ["10.0.1.5"]}, args={"cni": {"ips": ["10.0.0.5"]}})),
    ],
    "CNI_ARGS beside args that ask for the same set": [
        add(
            conf(args={"cni": {"ips": ["10.0.0.5"]}}),
            args="IP=10.0.0.6",
            differs="args-before-cni-args",
            gives=("10.0.0.5/24",),
        )
    ],
    "a request again for what one holds": [
        add(args="IP=10.0.0.5"),
        add(args="IP=10.0.0.5", code=101),
        check(),
    ],
    "a request for another address than one holds": [
        add(args="IP=10.0.0.5"),
        add(
            args="IP=10.0.0.6",
            code=103,
            differs="second-add-with-a-request",
            says="10.0.0.5 has been allocated to c1, duplicate allocation is not allowed",
        ),
    ],
    "a failed second ADD in two sets": [
        add(conf(_TWO_SETS)),
        add(
            conf(_TWO_SETS),
            args="IP=10.0.0.9",
            code=103,
            differs=("second-add-with-a-request", "rollback-frees-the-living"),
            says="10.0.0.2 has been allocated",
        ),
    ],
}
