"""Totals of lists that do not grow with the number of jobs: counted once, then kept.

On a replica set, the exact number of jobs of a filter is kept and adjusted to what a change
stream reports, for filters that allow it (query.countable). It is shown only while the reports
are known to be complete up to less than a second ago. In every other case (a standalone server, a
sharded cluster, a stream that is lost or late, reads from secondaries, other filters) jobs are
counted each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bson import Timestamp
from pymongo.errors import ConnectionFailure, OperationFailure, ServerSelectionTimeoutError
from pymongo.read_preferences import ReadPreference

from inventory_job.deadline import milliseconds
from inventory_job.model.client import Database
from inventory_job.model.counts.change_stream import ChangeStream
from inventory_job.model.counts.counters import Counter, Counters
from inventory_job.query.countable import countable
from inventory_job.query.filters import ScopedFilter

_LONGEST_AGE_SECONDS = 0.8
# InvalidOptions, SnapshotTooOld, SnapshotUnavailable: counting as it is may still work.
_NO_SNAPSHOT = frozenset({72, 239, 246})


@dataclass(frozen=True)
class CacheStats:
    """How totals came about since the start: known (`hits`), to be known from now on or after more
    (`misses`), of a kind or at a time that they cannot be (`bypasses`); how many were `dropped`
    since they could not be adjusted; how many are `kept` now, and whether they are used
    (`is_current`)."""

    hits: int
    misses: int
    bypasses: int
    dropped: int
    kept: int
    is_current: bool


class CountCache:
    """The numbers of jobs of at most `most` filters, those used last; 0 counts each time.

    Nothing is started before the first count. For one event loop.
    """

    def __init__(self, database: Database, most: int = 1000) -> None:
        self._database = database
        self._counters = Counters(most)
        self._stream = ChangeStream(database, self._counters)
        self._is_on = (
            most > 0
            and database.client.read_preference == ReadPreference.PRIMARY
            and database.jobs.read_concern.level != "linearizable"
        )
        self._bypasses = 0

    async def count(self, jobs: ScopedFilter, seconds: Callable[[], float]) -> int:
        """The number of `jobs`: the known one, else what counting them gives, each operation
        within the `seconds()` that are left, which may raise.

        What others wrote shows within a second, what `forget` reported immediately. Raises pymongo
        errors.
        """
        if self._is_on:
            self._stream.start()
        filter_ = countable(jobs) if self._is_current else None
        if filter_ is None:
            self._bypasses += 1
        elif (known := self._counters.get(filter_)) is not None:
            return known
        elif (counter := self._counters.begin(filter_)) is not None:
            total = await self._count_and_keep(counter, jobs, seconds)
            if total is not None:
                return total
        return await self._database.jobs.count_documents(
            jobs.document, maxTimeMS=milliseconds(seconds())
        )

    def forget(self, domain_id: str, at: Timestamp | None) -> None:
        """Drops the numbers of a domain whose jobs were changed by the time `at` (a session's
        operation_time after the change), so that counts after this show the change."""
        self._counters.forget(domain_id, at)

    async def close(self) -> None:
        """Ends the change stream, within a second; from then on jobs are counted each time."""
        self._is_on = False
        await self._stream.close()

    @property
    def stats(self) -> CacheStats:
        """How totals came about so far."""
        known = self._counters
        return CacheStats(
            known.hits, known.misses, self._bypasses, known.dropped, known.kept, self._is_current
        )

    @property
    def _is_current(self) -> bool:
        return self._is_on and self._stream.age < _LONGEST_AGE_SECONDS

    async def _count_and_keep(
        self, counter: Counter, jobs: ScopedFilter, seconds: Callable[[], float]
    ) -> int | None:
        try:
            counted = await self._count_at_a_time(jobs, milliseconds(seconds()))
            return counted and self._counters.settle(counter, *counted)
        finally:
            if counter.total is None:
                self._counters.abandon(counter)

    async def _count_at_a_time(
        self, jobs: ScopedFilter, most_milliseconds: int
    ) -> tuple[int, Timestamp] | None:
        """The number of jobs that a majority of the set had at one time, and that time; None when
        the database cannot say.

        An ordinary count sees changes that come while it runs, or not, as it happens.
        """
        command = {
            "aggregate": self._database.jobs.name,
            "pipeline": [{"$match": jobs.document}, {"$count": "total"}],
            "cursor": {},
            "readConcern": {"level": "snapshot"},
            "maxTimeMS": most_milliseconds,
        }
        try:
            cursor = (await self._database.jobs.database.command(command))["cursor"]
        except ServerSelectionTimeoutError:
            raise
        except ConnectionFailure:
            # The driver repeats an ordinary count after a lost connection, but no command.
            return None
        except OperationFailure as failure:
            if failure.code in _NO_SNAPSHOT:
                return None
            raise
        total = sum(int(row["total"]) for row in cursor["firstBatch"])
        at: Timestamp = cursor["atClusterTime"]
        return total, at
