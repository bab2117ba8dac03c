"""Durations of jobs: computed from a job's times, in words, and percentiles. Pure functions.

Times are naive and UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from inventory_job.query.times import parse_iso

RUNNING = "IN_PROGRESS"


def time_of(job: Mapping[str, Any], field: str) -> datetime | None:
    """The time in a field of a job; None if it has none."""
    try:
        return parse_iso(job.get(field) or "")
    except ValueError:
        return None


def taken(job: Mapping[str, Any]) -> timedelta | None:
    """How long a finished job took; None if that is unknown, for instance because it ended
    before it began."""
    begin, end = time_of(job, "created_at"), time_of(job, "finished_at")
    return None if begin is None or end is None or end < begin else end - begin


def duration(job: Mapping[str, Any], now: datetime) -> timedelta | None:
    """How long a job took, or has been running at `now`; None if that is unknown."""
    if job["status"] == RUNNING:
        begin = time_of(job, "created_at")
        return None if begin is None else max(now - begin, timedelta())
    return taken(job)


def in_words(length: timedelta) -> str:
    """A duration in two units: `2d 03h`, `3h 05m`, `0m 07s`."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"


def percentile(values: Sequence[timedelta], share: float) -> timedelta:
    """The percentile by nearest rank: the smallest value that at least `share` of all values do
    not exceed. `values` must not be empty."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
