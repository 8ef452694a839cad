"""What is printed, to the byte: results and errors in the form of each cniVersion, and silence where it is due."""

import json
from pathlib import Path
from typing import Any

import pytest

from ipam.cni import NEWEST, VERSIONS, error_json, result_json, version_json
from ipam.errors import BadEnvironment, CniError
from ipam.model import Lease, Network
from ipam.testing.fixtures import ipv4, who
from tests.conftest import Call
from tests.unit.refusal import Json, conf, encoded, environment, section

RESOLV_CONF = """\
# written by hand
nameserver 10.0.0.53
nameserver fd00::53 ; the second
domain cluster.local
search a.local b.local
options ndots:5 edns0
sortlist 10.0.0.0
nameserver
"""

# Go host-local's own answers, byte for byte, up to where the dns follows; the @ stands for the version.
OLD = """\
{
    "cniVersion": "@",
    "ip4": {
        "ip": "10.0.0.2/24",
        "gateway": "10.0.0.1",
        "routes": [
            {
                "dst": "0.0.0.0/0"
            },
            {
                "dst": "10.9.0.7/16",
                "gw": "10.0.0.254"
            }
        ]
    },
    "ip6": {
        "ip": "fd00::1/64",
        "gateway": "fd00::ff",
        "routes": [
            {
                "dst": "fd01::1/64",
                "gw": "fd00::1"
            }
        ]
    }"""
MIDDLE = """\
{
    "cniVersion": "@",
    "ips": [
        {
            "version": "4",
            "address": "10.0.0.2/24",
            "gateway": "10.0.0.1"
        },
        {
            "version": "6",
            "address": "fd00::1/64",
            "gateway": "fd00::ff"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "dst": "10.9.0.7/16",
            "gw": "10.0.0.254"
        },
        {
            "dst": "fd01::1/64",
            "gw": "fd00::1"
        }
    ]"""
NEW = """\
{
    "cniVersion": "@",
    "ips": [
        {
            "address": "10.0.0.2/24",
            "gateway": "10.0.0.1"
        },
        {
            "address": "fd00::1/64",
            "gateway": "fd00::ff"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "dst": "10.9.0.7/16",
            "gw": "10.0.0.254"
        },
        {
            "dst": "fd01::1/64",
            "gw": "fd00::1"
        }
    ]"""
DNS = """\
,
    "dns": {
        "nameservers": [
            "10.0.0.53",
            "fd00::53"
        ],
        "domain": "cluster.local",
        "search": [
            "a.local",
            "b.local"
        ],
        "options": [
            "ndots:5",
            "edns0"
        ]
    }
}"""
ROUTES = [
    {"dst": "0.0.0.0/0"},
    {"dst": "10.9.0.7/16", "gw": "10.0.0.254"},
    {"dst": "FD01::1/64", "gw": "fd00:0::1"},
]
RANGES = [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00::/64", "gateway": "fd00::ff"}]]


def expected(version: str, dns: str) -> str:
    if version >= "1.0.0":
        return NEW.replace("@", version) + (dns or "\n}")
    body = MIDDLE if version >= "0.3.0" else OLD
    return body.replace("@", version) + (dns or ',\n    "dns": {}\n}')


def config(tmp_path: Path, version: str, **changes: Any) -> bytes:
    whole = section(dataDir=str(tmp_path / "networks"), ranges=RANGES, routes=ROUTES, **changes)
    return encoded(conf(cniVersion=version, ipam=whole))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_has_the_form_of_its_version(version: str, tmp_path: Path, call: Call) -> None:
    answer = call(environment(), config(tmp_path, version))
    assert (answer.code, answer.stderr) == (0, b"")
    assert answer.stdout.decode() == expected(version, "")


@pytest.mark.parametrize("version", VERSIONS)
def test_dns_comes_from_resolv_conf(version: str, tmp_path: Path, call: Call) -> None:
    (tmp_path / "resolv.conf").write_text(RESOLV_CONF)
    answer = call(environment(), config(tmp_path, version, resolvConf=str(tmp_path / "resolv.conf")))
    assert answer.stdout.decode() == expected(version, DNS)


def test_no_version_means_the_oldest(tmp_path: Path, call: Call) -> None:
    for changes in ({"cniVersion": ...}, {"cniVersion": ""}, {"cniVersion": None}):
        stdin = encoded(conf(ipam=section(dataDir=str(tmp_path / "networks")), **changes))
        assert call(environment(), stdin).stdout.decode() == (
            '{\n    "cniVersion": "0.1.0",\n    "ip4": {\n        "ip": "10.0.0.2/24",\n        "gateway": "10.0.0.1"\n'
            '    },\n    "dns": {}\n}'
        )
        assert call(environment(CNI_COMMAND="DEL"), stdin) == (0, b"", b"")
        (tmp_path / "networks" / "net" / "last_reserved_ip.0").unlink()


def test_what_succeeds_without_a_result_says_nothing(tmp_path: Path, call: Call) -> None:
    stdin = config(tmp_path, "1.1.0")
    call(environment(), stdin)
    for command in ("CHECK", "STATUS", "GC", "DEL", "DEL"):
        assert call(environment(CNI_COMMAND=command), stdin) == (0, b"", b""), command


def test_a_route_keeps_the_fields_that_mean_something(tmp_path: Path, call: Call) -> None:
    routes = [
        {"scope": 0, "table": 0, "priority": 0, "advmss": 0, "mtu": 0, "dst": "0.0.0.0/0", "note": "x"},
        {"dst": "::/0", "GW": "FD00::1", "MTU": 1400, "advMSS": 1360, "priority": 5, "table": 7, "scope": 253},
        {"dst": "10.0.0.0/8", "gw": "", "mtu": None, "table": None},
    ]
    stdin = encoded(conf(ipam=section(dataDir=str(tmp_path / "networks"), ranges=RANGES, routes=routes)))
    expected: list[Json] = [
        {"dst": "0.0.0.0/0", "table": 0, "scope": 0},
        {"dst": "::/0", "gw": "fd00::1", "mtu": 1400, "advmss": 1360, "priority": 5, "table": 7, "scope": 253},
        {"dst": "10.0.0.0/8"},
    ]
    shown = call(environment(), stdin).json()["routes"]
    assert [list(route.items()) for route in shown] == [list(route.items()) for route in expected]


def test_a_route_below_0_3_0_has_dst_and_gw_alone(tmp_path: Path, call: Call) -> None:
    routes = [{"dst": "0.0.0.0/0", "gw": "10.0.0.9", "mtu": 1400, "table": 7}]
    stdin = encoded(conf(cniVersion="0.2.0", ipam=section(dataDir=str(tmp_path / "networks"), routes=routes)))
    assert call(environment(), stdin).json()["ip4"]["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.0.0.9"}]


