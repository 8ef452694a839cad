"""What is on disk: second calls, full sets, the round robin's position, leases of old versions, odd files."""

from tests.peer.cases import V4, V6, Case, Files, add, check, conf, delete, one, sets
from tests.peer.comparison import Json

_SMALL = conf(sets(one("10.0.0.0/29")))  # .2 to .6
_TINY = conf(sets(one("10.0.0.0/30")))  # .2 alone
_TWO_RANGES = conf(sets([one("10.0.0.0/30"), one("10.0.1.0/30", gateway="10.0.1.2")]))  # 0.2 and 1.1
_TWO_SETS = conf(sets(one("10.0.0.0/24"), one("10.0.1.0/30")))
_DUAL = conf(sets(one(V4), one(V6)))
_NO_TRACE = "failed-add-leaves-no-trace"


def _cursor(content: str) -> Files:
    return {"net/last_reserved_ip.0": content.encode()}


def _lease(address: str, content: str) -> Files:
    return {f"net/{address}": content.encode()}


def _fill(config: Json, names: str) -> Case:
    return [add(config, container=name) for name in names]


def _previous(config: Json, *addresses: str) -> Json:
    """The config as CHECK gets it."""
    ips = [{"address": address, "interface": 0} for address in addresses]
    return {**config, "prevResult": {"cniVersion": config["cniVersion"], "ips": ips}}


