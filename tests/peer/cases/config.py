"""The JSON on stdin: what is none, letter case, keys that come twice, nulls, wrong types, files it names."""

from tests.peer.cases import V4, Case, add, conf, delete, one, raw, sets
from tests.peer.comparison import DATA_DIR


def _text(text: str, *, code: int = 6, differs: str = "decoder-wording", says: str = "") -> Case:
    return [add(text.encode(), code=code, differs=differs, says=says)]


def _ipam(text: str) -> bytes:
    return raw(f'{{"dataDir":"{DATA_DIR}",{text}}}')


def _wrong(config: object, says: str) -> Case:
    """A value of the wrong type: Go's words are those of its decoder."""
    assert isinstance(config, dict)
    return [add(config, code=7, differs="decoder-wording", says=says)]


CASES: dict[str, Case] = {
    "stdin empty": _text("", says="error unmarshall network config"),
    "stdin blank": _text(" \n", says="error unmarshall network config"),
    "stdin cut off": _text('{"name":"net"', says="error unmarshall network config"),
    "stdin a list": _text("[]", says="error unmarshall network config"),
    "stdin a number": _text("5", says="error unmarshall network config"),
    "stdin null": [add(b"null", code=6, differs="null-config", says="object")],
    "stdin an empty object": [add(b"{}", code=7)],
    "stdin two objects": _text(raw(after="{}").decode(), says="error unmarshall network config"),
    "stdin with text behind": _text(raw(after="x").decode(), says="error unmarshall network config"),
    "stdin with a newline behind": [add(raw(after="\n"))],
    "stdin with a space before": [add(raw(before=" "))],
    "stdin with a byte order mark": _text(raw(before="\ufeff").decode(), says="error unmarshall network config"),
    "stdin with NaN": _text('{"name":"net","x":NaN}', says="error unmarshall network config"),
    "stdin with a trailing comma": _text('{"name":"net","x":[1,]}', says="error unmarshall network config"),
    "a key of 5,000 digits": [add(raw().replace(b"{", b'{"x":' + b"1" * 5000 + b",", 1))],
    "a key nested 500 deep": [add(raw().replace(b"{", b'{"x":' + b"[" * 500 + b"]" * 500 + b",", 1))],
    "a key nested 5,000 deep": [
        add(
            raw().replace(b"{", b'{"x":' + b"[" * 5000 + b"]" * 5000 + b",", 1),
            code=6,
            differs="nesting-depth",
            says="nested too deeply",
        )
    ],
    "a key nested 11,000 deep": _text(
        raw().decode().replace("{", '{"x":' + "[" * 11000 + "]" * 11000 + ",", 1),
        says="error unmarshall network config",
    ),
    "a name spelt with an escape": [add(raw().replace(b'"net"', b'"n\\u0065t"'))],
    "keys in any letter case": [
        add(
            f'{{"CNIVERSION":"1.0.0","Name":"net","IPAM":{{"TYPE":"host-local","DataDir":"{DATA_DIR}","RANGES":'
            '[[{"SUBNET":"10.0.0.0/24","RangeStart":"10.0.0.7","GATEWAY":"10.0.0.9"}]],"ROUTES":[{"Dst":"0.0.0.0/0",'
            '"GW":"10.0.0.9"}]},"RuntimeConfig":{"IPS":["10.0.0.8"]}}'.encode()
        )
    ],
    "the same key twice": [add(_ipam('"subnet":"10.0.0.0/24","subnet":"10.5.0.0/24"'))],
    "the same key in two cases": [add(_ipam('"subnet":"10.0.0.0/24","Subnet":"10.5.0.0/24"'))],
    "the name in two cases": [add(raw().replace(b'"net"', b'"net","NAME":"other"'))],
    "the name, then null": [add(raw().replace(b'"net"', b'"net","Name":null'))],
    "the name, then nothing": [add(raw().replace(b'"net"', b'"net","Name":""'), code=7)],
    "ipam twice": [
        add(
            raw().replace(b'"ipam"', b'"ipam":{"rangeStart":"10.0.0.9"},"ipam"'),
            differs="object-twice",
            gives=("10.0.0.2/24",),
        )
    ],
    "no ipam": [add(b'{"cniVersion":"1.0.0","name":"net"}', code=7)],
    "ipam null": [add(b'{"cniVersion":"1.0.0","name":"net","ipam":null}', code=7)],
    "ipam empty": [add(conf({}), code=7)],
    "ipam a list": _wrong({"cniVersion": "1.0.0", "name": "net", "ipam": []}, "ipam"),
    "ipam a text": _wrong({"cniVersion": "1.0.0", "name": "net", "ipam": "x"}, "ipam"),
    "type of another plugin": [add(conf({"subnet": V4, "type": "dhcp"}))],
    "type null": [add(conf({"subnet": V4, "type": None}))],
    "type 5": _wrong(conf({"subnet": V4, "type": 5}), "type"),
    "subnet 5": _wrong(conf({"subnet": 5}), "subnet"),
    "rangeStart 5": _wrong(conf(sets(one(V4, rangeStart=5))), "rangeStart"),
    "ranges an object": _wrong(conf({"ranges": {}}), "ranges"),
    "ranges a list of ranges": _wrong(conf({"ranges": [one(V4)]}), "ranges"),
    "routes an object": _wrong(conf({"subnet": V4, "routes": {}}), "routes"),
    "a route's dst 5": _wrong(conf({"subnet": V4, "routes": [{"dst": 5}]}), "dst"),
    "resolvConf 5": _wrong(conf({"subnet": V4, "resolvConf": 5}), "resolvConf"),
    "dataDir 5": _wrong(conf({"subnet": V4, "dataDir": 5}), "dataDir"),
    "runtimeConfig a list": _wrong(conf(runtimeConfig=[]), "runtimeConfig"),
    "runtimeConfig.ips a text": _wrong(conf(runtimeConfig={"ips": "10.0.0.5"}), "ips"),
    "runtimeConfig.ipRanges 5": _wrong(conf(runtimeConfig={"ipRanges": 5}), "ipRanges"),
    "args a list": _wrong(conf(args=[]), "args"),
    "args.cni 5": _wrong(conf(args={"cni": 5}), "cni"),
    "args.cni.ips a text": _wrong(conf(args={"cni": {"ips": "10.0.0.5"}}), "ips"),
    "args.cni.ips of numbers": _wrong(conf(args={"cni": {"ips": [5]}}), "ips"),
    "nulls as a main plugin's CHECK sends them": [
        add(conf({"subnet": V4, "routes": None, "resolvConf": "", "ranges": None, "Name": ""}, args=None)),
        delete(conf({"subnet": V4, "routes": None, "resolvConf": "", "ranges": None, "Name": ""}, args=None)),
    ],
    "runtimeConfig null": [add(conf(runtimeConfig=None))],
    "runtimeConfig empty": [add(conf(runtimeConfig={}))],
    "args.cni null": [add(conf(args={"cni": None}))],
    "args.cni empty": [add(conf(args={"cni": {}}))],
    "prevResult and dns of no known shape": [add(conf(prevResult=5, dns=5, capabilities="x"))],
    "keys of main plugins": [add(conf(bridge="cni0", isGateway=True, ipMasq=False, mtu=1400, type="bridge"))],
    "dataDir relative": [
        add(
            conf({"subnet": V4, "dataDir": "x"}),
            code=7,
            differs="relative-data-dir",
            says="dataDir",
        ),
    ],
    "bytes that are not UTF-8": [
        add(raw().replace(b"{", b'{"x":"\xff",', 1), code=6, differs="invalid-utf-8", says="UTF-8")
    ],
}
