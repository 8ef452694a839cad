"""What a result says besides addresses: routes and dns."""

from tests.peer.cases import V4, V6, Case, add, conf, delete, one, sets
from tests.peer.comparison import SHARED_DIR, Json

RESOLV_CONFS = {
    "good": b"nameserver 1.1.1.1\nnameserver 8.8.8.8\nsearch a.b c.d\ndomain x.y\noptions ndots:5 rotate\n",
    "comments": b"# no\n; no\nnameserver 1.1.1.1 # yes\n nameserver\t2.2.2.2\n#nameserver 3.3.3.3\n",
    "tabs": b"\tnameserver\t1.1.1.1\t\n\nsearch\ta\tb\nsearch c\ndomain d\ndomain e\n",
    "crlf": b"nameserver 1.1.1.1\r\nsearch a\r\n",
    "empty": b"",
    "junk": b"nameserver\nfoo bar\nNameserver 1.1.1.1\nnameserver x\noptions\n",
    "unended": b"nameserver 1.1.1.1",
    "markup": b"search <a>&b \xe2\x80\xa8c\n",
    "spaces": b"nameserver\x0b9.9.9.9\nsearch\x1cx\nsearch y\xc2\xa0z\n",
    "bytes": b"nameserver \xff\n",
    "long": b"search " + b"a" * 70_000 + b"\n",
}
"""Written into SHARED_DIR under these names."""


def _routes(*routes: Json | None, versions: tuple[str, ...] = ("1.0.0", "0.4.0", "0.2.0"), **expected: object) -> Case:
    steps: Case = []
    for version in versions:
        config = conf(sets(one(V4), one(V6), routes=list(routes)), version)
        steps += [add(config, **expected), delete(config)]
    return steps


def _bad_routes(*routes: Json | None, **expected: object) -> Case:
    config = conf({"subnet": V4, "routes": list(routes)})
    return [add(config, code=7, **expected)]


def _dns(name: str, *, versions: tuple[str, ...] = ("1.0.0", "0.4.0", "0.2.0")) -> Case:
    steps: Case = []
    for version in versions:
        config = conf({"subnet": V4, "resolvConf": f"{SHARED_DIR}/{name}"}, version)
        steps += [add(config), delete(config)]
    return steps


_ALL_FIELDS = {"dst": "10.1.0.0/16", "mtu": 1400, "advmss": 1360, "priority": 5, "table": 0, "scope": 0}


def _printed(version: str) -> Json:
    """The result with every field of a route, as newer versions of Go's print it."""
    return {
        "cniVersion": version,
        "ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1"}],
        "routes": [_ALL_FIELDS],
    }