CASES: dict[str, Case] = {
    "a second ADD": [add(), add(code=103), check(), delete()],
    "a second ADD of two families": [add(_DUAL), add(_DUAL, code=103), check(_DUAL)],
    "a second interface": [add(), add(ifname="eth1"), delete(), check(code=102), check(ifname="eth1")],
    "the same ids in another network": [add(), add(conf(name="other")), delete(), check(conf(name="other"))],
    "DEL twice": [add(), delete(), delete()],
    "DEL of what was never there": [delete()],
    "DEL of another's interface": [add(), delete(ifname="eth1"), check()],
    "DEL of a container whose id begins alike": [
        add(container="c11"),
        delete(container="c1"),
        check(container="c11"),
    ],
    "CHECK of nothing": [check(code=102)],
    "CHECK after DEL": [add(), delete(), check(code=102)],
    "CHECK of one's own address": [add(), check(_previous(conf(), "10.0.0.2/24"))],
    "CHECK of another's address": [
        add(),
        check(_previous(conf(), "10.0.0.3/24"), code=102, differs="check-against-prev-result", says="10.0.0.3"),
    ],
    "CHECK of an address of another plugin": [
        add(),
        check(_previous(conf(), "10.0.0.2/24", "172.16.0.1/16")),
    ],
    "CHECK with one family lost": [
        add(_DUAL),
        {"net/fd00::2": None},
        check(
            _previous(_DUAL, "10.0.0.2/24", "fd00::2/64"),
            code=102,
            differs="check-against-prev-result",
            says="fd00::2",
        ),
    ],
    "CHECK with more than prevResult has": [
        add(_DUAL),
        check(_previous(_DUAL, "10.0.0.2/24"), code=102, differs="check-against-prev-result", says="fd00::2"),
    ],
    "the round robin does not give back at once": [add(), delete(), add(), delete(), add()],
    "a full range": [
        *_fill(_SMALL, "abcde"),
        add(_SMALL, container="f", code=100),
        delete(_SMALL, container="c"),
        add(_SMALL, container="f"),
        add(_SMALL, container="g", code=100),
    ],
    "a full range wraps round": [
        *_fill(_SMALL, "abc"),
        delete(_SMALL, container="a"),
        *_fill(_SMALL, "defg")[:3],
        add(_SMALL, container="h", code=100),
    ],
    "a range of one address, full": [
        add(_TINY),
        add(_TINY, container="b", code=100),
        delete(_TINY),
        add(_TINY),
    ],
    "a range of the gateway alone": [
        add(conf(sets(one(V4, rangeStart="10.0.0.1", rangeEnd="10.0.0.1"))), code=100),
    ],
    "a set of two ranges, full": [
        *_fill(_TWO_RANGES, "ab"),
        add(_TWO_RANGES, container="c", code=100),
        delete(_TWO_RANGES, container="a"),
        add(_TWO_RANGES, container="c"),
        delete(_TWO_RANGES, container="b"),
        add(_TWO_RANGES, container="b"),
    ],
    "the second of two sets is full": [
        add(_TWO_SETS, container="a"),
        add(_TWO_SETS, container="b", code=100, differs=_NO_TRACE),
        delete(_TWO_SETS, container="a"),
        add(_TWO_SETS, container="b", differs=_NO_TRACE, gives=("10.0.0.3/24", "10.0.1.2/30")),
    ],
    "the first of two sets is full": [
        add(conf(sets(one("10.0.0.0/30"), one(V6))), container="a"),
        add(conf(sets(one("10.0.0.0/30"), one(V6))), container="b", code=100),
        check(conf(sets(one("10.0.0.0/30"), one(V6))), container="a"),
    ],
    "a full range of IPv6": [
        *_fill(conf(sets(one("fd00::/126"))), "ab"),
        add(conf(sets(one("fd00::/126"))), container="c", code=100),
    ],
    "the gateway is passed over in the middle": _fill(conf(sets(one("10.0.0.0/29", gateway="10.0.0.3"))), "abcd"),
    "the gateway is passed over at the wrap": [
        _cursor("10.0.0.6"),
        *_fill(conf(sets(one("10.0.0.0/29"))), "ab"),
    ],
    "the range changed, leases outside stay": [
        add(conf({"subnet": V4}), container="a"),
        add(conf({"subnet": "10.0.1.0/24"}), container="b"),
        add(conf({"subnet": "10.0.1.0/24"}), container="a"),
        check(conf({"subnet": "10.0.1.0/24"}), container="a"),
        delete(conf({"subnet": "10.0.1.0/24"}), container="a"),
    ],
    "a cursor in the middle": [_cursor("10.0.0.100"), add()],
    "a cursor at the end": [_cursor("10.0.0.254"), add()],
    "a cursor outside the range": [_cursor("10.9.0.1"), add()],
    "a cursor in the subnet, outside the range": [
        _cursor("10.0.0.100"),
        add(conf(sets(one(V4, rangeEnd="10.0.0.50")))),
    ],
    "a cursor of the other family": [_cursor("fd00::5"), add()],
    "a cursor at the gateway": [_cursor("10.0.0.1"), add()],
    "a cursor in the second range of a set": [_cursor("10.0.1.1"), add(_TWO_RANGES)],
    "a cursor IPv4-mapped": [_cursor("::ffff:10.0.0.100"), add()],
    "a cursor empty": [_cursor(""), add()],
    "a cursor with a trailing newline": [_cursor("10.0.0.100\n"), add()],
    "a cursor with a space": [_cursor(" 10.0.0.100"), add()],
    "a cursor with leading zeros": [_cursor("10.0.0.0100"), add()],
    "a cursor longer than what comes": [_cursor("10.0.0.254"), add(), add(container="b")],
    "a cursor that is no text": [{"net/last_reserved_ip.0": b"\xff\x00"}, add()],
    "cursors of two sets": [
        {"net/last_reserved_ip.0": b"10.0.0.9", "net/last_reserved_ip.1": b"fd00::9"},
        add(_DUAL),
    ],
    "a cursor removed": [add(), {"net/last_reserved_ip.0": None}, add(container="b")],
    "a lease of the id alone: ADD": [_lease("10.0.0.9", "c1"), add(code=103)],
    "a lease of the id alone: CHECK": [_lease("10.0.0.9", "c1"), check()],
    "a lease of the id alone: DEL": [_lease("10.0.0.9", "c1"), delete(), add()],
    "a lease of the id alone: DEL of any interface": [_lease("10.0.0.9", "c1"), delete(ifname="eth7")],
    "a lease of the id alone and one of today: DEL takes today's first": [
        _lease("10.0.0.9", "c1"),
        _lease("10.0.0.10", "c1\r\neth0"),
        delete(),
        check(),
        delete(),
    ],
    "a lease of the id alone with a newline": [_lease("10.0.0.9", "c1\n"), check(), delete()],
    "a lease of the id alone with CRLF": [_lease("10.0.0.9", "c1\r\n"), check(), delete()],
    "a lease with white space around": [
        _lease("10.0.0.9", "\n c1\r\neth0 \n"),
        check(),
        add(code=103),
        delete(),
    ],
    "a lease with what is no white space to Go": [
        _lease("10.0.0.9", "c1\r\neth0\x1c"),
        check(code=102),
        delete(),
    ],
    "a lease with a no-break space": [_lease("10.0.0.9", "c1\r\neth0\u00a0"), check(), delete()],
    "a lease with LF for CRLF": [_lease("10.0.0.9", "c1\neth0"), check(code=102), delete(), add()],
    "a lease of many lines": [_lease("10.0.0.9", "c1\r\neth0\r\nmore"), check(code=102), delete()],
    "a lease of another's id in the way": [_lease("10.0.0.2", "z\r\neth0"), add(), delete()],
    "a lease that is not text, in the way": [{"net/10.0.0.2": b"\xff\x00\xfe"}, add(), delete()],
    "a lease that appears between two calls": [
        add(container="a"),
        _lease("10.0.0.3", "z\r\neth0"),
        add(container="b"),
        check(container="z"),
        delete(container="z"),
    ],
    "a lease that goes between two calls": [
        add(container="a"),
        {"net/10.0.0.2": None},
        check(container="a", code=102),
        add(container="a"),
        delete(container="a"),
    ],
    "a lease that changes hands between two calls": [
        add(container="a"),
        {"net/10.0.0.2": None},
        _lease("10.0.0.2", "z\r\neth0"),
        check(container="a", code=102),
        check(container="z"),
        delete(container="a"),
        delete(container="z"),
    ],
    "a lease overwritten between two calls: the former holder": [
        add(container="a"),
        _lease("10.0.0.2", "z\r\neth0"),
        check(container="a", code=102),
        delete(container="a"),
    ],
    "a lease overwritten between two calls: the new holder": [
        add(container="a"),
        _lease("10.0.0.2", "z\r\neth0"),
        check(container="z", code=102, differs="rewritten-in-place", says="Failed to find address"),
    ],
    "a lease outside every range": [
        _lease("192.168.7.7", "c1\r\neth0"),
        add(),
        delete(),
    ],
    "two leases of one attachment": [
        _lease("10.0.0.8", "c1\r\neth0"),
        _lease("10.0.0.9", "c1\r\neth0"),
        check(),
        delete(),
    ],
    "a lease in one of two sets": [
        _lease("fd00::9", "c1\r\neth0"),
        add(_DUAL, code=103, differs="rollback-frees-the-living", says="fd00::9 has been allocated to c1"),
    ],
    "a lease in the first of two sets": [
        _lease("10.0.0.9", "c1\r\neth0"),
        add(_DUAL, code=103),
        check(_DUAL),
        delete(_DUAL),
    ],
    "a file that is no address": [_lease("notes", "no lease"), add(), check(), delete()],
    "a file that is no address, with an attachment in it": [
        _lease("notes", "c1\r\neth0"),
        check(code=102, differs="any-file-is-a-lease", says="Failed to find address"),
        delete(differs="any-file-is-a-lease"),
    ],
    "a lease in a subdirectory": [
        _lease("old/10.0.0.9", "c1\r\neth0"),
        check(code=102, differs="any-file-is-a-lease", says="Failed to find address"),
        delete(differs="any-file-is-a-lease"),
    ],
    "a directory in the place of a lease": [_lease("10.0.0.2/x", "c9\r\neth0"), add(), check(), delete()],
    "a directory in the place of a cursor": [
        _lease("last_reserved_ip.0/x", "no cursor"),
        add(differs="odd-cursor", gives=("10.0.0.2/24",)),
    ],
    "an empty file in the way": [
        _lease("10.0.0.2", ""),
        add(differs="empty-lease-file", gives=("10.0.0.2/24",)),
    ],
    "DEL without ranges": [add(), delete(conf({}), differs="del-with-a-bad-config")],
    "DEL with ranges that are wrong now": [
        add(),
        delete(conf({"subnet": "10.0.0.1/24"}), differs="del-with-a-bad-config"),
    ],
    "DEL with routes that are wrong now": [
        add(),
        delete(conf({"subnet": V4, "routes": [{"dst": "x"}]}), differs="del-with-a-bad-config"),
    ],
    "DEL with a request that is wrong now": [
        add(),
        delete(conf(runtimeConfig={"ips": ["x"]}), differs="del-with-a-bad-config"),
    ],
}
