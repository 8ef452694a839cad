"""The CNI protocol's outside: environment and CNI_ARGS in; results, errors and versions out (SPEC 1.1.0)."""

from __future__ import annotations

from ipam import jsontext
from ipam.address import format_address, format_cidr, parse_address, parse_cidr
from ipam.errors import BadEnvironment, CniError, IncompatibleVersion
from ipam.jsontext import quote
from ipam.model import GO_SPACE, IPV4, NO_POD, Address, Lease, Pod, valid_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipam.model import Network

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEWEST = VERSIONS[-1]
FIRST_WITH = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}
REQUIRED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
    "GC": (),
    "STATUS": (),
    "VERSION": (),
}
_LONGEST_CONTAINER_ID = 12_000  # it must fit into a lease file with room to spare
_LONGEST_TEXT = 1500  # of msg or details: what a log line or `kubectl describe` can bear
_LONGEST_INTERFACE = 15  # IFNAMSIZ less the NUL, in bytes
_NOT_IN_INTERFACE = frozenset(f"/:{GO_SPACE}")
_HEX = frozenset("0123456789abcdef")
_NETNS_OVERRIDE = ("1", "true")
_INDENT = "    "


def check_environment(command: str, env: Mapping[str, str]) -> None:
    """Raise BadEnvironment that names every variable `command` needs and has not, or the one that is wrong."""
    if command not in REQUIRED:
        raise BadEnvironment(f"unknown CNI_COMMAND: {quote(command)[1:-1]}", f"supported: {', '.join(REQUIRED)}")
    if "\0" in "".join(env.values()):
        name, value = next((name, value) for name, value in env.items() if "\0" in value)
        raise BadEnvironment(f"{name} has a NUL in it", f"{name}={quote(value)}")
    missing = [name for name in REQUIRED[command] if not env.get(name)]
    if missing:
        raise BadEnvironment(
            f"required env variables [{','.join(missing)}] missing", f"CNI_COMMAND={command} needs them"
        )


def check_attachment(container_id: str, ifname: str) -> None:
    """Raise BadEnvironment where the container id or the interface name breaks the rules of SPEC section 2."""
    if not valid_name(container_id):
        raise BadEnvironment(
            "invalid characters in containerID", f"CNI_CONTAINERID={quote(container_id)}; {_NAME_RULE}"
        )
    if len(container_id) > _LONGEST_CONTAINER_ID:
        raise BadEnvironment("containerID is too long", f"CNI_CONTAINERID={quote(container_id)}")
    wrong, advice = "", ""
    if len(ifname.encode("utf-8", "surrogateescape")) > _LONGEST_INTERFACE:
        wrong, advice = "is too long", "; at most 15 bytes"
    elif ifname in (".", ".."):
        wrong = "is . or .."
    elif not _NOT_IN_INTERFACE.isdisjoint(ifname):
        wrong = "contains / or : or whitespace characters"
    if wrong:
        raise BadEnvironment(f"interface name {wrong}", f"CNI_IFNAME={quote(ifname)}{advice}")


_NAME_RULE = "it must start with a letter or digit, then letters, digits, _ . and - only"


def traceparent(env: Mapping[str, str]) -> str:
    """TRACEPARENT where it is one (W3C Trace Context, 3.2: version, trace id, parent id and flags in hex); else ""."""
    text = env.get("TRACEPARENT", "")
    parts = text.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2] or not _HEX.issuperset("".join(parts)):
        return ""
    return "" if parts[0] == "ff" or not parts[1].strip("0") or not parts[2].strip("0") else text


def netns_override(env: Mapping[str, str]) -> bool:
    """Whether the caller allows CNI_NETNS to be the plugin's own namespace (CNI_NETNS_OVERRIDE)."""
    return env.get("CNI_NETNS_OVERRIDE", "").lower() in _NETNS_OVERRIDE


def parse_args(text: str) -> tuple[Address | None, Pod]:
    """The requested address and the pod in CNI_ARGS (`K=V;K=V`).

    Raises BadEnvironment for a pair without exactly one `=`, for unknown keys where IgnoreUnknown is not
    true, wherever it stands, and for values that are no address or no boolean.
    """
    if not text:
        return None, NO_POD
    requested, ignore, known, unknown = None, False, {}, []
    for pair in text.split(";"):
        parts = pair.split("=")
        if len(parts) != 2:
            raise BadEnvironment(f"ARGS: invalid pair {quote(pair)}", f"CNI_ARGS={quote(text)}")
        key, value = parts
        if key == "IP":
            requested = _args_address(pair, value)
        elif key == "IgnoreUnknown":
            ignore = _args_boolean(pair, value)
        else:
            known[key] = value
            unknown.append(pair)
    if unknown and not ignore:
        listed = " ".join(map(quote, unknown))
        raise BadEnvironment(f"ARGS: unknown args [{listed}]", "say IgnoreUnknown=1 to have them ignored")
    pod = Pod(*[known.get(f"K8S_POD_{key}", "")[:512] for key in ("NAMESPACE", "NAME", "UID")])
    return requested, pod


