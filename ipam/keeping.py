"""`historyKeep`: how much history a store keeps, by age and by size."""

from __future__ import annotations

from ipam.errors import InvalidConfig
from ipam.jsontext import quote

_KEYS = {"days": 86_400.0, "megabytes": 1 << 20}


def parse(value: object) -> tuple[float, int]:
    """(seconds, bytes) of history to keep; 0 where there is no limit. Raises InvalidConfig."""
    if not isinstance(value, dict):
        raise InvalidConfig(f"ipam.historyKeep must be an object with days or megabytes, not {quote(value)}")
    found = dict.fromkeys(_KEYS, 0.0)
    for key, number in value.items():
        name = key.lower()
        if name not in _KEYS or number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 1e6:
            raise InvalidConfig(f"ipam.historyKeep.{name} must be a number, more than 0, not {quote(number)}")
        found[name] = number * _KEYS[name]
    return found["days"], int(found["megabytes"])
