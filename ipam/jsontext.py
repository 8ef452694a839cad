"""JSON in and out without the json module, whose import costs as much as all else that an ADD does."""

# The C scanner behind json.loads is importable by itself; the rules around it (UTF-8, no NaN, nothing
# after the value, bounded size and depth) are stated here.
from __future__ import annotations

from _json import make_scanner

from ipam.errors import Undecodable

LIMIT = 1 << 20
"""The most bytes of input that are looked at."""

_MOST_DIGITS = 4300
_BLANK = " \t\n\r"
# What Go's encoder escapes: quotes, backslash, controls, HTML's three, and two line separators.
_ESCAPES = {code: f"\\u{code:04x}" for code in [*range(32), *b"<>&", 0x2028, 0x2029]}
_ESCAPES.update({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int | float:
    """Python refuses to read more digits; an infinite number in an unknown key harms nobody."""
    return int(text) if len(text) <= _MOST_DIGITS else float(text)


class _Rules:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = staticmethod(_integer)
    parse_constant = staticmethod(_refuse_constant)


_scan = make_scanner(_Rules)  # type: ignore[arg-type]  # any object with these attributes will do


def decode(data: bytes) -> object:
    """The value of one JSON text.

    Raises Undecodable where `data` is longer than LIMIT, not UTF-8, not JSON, or has more than one value.
    """
    if len(data) > LIMIT:
        raise Undecodable("error unmarshall network config: input is longer than 1 MiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise Undecodable(f"error unmarshall network config: not UTF-8 at byte {bad.start}") from None
    start = len(text) - len(text.lstrip(_BLANK))
    try:
        value, end = _scan(text, start)
    except RecursionError:
        raise Undecodable("error unmarshall network config: nested too deeply") from None
    except (StopIteration, ValueError, SystemError):
        # The scanner alone has no words (SystemError: it looked for json.decoder's); the json module has.
        raise Undecodable(f"error unmarshall network config: {_explain(text)}") from None
    if text[end:].strip(_BLANK):
        raise Undecodable(f"error unmarshall network config: more text after the JSON value, at character {end}")
    return value


def _explain(text: str) -> str:
    from json import loads

    try:
        loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except (ValueError, RecursionError) as bad:
        return str(bad)
    return "not JSON"


def string(text: str) -> str:
    """`text` as a JSON string."""
    return f'"{text.translate(_ESCAPES)}"'


def encode(value: object) -> str:
    """Compact JSON on one line."""
    if isinstance(value, str):
        return string(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ",".join([f"{string(key)}:{encode(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([encode(item) for item in value]) + "]"
    return repr(value)


def pretty(value: object, indent: str = "") -> str:
    """JSON over several lines, four spaces a level, byte for byte as Go's MarshalIndent lays it out."""
    if isinstance(value, str):
        return string(value)
    deeper = indent + "    "
    if isinstance(value, dict) and value:
        rows = [f"{deeper}{string(key)}: {pretty(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        rows = [deeper + pretty(item, deeper) for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return encode(value)


def to_bytes(text: str) -> bytes:
    """UTF-8; a lone surrogate, which has none, as its JSON escape."""
    return text.encode("utf-8", "backslashreplace")


def quote(value: object, limit: int = 80) -> str:
    """A value of unknown origin, fit for one line: as JSON would have it, escaped, cut at `limit` characters."""
    if not isinstance(value, str):
        try:
            return _cut(ascii(encode(value))[1:-1], limit)
        except RecursionError:
            return _outline(value, limit)
    return '"' + _cut(ascii(value[: limit + 1])[1:-1].replace('"', '\\"'), limit, len(value)) + '"'


def _outline(value: object, limit: int) -> str:
    """How something begins that is nested too deeply to be encoded."""
    text = ""
    while len(text) < limit and isinstance(value, list | dict) and value:
        key = next(iter(value)) if isinstance(value, dict) else ""
        text += f"{{{string(key)}:" if isinstance(value, dict) else "["
        value = value[key] if isinstance(value, dict) else value[0]
    return f"{ascii(text[:limit])[1:-1]}…"


def _cut(text: str, limit: int, length: int = 0) -> str:
    return text if max(len(text), length) <= limit else f"{text[:limit]}… ({max(len(text), length)} characters)"
