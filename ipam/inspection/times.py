"""Times as people write and read them: moments, durations, and the zone that they are in."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

from ipam.inspection.mistakes import Mistake

_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_SECONDS |= {"d": 86400, "day": 86400, "w": 604800, "week": 604800}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*,?\s*")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LATEST = 253_402_300_799  # the end of the year 9999

MOMENTS = "14:03, yesterday 14:03, monday 9:00, 2 hours ago, 30m, 2026-03-01T14:03+01:00, or seconds since the epoch"
"""Examples of what parse_moment() takes."""


_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
"""A day as ISO 8601 has it without hyphens; as seconds since the epoch it would be in 1970."""

_BASIC = re.compile(r"\d{8}t\d")
"""How a moment begins there, which could be a duration."""


def parse_moment(text: str, now: datetime) -> float:
    """The moment that `text` means, in seconds since the epoch; what lies before that is 0.

    What names no zone is in that of `now`, or in the local one, with the offset of its day, where `now` has none. A
    time of day without a date is the last one that has been. Raises Mistake.
    """
    words = text.strip().lower()
    if re.fullmatch(r"\d{5,}(\.\d+)?", words) and not _DATE.fullmatch(words):
        return _within(float(words), text)
    if words == "now":
        return now.timestamp()
    try:
        if words.endswith(" ago") or (_PIECE.match(words) and not _BASIC.match(words)):
            return max(0.0, now.timestamp() - parse_duration(words.removesuffix(" ago")))
        day = _day_and_clock(words, now)
        moment = day if day is not None else datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise Mistake(f"{text!r} is no time that is understood here: say {MOMENTS}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.tzinfo)
    try:
        seconds = moment.timestamp()
    except (OverflowError, ValueError):  # elsewhere it is in the year 0, or 10000
        seconds = 0.0 if moment.year == 1 else _LATEST + 1.0
    return max(0.0, _within(seconds, text))


def _within(seconds: float, text: str) -> float:
    if seconds > _LATEST:
        raise Mistake(f"{text!r} is not in seconds since the epoch: it lies behind the year 9999")
    return seconds


def _day_and_clock(words: str, now: datetime) -> datetime | None:
    """What a day's name and a time of day, or one of both, mean; None for anything else."""
    first, _, rest = words.partition(" ")
    if _CLOCK.fullmatch(words):
        moment = _at(now, words)
        return moment if moment <= now else moment - timedelta(days=1)
    days = {"today": 0, "yesterday": 1}.get(first)
    if first in _WEEKDAYS:
        days = (now.weekday() - _WEEKDAYS.index(first)) % 7
    if days is None:
        return None
    moment = _at(now - timedelta(days=days), rest.strip().removeprefix("at ") or "0:00")
    return moment - timedelta(days=7) if first in _WEEKDAYS and moment > now else moment


def _at(day: datetime, clock: str) -> datetime:
    found = _CLOCK.fullmatch(clock)
    if not found:
        raise ValueError(clock)
    return day.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0), microsecond=0)


def parse_duration(text: str) -> float:
    """Seconds, from `90`, `90s`, `1h30m`, `2 hours`. Raises Mistake."""
    words = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", words):
        return float(words)
    seconds, place = 0.0, 0
    while found := _PIECE.match(words, place):
        unit = found[2] if found[2] in _SECONDS else found[2].removesuffix("s")
        if unit not in _SECONDS:
            break
        seconds, place = seconds + float(found[1]) * _SECONDS[unit], found.end()
    if not words or place != len(words):
        raise Mistake(f"{text!r} is no duration: say 90s, 15m, 2h, 1d, or seconds")
    return seconds


@lru_cache(maxsize=4096)
def _second(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S %z}"


def format_moment(moment: float) -> str:
    """`2026-03-01 14:03:07 +0100`: to the second, in the local zone."""
    return _second(int(moment))


def format_duration(seconds: float) -> str:
    """The two largest units: `3d 4h`, `12m 5s`, `0s`."""
    left = max(0, int(seconds))
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append((count, unit))
    return " ".join([f"{count}{unit}" for count, unit in parts[:2] if count or len(parts) == 1])
