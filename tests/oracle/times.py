"""ISO 8601 and relative time in requests, and MongoDB's date formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from bson import ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from .values import AnyOf, NotEvaluable, Refused

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_RELATIVE: Final = re.compile(r" *now(?:/([dwm]))?(?: *([+-]) *(\d+)([smhdw]))? *", re.ASCII)
_LAST_YEAR_OF_INT32: Final = 2038
_YEAR_0: Final = -62_167_219_200_000
_YEAR_1: Final = -62_135_596_800_000
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def to_utc(moment: datetime) -> datetime:
    """A moment as the database stores it: naive, UTC, whole milliseconds. Naive means UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def parse_iso(text: str) -> datetime:
    """The UTC moment that an ISO 8601 date or date-time names."""
    found = _ISO.fullmatch(text)
    if found is None:
        raise NotEvaluable(f"not an ISO 8601 date in a form the specification names: {text!r}")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(zone),
        )
        return to_utc(moment)
    except (ValueError, OverflowError) as error:
        raise NotEvaluable(f"not a date that can be stored: {text!r}") from error


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def parse_relative(text: str, now: datetime) -> datetime:
    """The UTC moment that a relative time such as `now/d-12h` names."""
    found = _RELATIVE.fullmatch(text)
    if found is None:
        raise NotEvaluable(f"not a relative time: {text!r}")
    start, sign, count, unit = found.groups()
    moment = to_utc(now)
    if start is not None:
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if start == "w":
        moment -= timedelta(days=moment.weekday())
    if start == "m":
        moment = moment.replace(day=1)
    if unit is None:
        return moment
    try:
        shift = int(count) * _UNITS[unit]
        return moment - shift if sign == "-" else moment + shift
    except OverflowError as error:
        raise NotEvaluable(f"beyond the calendar: {text!r}") from error


_FORMATS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "d": lambda t: f"{t.day:02d}",
    "G": lambda t: f"{t.isocalendar().year:04d}",
    "H": lambda t: f"{t.hour:02d}",
    "j": lambda t: f"{t.timetuple().tm_yday:03d}",
    "L": lambda t: f"{t.microsecond // 1000:03d}",
    "m": lambda t: f"{t.month:02d}",
    "M": lambda t: f"{t.minute:02d}",
    "S": lambda t: f"{t.second:02d}",
    "u": lambda t: f"{t.isoweekday()}",
    "U": lambda t: t.strftime("%U"),
    "V": lambda t: f"{t.isocalendar().week:02d}",
    "w": lambda t: f"{t.isoweekday() % 7 + 1}",
    "Y": lambda t: f"{t.year:04d}",
    "z": lambda _: "+0000",
    "Z": lambda _: "0",
    "%": lambda _: "%",
}
_PARTS: Final[Mapping[str, Callable[[datetime], int]]] = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
}
_SPECIFIER: Final = re.compile(r"%(.?)", re.DOTALL)


def date_text(value: Any, form: str) -> str | None:
    """`{$dateToString: {format, date}}` in UTC; null for what is no date that can be written."""
    for letter in _SPECIFIER.findall(form):
        if letter not in _FORMATS:
            raise Refused(f"no date format %{letter}")
    moment = _moment(value)
    if moment is None:
        return None
    return _SPECIFIER.sub(lambda found: _FORMATS[found[1]](moment), form)


def date_part(value: Any, date_format: str) -> int | str | None:
    """A group key with a date_format: a number for year, month and day, else text."""
    if date_format not in _PARTS:
        return date_text(value, date_format)
    moment = _moment(value)
    return None if moment is None else _PARTS[date_format](moment)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, AnyOf):
        raise NotEvaluable("the time in a value that is undefined")
    if isinstance(value, datetime):
        return value
    if isinstance(value, Timestamp):
        return to_utc(value.as_datetime())
    if isinstance(value, DatetimeMS) and _YEAR_0 <= int(value) < _YEAR_1:
        raise NotEvaluable("the year 0")
    if isinstance(value, ObjectId):
        moment = to_utc(value.generation_time)
        if moment.year >= _LAST_YEAR_OF_INT32:
            raise NotEvaluable("the time in an ObjectId beyond 32 bits")
        return moment
    # A text, say, or a date beyond the year 9999: the job counts under null.
    return None
