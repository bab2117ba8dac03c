"""Totals of lists that do not grow with the number of jobs: counted once, then kept.

On a replica set, the exact number of jobs of a filter is kept and adjusted to what a change
stream reports, for filters that allow it (query.countable). It is shown only while the reports
are known to be complete up to less than a second ago. In every other case (a standalone server, a
sharded cluster, a stream that is lost or late, reads from secondaries, other filters) jobs are
counted each time.
"""

from __future__ import annotations

from bson import Timestamp
from pymongo.errors import OperationFailure
from pymongo.read_preferences import ReadPreference

from inventory_job.deadline import Deadline
from inventory_job.model.client import Database
from inventory_job.model.counts.change_stream import ChangeStream
from inventory_job.model.counts.counters import Counters
from inventory_job.query.countable import countable
from inventory_job.query.filters import ScopedFilter

_LONGEST_AGE_SECONDS = 0.8
# InvalidOptions, SnapshotTooOld, SnapshotUnavailable: counting as it is may still work.
_NO_SNAPSHOT = frozenset({72, 239, 246})


class CountCache:
    """The numbers of jobs of at most `most` filters, those used last; 0 counts each time.

    Nothing is started before the first count. For one event loop.
    """

    def __init__(self, database: Database, most: int = 1000) -> None:
        self._database = database
        self.counters = Counters(most)
        self._stream = ChangeStream(database, self.counters)
        self._is_on = (
            most > 0
            and database.client.read_preference == ReadPreference.PRIMARY
            and database.jobs.read_concern.level != "linearizable"
        )

    async def count(self, jobs: ScopedFilter, deadline: Deadline) -> int:
        """The number of `jobs`: the known one, else what counting them gives.

        What others wrote shows within a second, what `counters.forget` reported immediately. Raises
        pymongo errors and RequestTimeout.
        """
        if self._is_on:
            self._stream.start()
        filter_ = countable(jobs) if self.is_current else None
        if filter_ is None:
            self.counters.misses += 1
        elif (known := self.counters.get(filter_)) is not None:
            return known
        elif (counter := self.counters.begin(filter_)) is not None:
            try:
                total = await self._count_at(counter.at, jobs, deadline)
                if total is not None:
                    return self.counters.settle(counter, total)
            finally:
                if counter.total is None:
                    self.counters.abandon(counter)
        return await self._database.jobs.count_documents(
            jobs.document, maxTimeMS=deadline.milliseconds()
        )

    async def close(self) -> None:
        """Ends the change stream, within a second; from then on jobs are counted each time."""
        self._is_on = False
        await self._stream.close()

    @property
    def is_current(self) -> bool:
        """Whether known totals are used."""
        return self._is_on and self._stream.age < _LONGEST_AGE_SECONDS

    async def _count_at(self, at: Timestamp, jobs: ScopedFilter, deadline: Deadline) -> int | None:
        """The number of `jobs` at a time; None when the database cannot say.

        An ordinary count sees changes that come while it runs, or not, as it happens.
        """
        command = {
            "aggregate": self._database.jobs.name,
            "pipeline": [{"$match": jobs.document}, {"$count": "total"}],
            "cursor": {},
            "readConcern": {"level": "snapshot", "atClusterTime": at},
            "maxTimeMS": deadline.milliseconds(),
        }
        try:
            answer = await self._database.jobs.database.command(command)
        except OperationFailure as failure:
            if failure.code in _NO_SNAPSHOT:
                return None
            raise
        return sum(int(row["total"]) for row in answer["cursor"]["firstBatch"])
