"""Places on the way to deep pages of the newest jobs, from where it is not far to go.

The database passes all jobs before a page, one by one. Where the number of jobs created after some
time is kept up to date, as totals are (model.totals), they need not be passed: the page is looked
for among the others. So pages that are asked for again take as long as the first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from typing import Any

import pymongo
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from inventory_job.model.client import Database
from inventory_job.model.counts.cache import Totals
from inventory_job.model.counts.counters import Tally
from inventory_job.query.countable import Countable, countable
from inventory_job.query.filters import ScopedFilter

FAR = 2000
"""So many jobs to pass are worth a waypoint."""

_MOST_FILTERS = 200
_MOST_OF_A_FILTER = 16
_SORTED_BEFORE_DATES = {
    "created_at": {
        "$type": [
            "timestamp",
            "regex",
            "dbPointer",
            "javascript",
            "javascriptWithScope",
            "maxKey",
        ]
    }
}


class Waypoints:
    """The waypoints used last. Safe to share between threads."""

    def __init__(self, database: Database, totals: Totals) -> None:
        self._jobs = database.jobs
        self._totals = totals
        self._lock = threading.Lock()
        self._ways: OrderedDict[Countable, OrderedDict[datetime, Tally]] = OrderedDict()

    def shortened(self, jobs: ScopedFilter, skip: int) -> tuple[ScopedFilter, int]:
        """Of `jobs`, newest first, those from the nearest waypoint on, and how many of them to
        skip instead of `skip` of all."""
        way = countable(jobs) if skip >= FAR and self._ways else None
        with self._lock:
            points = [*self._ways.get(way, {}).items()] if way else []
        known = [
            (passed, created_at)
            for created_at, before in points
            if (passed := self._totals.total(before)) is not None and passed <= skip
        ]
        if not known or way is None:
            return jobs, skip
        passed, nearest = max(known)
        self._keep(way, nearest, dict(points)[nearest])
        # Not `$lte`, which leaves out what is no date or missing, and comes last.
        return _among(jobs, {"$not": {"$gt": nearest}}), skip - passed

    def note(
        self,
        jobs: ScopedFilter,
        created_at: Any,
        session: ClientSession,
        seconds: float,
    ) -> None:
        """Tells that a page of `jobs` begins at `created_at`, far from all waypoints. Where that
        comes again there is one from then on, if the database says within `seconds` what it takes.
        """
        way = countable(jobs)
        if way is None or not isinstance(created_at, datetime) or seconds <= 0:
            return
        later = _among(jobs, {"$gt": created_at})
        counted = countable(later)
        if counted is None:
            return
        try:
            with pymongo.timeout(seconds):
                before = self._counted(later, counted, session)
        except PyMongoError:
            # The page is there, and this was for the next one only.
            return
        if before is not None:
            self._keep(way, created_at, before)

    def _counted(
        self, later: ScopedFilter, counted: Countable, session: ClientSession
    ) -> Tally | None:
        """The tally of the jobs that come before a time, if these are `later` ones alone."""
        self._totals.count(later, session, lambda: 0)
        before = self._totals.kept(counted)
        if before is None:
            return None
        # These come before all dates. Should one be written from now on, the tally is dropped.
        odd = replace(later, conditions=(*later.conditions[:-1], _SORTED_BEFORE_DATES))
        found = self._jobs.find_one(odd.document, {"_id": 1}, session=session)
        return before if found is None else None

    def _keep(self, way: Countable, created_at: datetime, before: Tally) -> None:
        with self._lock:
            points = self._ways.setdefault(way, OrderedDict())
            points[created_at] = before
            points.move_to_end(created_at)
            if len(points) > _MOST_OF_A_FILTER:
                points.popitem(last=False)
            self._ways.move_to_end(way)
            if len(self._ways) > _MOST_FILTERS:
                self._ways.popitem(last=False)


def _among(jobs: ScopedFilter, created_at: dict[str, Any]) -> ScopedFilter:
    return replace(jobs, conditions=(*jobs.conditions, {"created_at": created_at}))
