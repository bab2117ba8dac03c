"""Totals of lists that do not grow with the number of jobs: counted once, then kept.

On a replica set, the exact number of jobs of a filter is kept and adjusted to what a change
stream reports, for filters that allow it (query.countable). It is shown only while the reports
are known to be complete up to less than a second ago. In every other case (a standalone server, a
sharded cluster, a stream that is lost or late, reads from secondaries, other filters) jobs are
counted each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pymongo
from bson import Timestamp
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from inventory_job.model.client import Database
from inventory_job.model.counts.change_stream import ChangeStream
from inventory_job.model.counts.counters import Tallies, Tally
from inventory_job.query.countable import Countable, countable
from inventory_job.query.filters import ScopedFilter

_LONGEST_AGE_SECONDS = 0.8
# InvalidOptions, SnapshotTooOld, SnapshotUnavailable: counting as it is may still work.
_NO_SNAPSHOT = frozenset({72, 239, 246})


@dataclass(frozen=True, slots=True)
class TotalsFigures:
    """How totals came about since the start: known (`hits`), to be counted (`misses`), or not of
    a kind or at a time that they could be known (`bypasses`); how many were `dropped` since they
    could not be adjusted; how many are `kept` now, and whether they are used (`is_current`)."""

    hits: int
    misses: int
    bypasses: int
    dropped: int
    kept: int
    is_current: bool


class Totals:
    """The numbers of jobs of at most `most` filters, those used last; 0 counts each time.

    Nothing is started before the first count. Safe to share between threads; not to be carried
    over a fork.
    """

    def __init__(self, database: Database, most: int = 1000) -> None:
        self._jobs = database.jobs
        self._tallies = Tallies(most)
        self._stream = ChangeStream(database, self._tallies)
        self._is_on = (
            most > 0
            and self._jobs.read_preference == ReadPreference.PRIMARY
            and self._jobs.read_concern.level != "linearizable"
        )
        self._lock = threading.Lock()
        self._bypasses = 0

    def count(
        self,
        jobs: ScopedFilter,
        session: ClientSession,
        count: Callable[[], int],
        time_left: Callable[[], float | None] = lambda: None,
    ) -> int:
        """The number of `jobs`: what is known, else what counting them within `session` gives, in
        the seconds of `time_left`, which may raise.

        `count` counts them where their number is not to be kept. What others wrote shows within
        a second, what `forget` was told of at once. Raises pymongo errors, and what `count` does.
        """
        if self._is_on:
            self._stream.start()
        filter_ = countable(jobs) if self._is_current else None
        if filter_ is None:
            with self._lock:
                self._bypasses += 1
        elif (known := self._tallies.get(filter_)) is not None:
            return known
        with pymongo.timeout(time_left()):
            tally = self._tallies.begin(filter_) if filter_ else None
            total = None if tally is None else self._count_and_keep(tally, jobs, session)
            return count() if total is None else total

    def known(self, jobs: ScopedFilter) -> int | None:
        """The number of `jobs`, if it is known now."""
        filter_ = countable(jobs) if self._is_current else None
        if filter_ is None or self._tallies.kept(filter_) is None:
            return None
        return self._tallies.get(filter_)

    def knows(self, jobs: ScopedFilter) -> bool:
        """Whether the number of `jobs` is known now."""
        filter_ = countable(jobs) if self._is_current else None
        return filter_ is not None and self._tallies.kept(filter_) is not None

    def kept(self, jobs: Countable) -> Tally | None:
        """The tally of `jobs`, if their number is known now."""
        return self._tallies.kept(jobs) if self._is_current else None

    def total(self, tally: Tally) -> int | None:
        """The number of jobs of a tally, if nothing but what it has been adjusted to happened
        since it was `kept`."""
        return self._tallies.total(tally) if self._is_current else None

    def forget(self, domain_id: str, at: Timestamp | None) -> None:
        """Tells that jobs of the domain were changed by the time `at` (a session's
        operation_time after the change): counts after this show it."""
        self._tallies.forget(domain_id, at)

    def close(self) -> None:
        """Ends the change stream, within a second; from then on jobs are counted each time."""
        self._is_on = False
        self._stream.close()

    @property
    def figures(self) -> TotalsFigures:
        """How totals came about so far."""
        found = self._tallies.figures
        return TotalsFigures(
            found.hits, found.misses, self._bypasses, found.dropped, found.kept, self._is_current
        )

    @property
    def _is_current(self) -> bool:
        return self._is_on and self._stream.age < _LONGEST_AGE_SECONDS

    def _count_and_keep(
        self, tally: Tally, jobs: ScopedFilter, session: ClientSession
    ) -> int | None:
        counted = None
        try:
            counted = self._count_at_a_time(jobs, session)
        finally:
            if counted is None:
                self._tallies.abandon(tally)
        return counted and self._tallies.settle(tally, *counted)

    def _count_at_a_time(
        self, jobs: ScopedFilter, session: ClientSession
    ) -> tuple[int, Timestamp] | None:
        """The number of jobs that a majority of the set had at one time, and that time; None when
        the database cannot say.

        An ordinary count sees changes that come while it runs, or not, as it happens.
        """
        command = {
            "aggregate": self._jobs.name,
            "pipeline": [{"$match": jobs.document}, {"$count": "total"}],
            "cursor": {},
            "readConcern": {"level": "snapshot"},
        }
        try:
            cursor = self._jobs.database.command(command, session=session)["cursor"]
        except OperationFailure as failure:
            if failure.code in _NO_SNAPSHOT:
                return None
            raise
        total = sum(int(row["total"]) for row in cursor["firstBatch"])
        at: Timestamp = cursor["atClusterTime"]
        return total, at
