"""Totals of lists: counted once, then cached, so that their cost does not grow with the jobs.

On a replica set, the exact number of jobs of a filter is cached and adjusted by the events of a
change stream, for the filters that allow it (query.countable). It is used only while the events are
known to be complete up to less than a second ago. In every other case (a standalone server, a
sharded cluster, a stream that is lost or late, reads from secondaries, other filters) each list
counts its jobs.
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
# InvalidOptions, SnapshotTooOld, SnapshotUnavailable: a count without a snapshot may still work.
_NO_SNAPSHOT = frozenset({72, 239, 246})


class CountCache:
    """An LRU cache of the numbers of jobs of at most `most` filters; 0 disables it.

    The first count starts the change stream. For one event loop.
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
        """The number of `jobs`, from the cache or else counted.

        It includes writes of other processes after at most a second, and the writes reported to
        `counters.clear` immediately. Raises pymongo errors and RequestTimeout.
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
                counted = await self._count_after(counter.at, jobs, deadline)
                if counted is not None:
                    return self.counters.settle(counter, *counted)
            finally:
                if counter.total is None:
                    self.counters.abandon(counter)
        return await self._database.jobs.count_documents(
            jobs.document, maxTimeMS=deadline.milliseconds()
        )

    async def close(self) -> None:
        """Ends the change stream, within a second; from then on the cache is disabled."""
        self._is_on = False
        await self._stream.close()

    @property
    def is_current(self) -> bool:
        """Whether cached totals are used: the change stream is on and up to date."""
        return self._is_on and self._stream.age < _LONGEST_AGE_SECONDS

    async def _count_after(
        self, earliest: Timestamp, jobs: ScopedFilter, deadline: Deadline
    ) -> tuple[int, Timestamp] | None:
        """The number of `jobs` by a snapshot read at the cluster time `earliest` or later, and that
        time; None if there is no snapshot.

        A count without a snapshot may or may not include changes made while it runs.
        """
        command = {
            "aggregate": self._database.jobs.name,
            "pipeline": [{"$match": jobs.document}, {"$count": "total"}],
            "cursor": {},
            "readConcern": {"level": "snapshot", "afterClusterTime": earliest},
            "maxTimeMS": deadline.milliseconds(),
        }
        try:
            cursor = (await self._database.jobs.database.command(command))["cursor"]
        except OperationFailure as failure:
            if failure.code in _NO_SNAPSHOT:
                return None
            raise
        total = sum(int(row["total"]) for row in cursor["firstBatch"])
        return total, cursor["atClusterTime"]
