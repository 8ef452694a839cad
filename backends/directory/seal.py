"""The line of history that stands in place of what was forgotten."""

from __future__ import annotations

from ipam import chain, jsontext
from ipam.errors import CniError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def encode_seal(now: float, removed: int, carried: list[bytes], head: bytes) -> bytes:
    """The line that stands in place of forgotten events, before the claims that were kept of them.

    `removed` is the number of events forgotten so far, `head` the link that the next event follows.
    """
    value = {
        "sealed": now,
        "removed": removed,
        "carried": len(carried),
        "bytes": sum(map(len, carried)),
        "digest": chain.text(chain.link(chain.START, b"".join(carried))).decode(),
        "head": chain.text(head).decode(),
    }
    return chain.chained(chain.START, jsontext.to_bytes(jsontext.encode(value)))[0]


def parse_seal(line: bytes) -> dict[str, Any] | None:
    """The object of a seal; None for any other line."""
    if not line.startswith(b'{"sealed":'):
        return None
    try:
        value = jsontext.decode(line)
    except CniError:
        return None
    texts = isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("digest", "head"))
    numbers = isinstance(value, dict) and all(
        isinstance(value.get(key), int) for key in ("removed", "carried", "bytes")
    )
    return value if texts and numbers and isinstance(value, dict) else None
