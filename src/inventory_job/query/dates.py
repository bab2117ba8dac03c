"""Expressions over stored dates, of which some are no dates and some beyond what MongoDB formats.

One such value would end the whole query (known-defects.md, W16): it counts under null instead.
"""

from __future__ import annotations

from typing import Any

from bson.datetime_ms import DatetimeMS

from inventory_job.query.operators import Document

# The years 0 to 9999, whose dates MongoDB takes apart and formats.
_FIRST = DatetimeMS(-62_167_219_200_000)
_END = DatetimeMS(253_402_300_800_000)


def when_formattable(date: str, then: Any) -> Document:
    """The expression `then` where `date`, a field path with its `$`, is a date of the years 0 to
    9999, or of a type that has one; else null."""
    # In MongoDB's order of types only dates lie between two dates.
    is_within = {"$and": [{"$gte": [date, _FIRST]}, {"$lt": [date, _END]}]}
    has_date = {"$in": [{"$type": date}, ["objectId", "timestamp"]]}
    return {"$cond": [{"$or": [is_within, has_date]}, then, None]}