def _args_address(pair: str, value: str) -> Address | None:
    if not value:
        return None
    address = parse_requested(value)
    if address is None:
        raise BadEnvironment(
            f"ARGS: error parsing value of pair {quote(pair)}: invalid IP address {quote(value)[1:-1]}",
            "in CNI_ARGS; IP takes an address, with or without /length",
        )
    return address


def _args_boolean(pair: str, value: str) -> bool:
    if value.lower() in ("1", "true"):
        return True
    if value.lower() in ("0", "false"):
        return False
    raise BadEnvironment(
        f"ARGS: error parsing value of pair {quote(pair)}: boolean unmarshal error: "
        f"invalid input {quote(value.lower())[1:-1]}",
        "in CNI_ARGS; IgnoreUnknown takes 1, true, 0 or false",
    )


def parse_requested(text: str) -> Address | None:
    """The address in `a` or `a/len` (the length is dropped: the range's counts), or None."""
    if "/" not in text:
        return parse_address(text)
    parsed = parse_cidr(text)
    return parsed[0] if parsed else None


def check_version(command: str, version: str) -> None:
    """Raise IncompatibleVersion where `version` is not one of ours, or is too old to have `command`."""
    if version not in VERSIONS:
        raise IncompatibleVersion(
            "incompatible CNI versions",
            f"config is {quote(version)}, plugin supports {quote(' '.join(VERSIONS))[1:-1]}",
        )
    first = FIRST_WITH.get(command)
    if first and VERSIONS.index(version) < VERSIONS.index(first):
        raise IncompatibleVersion(
            f"config version does not allow {command}", f"cniVersion {version} is older than {first}"
        )


def result_json(version: str, leases: list[Lease], network: Network, dns: dict[str, object]) -> bytes:
    """The success object of ADD (SPEC section 5) in the form that `version` has."""
    parts = [f'"cniVersion": "{version}"']
    routes = list(network.routes)
    if version in ("0.1.0", "0.2.0"):
        for lease in leases:
            family = "ip4" if lease.address.family == IPV4 else "ip6"
            old = _old_ip(lease, network, [route for route in routes if _family_of(route) == family])
            parts.append(f'"{family}": {jsontext.pretty(old, _INDENT)}')
    else:
        parts.append('"ips": [\n' + ",\n".join([_ip(lease, network, version) for lease in leases]) + "\n    ]")
        if routes:
            parts.append(f'"routes": {jsontext.pretty(routes, _INDENT)}')
    if dns or version < "1.0.0":
        parts.append(f'"dns": {jsontext.pretty(dns, _INDENT)}')
    return jsontext.to_bytes("{\n    " + ",\n    ".join(parts) + "\n}")


def _ip(lease: Lease, network: Network, version: str) -> str:
    prefix, gateway = _subnet_of(lease, network)
    family = "" if version >= "1.0.0" else f'            "version": "{lease.address.family}",\n'
    return (
        f'        {{\n{family}            "address": "{format_cidr(lease.address, prefix)}",\n'
        f'            "gateway": "{gateway}"\n        }}'
    )


def _old_ip(lease: Lease, network: Network, routes: list[dict[str, object]]) -> dict[str, object]:
    prefix, gateway = _subnet_of(lease, network)
    ip: dict[str, object] = {"ip": format_cidr(lease.address, prefix), "gateway": gateway}
    if routes:
        ip["routes"] = [{key: route[key] for key in ("dst", "gw") if key in route} for route in routes]
    return ip


def _subnet_of(lease: Lease, network: Network) -> tuple[int, str]:
    for range_set in network.range_sets:
        rng = range_set.range_of(lease.address)
        if rng is not None:
            return rng.prefix, format_address(rng.gateway)
    raise CniError(f"{format_address(lease.address)} was leased from outside the network's ranges")


def _family_of(route: dict[str, object]) -> str:
    return "ip6" if ":" in str(route["dst"]) else "ip4"


def error_json(version: str, error: CniError) -> bytes:
    """The error object (SPEC section 5, Error). It carries the newest version where `version` is not ours."""
    version = version if version in VERSIONS else NEWEST
    result: dict[str, object] = {"cniVersion": version, "code": error.code, "msg": _shortened(error.msg)}
    if error.details:
        result["details"] = _shortened(error.details)
    return jsontext.to_bytes(jsontext.pretty(result))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def version_json(version: str) -> bytes:
    """The answer to VERSION: the input's cniVersion again, and all that are supported."""
    return jsontext.to_bytes(jsontext.encode({"cniVersion": version, "supportedVersions": list(VERSIONS)}))
