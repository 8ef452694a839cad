"""Configs that are no config: broken JSON, wrong types at every key, names that no network may have."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Call
from tests.unit.refusal import (
    HOLDER,
    Case,
    Json,
    Site,
    check_refused,
    conf,
    directly,
    encoded,
    environment,
    refused,
    section,
)

UNDECODABLE = "error unmarshall network config"
LONG = "n" * 10_000
MEBIBYTE = 1 << 20
GOOD = encoded(conf())


def text(stdin: bytes, *says: str) -> Case:
    return refused(6, UNDECODABLE, *says, config=stdin)


def with_key(value: bytes) -> bytes:
    """The good config with one more key, of that JSON text."""
    return GOOD.replace(b"{", b'{"x":' + value + b",", 1)


JSON_TEXTS = {
    "nothing": text(b"", "line 1 column 1"),
    "blanks": text(b" \n\t", "Expecting value"),
    "no JSON": text(b"#!/bin/sh", "Expecting value"),
    "an object cut off": text(GOOD[:-1], "delimiter"),
    "a string cut off": text(GOOD[:20], "Unterminated string"),
    "a list": text(b"[]", "object", "[]"),
    "a text": text(b'"net"', "object", '"net"'),
    "a number": text(b"5", "object", "5"),
    "true": text(b"true", "object", "true"),
    "null": text(b"null", "object", "null"),
    "two objects": text(GOOD + b"{}", "more text"),
    "text behind": text(GOOD + b"x", "more text"),
    "a NUL behind": text(GOOD + b"\0", "more text"),
    "a NUL between": text(GOOD.replace(b":", b":\0", 1), "Expecting value"),
    "a NUL in a name": text(GOOD.replace(b'"net"', b'"n\0t"'), "Invalid control character"),
    "a newline in a name": text(GOOD.replace(b'"net"', b'"n\nt"'), "Invalid control character"),
    "a byte order mark": text(b"\xef\xbb\xbf" + GOOD, "BOM"),
    "UTF-16": text(GOOD.decode().encode("utf-16"), "UTF-8"),
    "UTF-16 without a mark": text(GOOD.decode().encode("utf-16-le"), "Expecting property name"),
    "bytes that are not UTF-8": text(GOOD.replace(b'"net"', b'"n\xfft"'), "UTF-8"),
    "UTF-8 of a surrogate": text(GOOD.replace(b'"net"', b'"n\xed\xa0\x80t"'), "UTF-8"),
    "an overlong slash": text(GOOD.replace(b'"net"', b'"n\xc0\xaft"'), "UTF-8"),
    "NaN": text(with_key(b"NaN"), "NaN"),
    "Infinity": text(with_key(b"-Infinity"), "Infinity"),
    "a number with a leading zero": text(with_key(b"010"), "delimiter"),
    "a trailing comma": text(with_key(b"[1,]"), "Expecting value"),
    "a comment": text(with_key(b"1/**/"), "delimiter"),
    "single quotes": text(with_key(b"'x'"), "Expecting value"),
    "an unknown escape": text(with_key(rb'"\x41"'), "escape"),
    "half an escape": text(with_key(rb'"\u12"'), "escape"),
    "lists 5,000 deep": text(with_key(b"[" * 5_000 + b"]" * 5_000), "nested too deeply"),
    "lists 100,000 deep, never closed": text(b"[" * 100_000, "nested too deeply"),
    "objects 5,000 deep": text(with_key(b'{"a":' * 5_000 + b"1" + b"}" * 5_000), "nested too deeply"),
    "a byte more than 1 MiB": text(GOOD + b" " * (MEBIBYTE + 1 - len(GOOD)), "1 MiB"),
    "4 MiB of text": text(with_key(b'"' + b"x" * 4 * MEBIBYTE + b'"'), "1 MiB"),
}


DEEP = b"[" * 900 + b"]" * 900
WRONG_VALUES: dict[str, Any] = {
    "text": "x",
    "empty text": "",
    "number": 5,
    "zero": 0,
    "fraction": 1.5,
    "true": True,
    "false": False,
    "list": [],
    "object": {},
}
FITTING = {
    "text": ("text", "empty text"),
    "number": ("number", "zero", "fraction"),
    "whole": ("number", "zero"),
    "list": ("list",),
    "object": ("object",),
}
GC_KEY = "cni.dev/valid-attachments"
OLD_GC_KEY = "cni.dev/attachments"
KEYS: list[tuple[str, tuple[str | int, ...]]] = [
    ("text", ("cniVersion",)),
    ("text", ("name",)),
    ("object", ("ipam",)),
    *[("text", ("ipam", key)) for key in ("type", "subnet", "dataDir", "store", "durability", "resolvConf")],
    ("number", ("ipam", "lockTimeout")),
    ("list", ("ipam", "ranges")),
    ("list", ("ipam", "ranges", 0)),
    ("object", ("ipam", "ranges", 0, 0)),
    *[("text", ("ipam", "ranges", 0, 0, key)) for key in ("subnet", "rangeStart", "rangeEnd", "gateway")],
    ("list", ("ipam", "routes")),
    ("object", ("ipam", "routes", 0)),
    *[("text", ("ipam", "routes", 0, key)) for key in ("dst", "gw")],
    *[("whole", ("ipam", "routes", 0, key)) for key in ("mtu", "advmss", "priority", "table", "scope")],
    ("object", ("runtimeConfig",)),
    ("list", ("runtimeConfig", "ips")),
    ("text", ("runtimeConfig", "ips", 0)),
    ("list", ("runtimeConfig", "ipRanges")),
    ("list", ("runtimeConfig", "ipRanges", 0)),
    ("object", ("runtimeConfig", "ipRanges", 0, 0)),
    ("text", ("runtimeConfig", "ipRanges", 0, 0, "subnet")),
    ("object", ("args",)),
    ("object", ("args", "cni")),
    ("list", ("args", "cni", "ips")),
    ("text", ("args", "cni", "ips", 0)),
    ("object", ("prevResult",)),
    ("list", ("prevResult", "ips")),
    ("object", ("prevResult", "ips", 0)),
    ("text", ("prevResult", "ips", 0, "address")),
    ("list", (GC_KEY,)),
    ("object", (GC_KEY, 0)),
    *[("text", (GC_KEY, 0, key)) for key in ("containerID", "ifname")],
    ("list", (OLD_GC_KEY,)),
    ("object", (OLD_GC_KEY, 0)),
]
WHO_READS = {"prevResult": "CHECK", GC_KEY: "GC", OLD_GC_KEY: "GC"}
PARTS: dict[str, Any] = {
    "runtimeConfig": {"ips": ["10.0.0.9"], "ipRanges": [[{"subnet": "10.1.0.0/24"}]]},
    "args": {"cni": {"ips": ["10.0.0.9"]}},
    "prevResult": {"ips": [{"address": "10.0.0.2/24"}]},
    GC_KEY: [{"containerID": HOLDER, "ifname": "eth0"}],
    OLD_GC_KEY: [{"containerID": HOLDER, "ifname": "eth0"}],
}


def placed(path: tuple[str | int, ...], value: object) -> Json:
    """The good config with `value` at `path`, whose parts are keys and places in lists."""
    first = str(path[0])
    whole = conf(ipam=section(routes=[{"dst": "0.0.0.0/0"}]))
    if first in PARTS:
        whole[first] = json.loads(json.dumps(PARTS[first]))
    inner: Any = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return whole


def misplaced(path: tuple[str | int, ...], value: object) -> Case:
    """The error names the key and the value, and a range, which has no name, as such."""
    key = [str(part) for part in path if isinstance(part, str)][-1]
    said = "range" if key in ("ranges", "ipRanges") else key
    command = WHO_READS.get(str(path[0]), "ADD")
    container = "c1" if command == "ADD" else HOLDER
    code = 6 if key in ("cniVersion", "name") else 7
    return refused(
        code, said, json.dumps(value), config=placed(path, value), CNI_COMMAND=command, CNI_CONTAINERID=container
    )


WRONG_TYPES = {
    f"{'.'.join(map(str, path))} {name}": misplaced(path, value)
    for kind, path in KEYS
    for name, value in WRONG_VALUES.items()
    if name not in FITTING[kind]
}
WRONG_NUMBERS = {name: case for name, case in WRONG_TYPES.items() if name.endswith((" number", " true"))}

NULLS = {
    "a requested address null": misplaced(("runtimeConfig", "ips", 0), None),
    "a requested address of args null": misplaced(("args", "cni", "ips", 0), None),
    "a route null": refused(7, "routes[0]", "null", config=placed(("ipam", "routes", 0), None)),
    "a range null": refused(7, "range set 0", "subnet", config=placed(("ipam", "ranges", 0, 0), None)),
    "a range set null": refused(7, "empty range set", config=placed(("ipam", "ranges", 0), None)),
    "all ranges null": refused(7, "no IP ranges specified", config=placed(("ipam", "ranges"), None)),
    "a subnet null": refused(7, "subnet", config=placed(("ipam", "ranges", 0, 0, "subnet"), None)),
    "a route's dst null": refused(7, "dst", config=placed(("ipam", "routes", 0, "dst"), None)),
    "ipam null": refused(7, "missing 'ipam' key", config=placed(("ipam",), None)),
    "the name null": refused(7, "missing network name", config=placed(("name",), None)),
    "an attachment null": misplaced((GC_KEY, 0), None),
    "an attachment's container null": misplaced((GC_KEY, 0, "containerID"), None),
}

NAMES = {
    "of two dots": "..",
    "of a dot": ".",
    "of our records": ".ipam",
    "that begins with a hyphen": "-a",
    "that begins with an underscore": "_a",
    "with a slash": "a/b",
    "of a path upwards": "../../etc",
    "of an absolute path": "/etc/cni",
    "with a backslash": "a\\b",
    "that ends in a newline": "net\n",
    "of a newline": "\n",
    "with a NUL": "n\0t",
    "that ends in a NUL": "net\0",
    "with a space": "a b",
    "with an escape sequence": "a\x1b[2J",
    "with a character to write backwards": "a\u202eb",
    "not ASCII": "nätz",
    "of digits that are not ASCII": "\u0661",
    "of a lone surrogate": "\ud800",
    "of 256 characters": "n" * 256,
    "of 10,000 characters": LONG,
    "of 10,000 newlines": "\n" * 10_000,
}
BAD_NAMES = {
    f"a name {what}": refused(7, ascii(name)[1:-1][:60], config=conf(name=name)) for what, name in NAMES.items()
} | {
    "a name empty": refused(7, "missing network name", config=conf(name="")),
    "no name": refused(7, "missing network name", config=conf(name=...)),
    "a name spelt with escapes": refused(7, "../net", config=GOOD.replace(b'"net"', rb'"\u002e.\/net"')),
    "a good name, then a bad one": refused(7, "../x", config=GOOD.replace(b'"net"', b'"net","NAME":"../x"')),
}

VERSIONS = {
    f"cniVersion {version[:9]!r}": refused(
        1, "incompatible CNI versions", ascii(version)[1:-1][:60], config=conf(cniVersion=version)
    )
    for version in ("0.0.9", "0.3.2", "1.0", "1.2.0", "2.0.0", "v1.0.0", "1.0.0 ", "1.0.0\n", "0.04.0", "x", "\0", LONG)
} | {
    f"{command} at {version}": refused(1, command, version, config=conf(cniVersion=version), CNI_COMMAND=command)
    for command, version in [("CHECK", "0.3.1"), ("CHECK", "0.1.0"), ("GC", "1.0.0"), ("STATUS", "0.4.0")]
}

WHERE = {
    "dataDir relative": refused(7, "dataDir", '"leases"', config=conf(ipam=section(dataDir="leases"))),
    "dataDir of a dot": refused(7, "dataDir", '"."', config=conf(ipam=section(dataDir="."))),
    "dataDir upwards": refused(7, "dataDir", '"../x"', config=conf(ipam=section(dataDir="../x"))),
    "dataDir with a NUL": refused(7, "dataDir", config=conf(ipam=section(dataDir="/tmp/a\0b"))),
    "dataDir with a newline": refused(7, "dataDir", config=conf(ipam=section(dataDir="/tmp/a\nb"))),
    "dataDir of 10,000 characters": refused(5, "too long", config=conf(ipam=section(dataDir=f"/{LONG}"))),
    "no ipam": refused(7, "missing 'ipam' key", config=conf(ipam=...)),
    "resolvConf missing": refused(5, "/nowhere/it", config=conf(ipam=section(resolvConf="/nowhere/it"))),
    "resolvConf with a NUL": refused(7, "resolvConf", config=conf(ipam=section(resolvConf="/etc/\0"))),
    "resolvConf endless": refused(5, "/dev/zero", config=conf(ipam=section(resolvConf="/dev/zero"))),
    "resolvConf a directory": refused(5, "/etc", "regular", config=conf(ipam=section(resolvConf="/etc"))),
}

# Not too deep to be decoded, and yet the error has to show some of it.
DEEP_VALUES = {
    "a list 900 deep": text(DEEP, "object", "[[["),
    "a name 900 deep": text(GOOD.replace(b'"net"', DEEP), "name", "[[["),
    "a version 900 deep": refused(6, "cniVersion", "[[[", config=GOOD.replace(b'"1.1.0"', DEEP)),
    "a type 900 deep": refused(7, "type", "[[[", config=GOOD.replace(b'"host-local"', DEEP)),
    "a range 900 deep": refused(7, "subnet", "[[[", config=GOOD.replace(b'"10.0.0.0/24"', DEEP)),
}

CASES = JSON_TEXTS | WRONG_NUMBERS | DEEP_VALUES | NULLS | BAD_NAMES | VERSIONS | WHERE


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_bad_config_is_refused_and_changes_nothing(
    case: Case, site: Site, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.root)
    check_refused(call, site, case)


@pytest.mark.parametrize("case", WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_a_value_of_a_wrong_type_is_refused_at_every_key(case: Case, site: Site) -> None:
    check_refused(directly, site, case)


@pytest.mark.parametrize("key", ["runtimeConfig", "args", "prevResult", "routes", "resolvConf", "store", "durability"])
def test_a_null_counts_as_absent(key: str, site: Site, call: Call) -> None:
    config = conf(**{key: None}) if key in PARTS else conf(ipam=section(**{key: None}))
    answer = call(environment(), site.stdin(config))
    assert answer.code == 0, answer
