"""Conditions on points in time, absolute and relative, as in cases.filters."""

from __future__ import annotations

from datetime import datetime

from tests.cases.filters import NONE, FilterCase

NOW = datetime(2026, 3, 4, 4, 30, 15, 250000)
"""What relative times in the cases are relative to: a Wednesday, half an hour after job 4."""


def _day(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, day, hour)


_MOMENTS = {
    "datetime_lt": "$lt",
    "datetime_lte": "$lte",
    "datetime_gt": "$gt",
    "datetime_gte": "$gte",
}

DATETIME = [
    *(
        FilterCase(
            f"{operator} of a job's own moment",
            "created_at",
            operator,
            "2026-03-04T13:00:00+09:00",
            {"created_at": {symbol: _day(4, 4)}},
            jobs,
        )
        for (operator, symbol), jobs in zip(
            _MOMENTS.items(),
            [{1, 2, 3}, {1, 2, 3, 4}, {5, 6}, {4, 5, 6}],
            strict=True,
        )
    ),
    FilterCase(
        "datetime of a day",
        "created_at",
        "datetime_gte",
        "2026-03-04",
        {"created_at": {"$gte": _day(4)}},
        {4, 5, 6},
    ),
    FilterCase(
        "datetime with a fraction",
        "created_at",
        "datetime_lte",
        "2026-03-04T03:59:59.999Z",
        {"created_at": {"$lte": datetime(2026, 3, 4, 3, 59, 59, 999000)}},
        {1, 2, 3},
    ),
    FilterCase(
        "datetime without a zone is UTC",
        "created_at",
        "datetime_lte",
        "2026-03-04T04:00:00",
        {"created_at": {"$lte": _day(4, 4)}},
        {1, 2, 3, 4},
    ),
    FilterCase(
        "datetime of null is never met",
        "finished_at",
        "datetime_lt",
        "2100-01-01",
        {"finished_at": {"$lt": datetime(2100, 1, 1)}},
        {1, 2, 4, 5, 6},
    ),
]

TIMEDIFF = [
    FilterCase(
        "timediff_lt now",
        "created_at",
        "timediff_lt",
        "now",
        {"created_at": {"$lt": NOW}},
        {1, 2, 3, 4},
    ),
    FilterCase(
        "timediff_lte",
        "created_at",
        "timediff_lte",
        "now/d+4h",
        {"created_at": {"$lte": _day(4, 4)}},
        {1, 2, 3, 4},
    ),
    FilterCase(
        "timediff_gt",
        "created_at",
        "timediff_gt",
        "now/d + 240m",
        {"created_at": {"$gt": _day(4, 4)}},
        {5, 6},
    ),
    FilterCase(
        "timediff_gte",
        "created_at",
        "timediff_gte",
        " now/d+14400s ",
        {"created_at": {"$gte": _day(4, 4)}},
        {4, 5, 6},
    ),
    FilterCase(
        "timediff days",
        "created_at",
        "timediff_gte",
        "now-2d",
        {"created_at": {"$gte": datetime(2026, 3, 2, 4, 30, 15, 250000)}},
        {3, 4, 5, 6},
    ),
    FilterCase(
        "timediff from today",
        "created_at",
        "timediff_lt",
        "now/d",
        {"created_at": {"$lt": _day(4)}},
        {1, 2, 3},
    ),
    FilterCase(
        "timediff before today",
        "created_at",
        "timediff_lt",
        "now/d-12h",
        {"created_at": {"$lt": _day(3, 12)}},
        {1, 2, 3},
    ),
    FilterCase(
        "timediff from Monday",
        "created_at",
        "timediff_gte",
        "now/w",
        {"created_at": {"$gte": _day(2)}},
        {2, 3, 4, 5, 6},
    ),
    FilterCase(
        "timediff from the first of the month",
        "created_at",
        "timediff_gte",
        "now/m+1w",
        {"created_at": {"$gte": _day(8)}},
        NONE,
    ),
]
