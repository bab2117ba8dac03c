"""Expressions over stored dates, of which some are no dates and some beyond what MongoDB formats.

One such value would end the whole query (docs/differences.md, W16): it counts under null instead.
"""

from __future__ import annotations

from typing import Any

from bson.datetime_ms import DatetimeMS

from inventory_job.query.operators import Document

# The years 0 to 9999, whose dates MongoDB takes apart and formats.
_FIRST = DatetimeMS(-62_167_219_200_000)
_END = DatetimeMS(253_402_300_800_000)
# The two days before it are in a week of the year before, which %G would show.
_FIRST_WEEK = DatetimeMS(int(_FIRST) + 2 * 24 * 60 * 60 * 1000)


def when_formattable(date: str, then: Any, date_format: str = "") -> Document:
    """The expression `then` where `date`, a field path with its `$`, is a date of the years 0 to
    9999, or of a type that has one; else null. `date_format`: what `then` writes it in."""
    first = _FIRST_WEEK if "%G" in date_format.replace("%%", "") else _FIRST
    # In MongoDB's order of types only dates lie between two dates.
    is_within = {"$and": [{"$gte": [date, first]}, {"$lt": [date, _END]}]}
    has_date = {"$in": [{"$type": date}, ["objectId", "timestamp"]]}
    return {"$cond": [{"$or": [is_within, has_date]}, then, None]}