@pytest.mark.parametrize("version", VERSIONS)
def test_ips_come_in_the_order_of_the_config(version: str, tmp_path: Path, call: Call) -> None:
    stdin = encoded(conf(cniVersion=version, ipam=section(dataDir=str(tmp_path / "networks"), ranges=RANGES[::-1])))
    result = call(environment(), stdin).json()
    if version < "0.3.0":
        assert (result["ip4"]["ip"], result["ip6"]["ip"]) == ("10.0.0.2/24", "fd00::1/64")
    else:
        assert [ip["address"] for ip in result["ips"]] == ["fd00::1/64", "10.0.0.2/24"]


def test_an_error_is_an_object_with_version_code_and_message() -> None:
    assert error_json("0.4.0", BadEnvironment("no <name>", 'say "x"')) == (
        b'{\n    "cniVersion": "0.4.0",\n    "code": 4,\n    "msg": "no \\u003cname\\u003e",\n'
        b'    "details": "say \\"x\\""\n}'
    )
    assert error_json("1.1.0", CniError("x")) == b'{\n    "cniVersion": "1.1.0",\n    "code": 199,\n    "msg": "x"\n}'


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_has_the_version_of_the_request(version: str, call: Call) -> None:
    error = call(environment(), encoded(conf(cniVersion=version, ipam=...))).json()
    assert (error["cniVersion"], error["code"]) == (version, 7)


@pytest.mark.parametrize("stdin", [b"", b"[]", encoded(conf(cniVersion="9.9.9")), encoded(conf(cniVersion=5))])
def test_an_error_about_an_unknown_version_has_the_newest(stdin: bytes, call: Call) -> None:
    assert call(environment(), stdin).json()["cniVersion"] == NEWEST


@pytest.mark.parametrize("version", [*VERSIONS, "0.3.2", "7", "<"])
def test_version_answers_with_the_version_asked(version: str) -> None:
    answer = json.loads(version_json(version))
    assert answer == {"cniVersion": version, "supportedVersions": list(VERSIONS)}
    assert b"\n" not in version_json(version)


@pytest.mark.parametrize(("stdin", "version"), [(b"", NEWEST), (b"{}", NEWEST), (b'{"cniVersion":"0.3.1"}', "0.3.1")])
def test_version_works_in_this_process_with_any_stdin(stdin: bytes, version: str, call: Call) -> None:
    answer = call({"CNI_COMMAND": "VERSION"}, stdin)
    assert (answer.code, answer.stderr) == (0, b"")
    assert answer.json() == {"cniVersion": version, "supportedVersions": list(VERSIONS)}


def test_a_lease_outside_every_range_is_no_result() -> None:
    with pytest.raises(CniError, match="outside the network's ranges"):
        result_json("1.0.0", [Lease(ipv4("10.0.0.2"), who("c1"), 0)], Network("net", ()), {})
