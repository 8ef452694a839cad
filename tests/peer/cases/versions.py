"""cniVersion: the result of each, CHECK by version, and what is no version at all."""

from tests.peer.cases import V4, V6, Case, add, check, conf, delete, one, sets, step
from tests.peer.comparison import NEWEST, SUPPORTED, Json

_DUAL = sets(
    one(V4),
    one(V6),
    routes=[
        {"dst": "0.0.0.0/0"},
        {"dst": "fd01::/64", "gw": "fd00::9"},
        {"dst": "10.9.9.9/8", "gw": "10.0.0.9"},
    ],
)
_GIVEN = ("10.0.0.2/24", "fd00::2/64")
_NEWEST_RESULT = {
    "cniVersion": "1.1.0",
    "ips": [
        {"address": "10.0.0.2/24", "gateway": "10.0.0.1"},
        {"address": "fd00::2/64", "gateway": "fd00::1"},
    ],
    "routes": _DUAL["routes"],
}


def _life(version: str | None) -> Case:
    config = conf(_DUAL, version)
    allowed = version in ("0.4.0", "1.0.0")
    return [add(config), check(config) if allowed else check(config, code=1), delete(config), delete(config)]


def _refused(version: object, *, code: int = 1, check_differs: tuple[str, ...] = ()) -> Case:
    config = conf(version=version)  # type: ignore[arg-type]
    says = {"says": "incompatible CNI versions"} if check_differs else {}
    return [
        add(config, code=code),
        check(config, code=code, differs=check_differs, **says),
        delete(config, code=code),
    ]


def _version(version: str, config: Json | bytes) -> Case:
    answer = {"cniVersion": version, "supportedVersions": list(SUPPORTED)}
    return [step("VERSION", config, differs="version-echo", prints=answer)]


CASES: dict[str, Case] = {
    "a life at 0.1.0": _life("0.1.0"),
    "a life at 0.2.0": _life("0.2.0"),
    "a life at 0.3.0": _life("0.3.0"),
    "a life at 0.3.1": _life("0.3.1"),
    "a life at 0.4.0": _life("0.4.0"),
    "a life at 1.0.0": _life("1.0.0"),
    "a life without a cniVersion": _life(None),
    "a life with an empty cniVersion": _life(""),
    "a life at 1.1.0": [
        add(conf(_DUAL, "1.1.0"), differs="cni-1.1.0", prints=_NEWEST_RESULT),
        check(conf(_DUAL, "1.1.0"), differs="cni-1.1.0"),
        delete(conf(_DUAL, "1.1.0"), differs="cni-1.1.0"),
    ],
    "cniVersion null": [
        add(conf(version=None, cniVersion=None)),
        delete(conf(version=None, cniVersion=None)),
    ],
    "cniVersion 5": [
        add(conf(version=None, cniVersion=5), code=6, differs="decoder-wording", says="decoding version"),
        delete(conf(version=None, cniVersion=5), code=6, differs="decoder-wording", says="decoding version"),
    ],
    "cniVersion with two numbers": _refused("0.3", check_differs=("check-by-exact-version",)),
    "cniVersion 1.0": _refused("1.0"),
    "cniVersion between two": _refused("0.4.1"),
    "cniVersion of the future": _refused("9.9.9", check_differs=("check-by-exact-version",)),
    "cniVersion before the first": _refused("0.0.1", check_differs=("check-by-exact-version",)),
    "cniVersion with a space": _refused("1.0.0 ", check_differs=("check-by-exact-version",)),
    "cniVersion with a v": _refused("v1.0.0", check_differs=("check-by-exact-version",)),
    "two subnets of a family at 0.2.0": [
        add(conf(sets(one(V4), one("10.0.1.0/24")), "0.2.0"), code=7),
        delete(conf(sets(one(V4), one("10.0.1.0/24")), "0.2.0"), differs="del-with-a-bad-config"),
    ],
    "two subnets of a family without a cniVersion": [
        add(
            conf(sets(one(V4), one("10.0.1.0/24")), None),
            code=7,
            differs="decoder-wording",
            says="CNI version 0.1.0 does not support more than 1 address per family",
        ),
    ],
    "two subnets of a family at 0.3.0": [add(conf(sets(one(V6), one("fd00:0:0:1::/64")), "0.3.0"))],
    "two IPv4 and two IPv6 subnets at 1.0.0": [
        add(conf(sets(one(V4), one(V6), one("10.0.1.0/24"), one("fd00:0:0:1::/64")))),
    ],
    "VERSION at 0.4.0": _version("0.4.0", conf(version="0.4.0")),
    "VERSION at 1.1.0": _version("1.1.0", conf(version="1.1.0")),
    "VERSION with nothing on stdin": _version(NEWEST, b""),
    "GC": [
        add(conf()),
        step("GC", {**conf(version="1.1.0"), "cni.dev/valid-attachments": []}, differs="gc-and-status"),
    ],
    "GC at 1.0.0": [step("GC", code=1, differs="gc-and-status", says="config version does not allow GC")],
    "STATUS": [step("STATUS", conf(version="1.1.0"), differs="gc-and-status")],
    "STATUS at 1.0.0": [step("STATUS", code=1, differs="gc-and-status", says="config version does not allow STATUS")],
}