CASES: dict[str, Case] = {
    "a default route": _routes({"dst": "0.0.0.0/0"}),
    "a route with a gateway": _routes({"dst": "10.1.0.0/16", "gw": "10.0.0.9"}),
    "routes of both families, in their order": _routes(
        {"dst": "::/0"}, {"dst": "0.0.0.0/0", "gw": "10.0.0.9"}, {"dst": "fd01::/64", "gw": "FD00::9"}
    ),
    "a route with host bits": _routes({"dst": "10.1.2.3/16"}, {"dst": "FD01::5/64"}),
    "a route twice": _routes({"dst": "10.1.0.0/16"}, {"dst": "10.1.0.0/16"}),
    "a route via the other family": _routes({"dst": "10.1.0.0/16", "gw": "fd00::9"}),
    "a route with an IPv4-mapped gateway": _routes({"dst": "10.1.0.0/16", "gw": "::ffff:10.0.0.9"}),
    "a route with an IPv4-mapped dst": _bad_routes(
        {"dst": "::ffff:10.1.0.0/112"}, differs="mapped-route", says="::ffff:10.1.0.0/112"
    ),
    "a route with an empty gateway": _routes({"dst": "10.1.0.0/16", "gw": ""}),
    "a route with a null gateway": _routes({"dst": "10.1.0.0/16", "gw": None}),
    "a route with keys in another case": _routes({"DST": "10.1.0.0/16", "Gw": "10.0.0.9"}),
    "a route with unknown keys": _routes({"dst": "10.1.0.0/16", "x": 1}),
    "a route to one host": _routes({"dst": "10.1.2.3/32"}, {"dst": "fd01::5/128"}),
    "a length with leading zeros in a route": _routes({"dst": "10.1.0.0/016"}),
    "no routes": _routes(),
    "a route with every field": [
        add(conf({"subnet": V4, "routes": [_ALL_FIELDS]}), differs="route-fields", prints=_printed("1.0.0")),
        delete(),
        add(conf({"subnet": V4, "routes": [_ALL_FIELDS]}, "0.2.0")),
    ],
    "a route with a mtu of no kind": _bad_routes(
        {"dst": "10.1.0.0/16", "mtu": "x"}, differs="route-fields", says="mtu"
    ),
    "a route that is null": _bad_routes(None, differs="null-in-a-list", says="ipam.routes[0]"),
    "a route that is null at 0.2.0": [
        add(
            conf({"subnet": V4, "routes": [None]}, "0.2.0"),
            code=7,
            differs="null-in-a-list",
            says="ipam.routes[0]",
        )
    ],
    "a route without dst": _bad_routes({"gw": "10.0.0.9"}, differs="route-without-dst", says="dst"),
    "a route that is empty": _bad_routes({}, differs="route-without-dst", says="dst"),
    "a route whose dst is empty": _bad_routes({"dst": ""}),
    "a route whose dst is null": _bad_routes({"dst": None}),
    "a route whose dst is no CIDR": _bad_routes({"dst": "x"}),
    "a route whose dst has no length": _bad_routes({"dst": "10.1.0.0"}),
    "a route whose gateway is no address": _bad_routes({"dst": "10.1.0.0/16", "gw": "x"}),
    "a route whose gateway has a length": _bad_routes({"dst": "10.1.0.0/16", "gw": "10.0.0.9/24"}),
    "resolvConf with all that it knows": _dns("good"),
    "resolvConf with comments": _dns("comments"),
    "resolvConf with tabs": _dns("tabs"),
    "resolvConf with CRLF": _dns("crlf"),
    "resolvConf empty": _dns("empty"),
    "resolvConf with junk": _dns("junk"),
    "resolvConf that ends without a newline": _dns("unended"),
    "resolvConf with what JSON escapes": _dns("markup"),
    "resolvConf with spaces of all kinds": _dns("spaces"),
    "resolvConf with bytes that are not UTF-8": [
        add(
            conf({"subnet": V4, "resolvConf": f"{SHARED_DIR}/bytes"}, "0.4.0"),
            differs="replacement-character",
            prints={
                "cniVersion": "0.4.0",
                "ips": [{"version": "4", "address": "10.0.0.2/24", "gateway": "10.0.0.1"}],
                "dns": {"nameservers": ["\ufffd"]},
            },
        )
    ],
    "resolvConf with a line of 70,000 characters": [
        add(
            conf({"subnet": V4, "resolvConf": f"{SHARED_DIR}/long"}),
            differs="resolv-conf",
            gives=("10.0.0.2/24",),
        )
    ],
    "resolvConf that is missing": [
        add(conf({"subnet": V4, "resolvConf": f"{SHARED_DIR}/none"}), code=5),
        delete(conf({"subnet": V4, "resolvConf": f"{SHARED_DIR}/none"})),
    ],
    "resolvConf that is a directory": [
        add(
            conf({"subnet": V4, "resolvConf": SHARED_DIR}),
            code=5,
            differs="resolv-conf",
            says="not a regular file",
        )
    ],
    "resolvConf that is named by an empty text": [add(conf({"subnet": V4, "resolvConf": ""}))],
    "dns in the network config is not ours to return": [
        add(conf(dns={"nameservers": ["9.9.9.9"]})),
    ],
}
