"""The periods by which jobs are counted: their names in queries, and their labels.

Times are naive and UTC, as in the query language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from inventory_job.query.times import parse_iso, parse_relative


class Period(StrEnum):
    """The period that a row of counts covers."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


FORMATS: Mapping[Period, str] = MappingProxyType(
    {
        Period.HOUR: "%Y-%m-%d %H:00",
        Period.DAY: "%Y-%m-%d",
        Period.WEEK: "%G-W%V",
        Period.MONTH: "%Y-%m",
        Period.YEAR: "%Y",
    }
)
"""The format of each period, for MongoDB and Python alike; labels sort as text."""

_LONGEST: Mapping[Period, timedelta] = MappingProxyType(
    {
        Period.HOUR: timedelta(hours=1),
        Period.DAY: timedelta(days=1),
        Period.WEEK: timedelta(weeks=1),
        Period.MONTH: timedelta(days=31),
        Period.YEAR: timedelta(days=366),
    }
)


def now() -> datetime:
    """The current time."""
    return datetime.now(UTC).replace(tzinfo=None)


def iso(time: datetime) -> str:
    """A time in ISO 8601, to the millisecond."""
    return f"{time.isoformat(timespec='milliseconds')}Z"


def parse_time(text: str, now: datetime) -> datetime:
    """Parses a time: an age (`30d`), relative to now (`now/m-1w`), or ISO 8601.

    Raises ValueError with a reason.
    """
    written = text.strip()
    if written.startswith("now"):
        return parse_relative(written, now)
    if written[-1:] in set("smhdw") and written[:-1].isdigit():
        return parse_relative(f"now-{written}", now)
    try:
        return parse_iso(written)
    except ValueError:
        raise ValueError("not a time such as 30d, now/m-1w or 2026-03-04") from None


def start_of(period: Period, time: datetime) -> datetime:
    """The start of the period that contains `time`."""
    hour = time.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    starts = {
        Period.HOUR: hour,
        Period.DAY: day,
        Period.WEEK: day - timedelta(days=day.weekday()),
        Period.MONTH: day.replace(day=1),
        Period.YEAR: day.replace(day=1, month=1),
    }
    return starts[period]


def labels(period: Period, start: datetime, end: datetime) -> Iterator[str]:
    """Yields the label of each period from the one with `start` up to `end`, exclusive."""
    time = start_of(period, start)
    while time < end:
        yield time.strftime(FORMATS[period])
        try:
            time = start_of(period, time + _LONGEST[period])
        except OverflowError:  # there is no year after 9999
            return
