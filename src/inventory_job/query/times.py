"""Parses the times that callers write: in ISO 8601, or relative to now.

The results are naive UTC datetimes in whole milliseconds, which is the precision of MongoDB; finer
fractions are truncated, as MongoDB would do (docs/query-language.md#times).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)?"
_ISO_8601 = re.compile(
    rf"\d{{4}}-\d{{2}}-\d{{2}}([T ]\d{{2}}:\d{{2}}(:\d{{2}}([.,]\d{{1,9}})?)?{_ZONE})?"
    # The basic format without separators, and a month.
    rf"|\d{{8}}(T\d{{4}}(\d{{2}}([.,]\d{{1,9}})?)?{_ZONE})?|\d{{4}}-\d{{2}}",
    re.ASCII,
)
_MONTH_CHARACTERS = len("2026-05")
_RELATIVE = re.compile(
    r"\s*now(?:/(?P<start>[dwm]))?\s*(?:(?P<sign>[+-])\s*(?P<count>\d{1,12})(?P<unit>[smhdw])\s*)?",
    re.ASCII,
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_iso(text: str) -> datetime:
    """Parses a date, or a date-time with optional fraction and zone (default UTC), in the extended
    or the basic format; or a month, which means its first moment.

    Raises ValueError, with a reason fit for callers, for anything else.
    """
    text = text.strip()
    if not _ISO_8601.fullmatch(text):
        raise ValueError("not an ISO 8601 date or date-time such as 2026-03-04T01:02:03Z")
    try:
        if len(text) == _MONTH_CHARACTERS:
            text += "-01"
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            time = time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError("not a date and time that exists") from error
    return _milliseconds(time)


def parse_relative(text: str, now: datetime) -> datetime:
    """Parses `now`, `now/d`, `now/w` or `now/m`, optionally `+` or `-` a number of `s m h d w`.

    `now` is a naive UTC datetime. Raises ValueError, with a reason fit for callers.
    """
    match = _RELATIVE.fullmatch(text)
    if not match:
        raise ValueError(
            "not a relative time: now, now/d, now/w or now/m, then optionally + or -, "
            "a number and one of s, m, h, d, w, such as now-30d or now/d-12h"
        )
    time = now
    if match["start"]:
        time = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if match["start"] == "w":
        time -= timedelta(days=time.weekday())
    if match["start"] == "m":
        time = time.replace(day=1)
    if match["count"]:
        try:
            time += timedelta(**{_UNITS[match["unit"]]: int(match["sign"] + match["count"])})
        except OverflowError as error:
            raise ValueError("a relative time outside the years 1 to 9999") from error
    return _milliseconds(time)


def _milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
