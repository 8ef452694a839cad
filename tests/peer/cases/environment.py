"""The CNI_* variables: missing, empty, malformed; container ids, interface and network names; CNI_ARGS."""

from tests.peer.cases import Case, add, check, conf, delete, step


def _without(*names: str, empty: bool = False) -> dict[str, str | None]:
    return dict.fromkeys(names, "" if empty else None)


_ALL = ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")


def _args(text: str, *, code: int = 0) -> Case:
    return [add(args=text, code=code)]


def _named(name: object, *, code: int = 0) -> Case:
    return [add(conf(name=name), code=code), delete(conf(name=name), code=code)]


CASES: dict[str, Case] = {
    "no CNI_CONTAINERID": [add(env=_without("CNI_CONTAINERID"), code=4)],
    "empty CNI_CONTAINERID": [add(env=_without("CNI_CONTAINERID", empty=True), code=4)],
    "DEL without CNI_CONTAINERID": [delete(env=_without("CNI_CONTAINERID"), code=4)],
    "no CNI_IFNAME": [add(env=_without("CNI_IFNAME"), code=4)],
    "DEL without CNI_IFNAME": [add(), delete(env=_without("CNI_IFNAME"), code=4)],
    "CHECK without CNI_IFNAME": [check(env=_without("CNI_IFNAME"), code=4)],
    "no CNI_NETNS": [add(env=_without("CNI_NETNS"), code=4)],
    "DEL without CNI_NETNS": [add(), delete(env=_without("CNI_NETNS"))],
    "DEL with an empty CNI_NETNS": [add(), delete(env=_without("CNI_NETNS", empty=True))],
    "CHECK without CNI_NETNS": [add(), check(env=_without("CNI_NETNS"), code=4)],
    "ADD with nothing set": [add(env=_without(*_ALL), code=4)],
    "DEL with nothing set": [delete(env=_without(*_ALL), code=4)],
    "no CNI_PATH": [
        add(env=_without("CNI_PATH"), differs="no-cni-path", gives=("10.0.0.2/24",)),
        check(env=_without("CNI_PATH"), differs="no-cni-path"),
        delete(env=_without("CNI_PATH"), differs="no-cni-path"),
    ],
    "nothing set at all": [
        add(
            env=_without(*_ALL, "CNI_PATH"),
            code=4,
            differs="no-cni-path",
            says="required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing",
        )
    ],
    "no CNI_COMMAND": [add(env=_without("CNI_COMMAND"))],
    "empty CNI_COMMAND": [add(env=_without("CNI_COMMAND", empty=True))],
    "a command in small letters": [step("add", code=4)],
    "a command unknown to all": [step("PURGE", code=4)],
    "the namespace that the plugin runs in": [
        add(
            env={"CNI_NETNS": "/proc/self/ns/net"},
            code=4,
            differs="own-netns",
            says="plugin's netns and netns from CNI_NETNS should not be the same",
        )
    ],
    "the same, said to be meant": [
        add(env={"CNI_NETNS": "/proc/self/ns/net", "CNI_NETNS_OVERRIDE": "1"}),
        delete(env={"CNI_NETNS": "/proc/self/ns/net", "CNI_NETNS_OVERRIDE": "true"}),
    ],
    "container id of dots": [add(container="..", code=4)],
    "container id with a slash": [add(container="a/b", code=4)],
    "container id that ends in a newline": [add(container="a\n", code=4)],
    "container id that begins with a dot": [add(container=".a", code=4)],
    "container id that begins with a hyphen": [add(container="-a", code=4)],
    "container id that is not ASCII": [add(container="ä", code=4)],
    "container id with all that is allowed": [add(container="0.A-b_9"), delete(container="0.A-b_9")],
    "container id of 300 characters": [add(container="a" * 300), check(container="a" * 300)],
    "interface name of one dot": [add(ifname=".", code=4)],
    "interface name of two dots": [add(ifname="..", code=4)],
    "interface name with a slash": [add(ifname="a/b", code=4)],
    "interface name with a colon": [add(ifname="a:b", code=4)],
    "interface name with a space": [add(ifname="a b", code=4)],
    "interface name with a no-break space": [add(ifname="a\u00a0b", code=4)],
    "interface name that ends in a newline": [add(ifname="a\n", code=4)],
    "interface name of 15 characters": [add(ifname="a" * 15)],
    "interface name of 16 characters": [add(ifname="a" * 16, code=4)],
    "interface name of 14 bytes and 7 characters": [add(ifname="ä" * 7), check(ifname="ä" * 7)],
    "interface name of 16 bytes and 8 characters": [add(ifname="ä" * 8, code=4)],
    "network name of dots": _named("..", code=7),
    "network name with a slash": _named("a/b", code=7),
    "network name that ends in a newline": _named("a\n", code=7),
    "network name that begins with a dot": _named(".ipam", code=7),
    "network name empty": _named("", code=7),
    "network name null": _named(None, code=7),
    "network name 5": [add(conf(name=5), code=6, differs="decoder-wording", says="error unmarshall network config")],
    "network name with all that is allowed": _named("0.A-b_9"),
    "network name longer than a file's may be": [
        add(conf(name="a" * 300), code=7, differs="network-name-length", says="name is too long"),
    ],
    "CNI_ARGS empty": _args(""),
    "CNI_ARGS of a runtime": _args(
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u-1"
    ),
    "CNI_ARGS with IgnoreUnknown last": _args("K8S_POD_NAME=web;IgnoreUnknown=true"),
    "CNI_ARGS with IgnoreUnknown in capitals": _args("IgnoreUnknown=TRUE;A=1"),
    "CNI_ARGS with IgnoreUnknown=0": _args("IgnoreUnknown=0;A=1", code=4),
    "CNI_ARGS with IgnoreUnknown=False": _args("IgnoreUnknown=False;A=1", code=4),
    "CNI_ARGS with IgnoreUnknown=yes": _args("IgnoreUnknown=yes;A=1", code=4),
    "CNI_ARGS with IgnoreUnknown twice, the last counts": _args("IgnoreUnknown=1;A=1;B=2;IgnoreUnknown=0", code=4),
    "CNI_ARGS with an empty IgnoreUnknown": _args("IgnoreUnknown=;A=1", code=4),
    "CNI_ARGS with one unknown key": _args("A=1", code=4),
    "CNI_ARGS with two unknown keys": _args("A=1;B=2", code=4),
    "CNI_ARGS without a value": _args("A", code=4),
    "CNI_ARGS with two equals signs": _args("IgnoreUnknown=1;A=1=2", code=4),
    "CNI_ARGS that end in a semicolon": _args("IgnoreUnknown=1;", code=4),
    "CNI_ARGS of a semicolon": _args(";", code=4),
    "CNI_ARGS of an equals sign": _args("=", code=4),
    "CNI_ARGS with a key of Go's own": [
        add(args="CommonArgs=1", code=4, differs="decoder-wording", says='unknown args ["CommonArgs=1"]')
    ],
    "CNI_ARGS wrong at CHECK": [add(), check(args="A", code=4)],
    "CNI_ARGS wrong at DEL": [add(), delete(args="A", code=4)],
}
