"""Times as people write them."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from ipam.inspection.times import format_duration, parse_duration, parse_moment

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 4, 12, 30, tzinfo=ZONE)  # a Wednesday


def at(*fields: int) -> float:
    return datetime(*fields, tzinfo=ZONE).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW.timestamp()),
        ("12:00", at(2026, 3, 4, 12, 0)),
        ("14:03", at(2026, 3, 3, 14, 3)),
        ("today 14:03", at(2026, 3, 4, 14, 3)),
        ("yesterday 14:03", at(2026, 3, 3, 14, 3)),
        ("Yesterday at 14:03:09", at(2026, 3, 3, 14, 3, 9)),
        ("yesterday", at(2026, 3, 3)),
        ("monday 9:00", at(2026, 3, 2, 9, 0)),
        ("wednesday 12:00", at(2026, 3, 4, 12, 0)),
        ("wednesday 13:00", at(2026, 2, 25, 13, 0)),
        ("2 hours ago", at(2026, 3, 4, 10, 30)),
        ("1d 2h ago", at(2026, 3, 3, 10, 30)),
        ("30m", at(2026, 3, 4, 12, 0)),
        ("2026-03-01", at(2026, 3, 1)),
        ("20260301", at(2026, 3, 1)),
        ("20260301T140309", at(2026, 3, 1, 14, 3, 9)),
        ("20260301T120300Z", at(2026, 3, 1, 14, 3)),
        ("2026-03-01 14:03", at(2026, 3, 1, 14, 3)),
        ("2026-03-01T14:03+02:00", at(2026, 3, 1, 14, 3)),
        ("2026-03-01T12:03:00Z", at(2026, 3, 1, 14, 3)),
        ("1700000000", 1_700_000_000.0),
        ("1700000000.25", 1_700_000_000.25),
        ("99999999999999h", 0.0),
        ("999999999999999999999999d ago", 0.0),
        ("0001-01-01", 0.0),
    ],
)
def test_a_moment_is_what_people_mean(text: str, moment: float) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9999-12-31T23:59:59-12:00",
        "soon",
        "25:00",
        "12:60",
        "yesterday noon",
        "5 apples ago",
        "2026-13-01",
        "99999999999999",
        "12:00 ago",
    ],
)
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"14:03|year 9999"):
        parse_moment(text, NOW)


@pytest.fixture
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_berlin")
@pytest.mark.parametrize(
    ("now", "text", "moment"),
    [
        ("2026-07-01T10:00", "2026-01-01 12:00", "2026-01-01T12:00+01:00"),
        ("2026-01-01T10:00", "2026-07-01 12:00", "2026-07-01T12:00+02:00"),
        ("2026-03-29T10:00", "yesterday 12:00", "2026-03-28T12:00+01:00"),
        ("2026-03-29T10:00", "01:00", "2026-03-29T01:00+01:00"),
        ("2026-10-25T10:00", "02:00", "2026-10-25T02:00+02:00"),
        ("2026-03-29T10:00", "12h ago", "2026-03-28T21:00+01:00"),
        ("2026-03-29T10:00", "0001-01-01", "1970-01-01T00:00+00:00"),
    ],
)
def test_a_local_time_has_the_offset_of_its_own_day(now: str, text: str, moment: str) -> None:
    assert parse_moment(text, datetime.fromisoformat(now)) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5h", 5400), ("1h30m", 5400), ("2 hours, 5 min", 7500), ("1 week", 604800)],
)
def test_a_duration_is_what_people_mean(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "5x", "5m later", "-5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3725, "1h 2m"), (90000, "1d 1h"), (86400, "1d"), (86405, "1d"), (-5, "0s")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
