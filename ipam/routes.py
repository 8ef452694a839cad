"""Routes and DNS of a config: what ADD passes through to the main plugin, checked before anything is leased."""

from __future__ import annotations

import posix
from _stat import S_ISREG

from ipam.address import format_address, format_cidr, parse_address, parse_cidr
from ipam.errors import InputOutput, InvalidConfig
from ipam.jsontext import quote
from ipam.model import GO_SPACE

_NUMBERS = ("mtu", "advmss", "priority")  # dropped when zero, as Go drops them
_NUMBERS_KEPT = ("table", "scope")  # zero means something: kept
_MOST = (1 << 63) - 1
_MOST_BYTES = 1 << 16
_TO_BLANKS = dict.fromkeys(map(ord, GO_SPACE), " ")


def parse_routes(items: list[object]) -> tuple[dict[str, object], ...]:
    """The routes as result objects, in the key order that Go prints. Raises InvalidConfig."""
    return tuple([_route(item, f"ipam.routes[{place}]") for place, item in enumerate(items)])


def _route(item: object, path: str) -> dict[str, object]:
    if not isinstance(item, dict):
        raise InvalidConfig(f"{path} must be an object with a dst, not {quote(item)}")
    conf = {key.lower(): value for key, value in item.items() if value is not None}
    dst = conf.get("dst", "")
    parsed = parse_cidr(dst) if isinstance(dst, str) else None
    if parsed is None:
        shown = quote(dst)
        raise InvalidConfig(f"invalid CIDR address: {shown[1:-1]}", f"{path}.dst is like 10.1.0.0/16, not {shown}")
    route: dict[str, object] = {"dst": format_cidr(*parsed)}
    gateway = conf.get("gw", "")
    if gateway != "":
        address = parse_address(gateway) if isinstance(gateway, str) else None
        if address is None:
            shown = quote(gateway)
            raise InvalidConfig(f"invalid IP address: {shown[1:-1]}", f"{path}.gw must be an address, not {shown}")
        route["gw"] = format_address(address)
    for key in _NUMBERS + _NUMBERS_KEPT:
        number = conf.get(key)
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or abs(number) > _MOST):
            raise InvalidConfig(f"{path}.{key} must be a whole number of 64 bits, not {quote(number)}")
        if number or (number is not None and key in _NUMBERS_KEPT):
            route[key] = number
    return route


def read_dns(path: str) -> dict[str, object]:
    """The DNS settings in the resolv.conf(5) file at `path`, as a result's `dns` object.

    Raises InputOutput where it cannot be read. `domain` counts once, the last; the others add up.
    """
    dns: dict[str, object] = {}
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in _read(path).decode("utf-8", "replace").split("\n"):
        words = [word for word in line.translate(_TO_BLANKS).split(" ") if word]
        if len(words) < 2 or words[0][0] in "#;":
            continue
        if words[0] == "nameserver":
            nameservers.append(words[1])
        elif words[0] == "domain":
            dns["domain"] = words[1]
        elif words[0] == "search":
            search += words[1:]
        elif words[0] == "options":
            options += words[1:]
    ordered = {"nameservers": nameservers, "domain": dns.get("domain"), "search": search, "options": options}
    return {key: value for key, value in ordered.items() if value}


def _read(path: str) -> bytes:
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
        try:
            if not S_ISREG(posix.fstat(fd).st_mode):
                raise InputOutput(f"open {quote(path, 500)[1:-1]}: not a regular file", "as ipam.resolvConf")
            return posix.read(fd, _MOST_BYTES)
        finally:
            posix.close(fd)
    except OSError as error:
        raise InputOutput(
            f"open {quote(path, 500)[1:-1]}: {str(error.strerror).lower()}", "as ipam.resolvConf"
        ) from None
