"""One line of JSON for a call, where its config asks for it by `logLevel`: who asked for what, and what came of it."""

from __future__ import annotations

from ipam import cni, jsontext
from ipam.errors import InvalidConfig, Undecodable
from ipam.jsontext import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ipam.model import Host
    from ipam.request import Reply, Request

LEVELS = {"none": -1, "error": 3, "info": 6, "debug": 7}
"""What `logLevel` may be, and syslog's number of the least urgent lines that it lets through (RFC 5424, 6.2.1)."""

_ERROR, _INFO, _DEBUG = LEVELS["error"], LEVELS["info"], LEVELS["debug"]
_NAMES = {number: name for name, number in LEVELS.items()}
_QUIET = ("CHECK", "STATUS", "VERSION")  # they change nothing, and runtimes ask every few seconds


def level(value: object, *, strict: bool) -> str:
    """One of LEVELS, as a config names it. Not `strict`: what is wrong means none. Raises InvalidConfig."""
    if isinstance(value, str) and (not value or value in LEVELS):
        return value or "none"
    if strict:
        raise InvalidConfig(f"ipam.logLevel must be one of {', '.join(LEVELS)}, not {quote(value)}")
    return "none"


def recorder(named: str, request: Request, network: str, host: Host) -> Callable[[Reply], None] | None:
    """What puts the line into a Reply; None where that level lets none through."""
    most = LEVELS[named]
    if most < 0:
        return None
    began = host.clock()

    def record(reply: Reply) -> None:
        command = request.env.get("CNI_COMMAND", "")
        urgency = _ERROR if reply.exit_code else _DEBUG if command in _QUIET else _INFO
        if urgency > most:
            return
        now = host.clock()
        line = {
            "time": now,
            "level": _NAMES[urgency],
            "command": command,
            "network": network,
            "container": request.env.get("CNI_CONTAINERID", ""),
            "ifname": request.env.get("CNI_IFNAME", ""),
            **_outcome(reply),
            "args": request.env.get("CNI_ARGS", "") if most >= _DEBUG else "",
            "traceparent": cni.traceparent(request.env),
            "seconds": round(now - began, 6),
        }
        shown = {key: value for key, value in line.items() if value not in ("", [])}
        reply.log = (urgency, jsontext.encode(shown) + "\n")

    return record


def _outcome(reply: Reply) -> dict[str, object]:
    """`code` (0: ok), then the addresses, or `msg` and `details`."""
    try:
        answer = jsontext.decode(reply.stdout) if reply.stdout else {}
    except Undecodable:
        answer = {}
    if not isinstance(answer, dict):
        return {}
    if reply.exit_code:
        return {key: answer.get(key, "") for key in ("code", "msg", "details")}
    found = answer.get("ips") or [answer[key] for key in ("ip4", "ip6") if key in answer]
    return {"code": 0, "addresses": [each.get("address") or each.get("ip") for each in found]}
