"""Deletes a job and its tasks."""

from __future__ import annotations

import asyncio
from itertools import count

import pymongo
from bson import Timestamp
from pymongo import ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern

from inventory_job.model.client import Database
from inventory_job.model.counts.counters import Counters
from inventory_job.model.driver_errors import translate
from inventory_job.query.plans import JobPlan

_LONGEST_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_MOST_TRANSACTIONS = 5


class Deletes:
    """Deletes jobs, and drops the totals in `counters`. Without transactions the job goes last, so
    that a delete can be repeated after a crash (docs/data-model.md#task).

    Cancelling the caller does not cancel a delete that has begun: its transaction would stay open
    for a minute, and lock the job.
    """

    def __init__(self, database: Database, counters: Counters) -> None:
        self._database = database
        self._counters = counters
        self._running: set[asyncio.Task[bool]] = set()

    async def delete(self, plan: JobPlan) -> bool:
        """Deletes the job of `plan` and its tasks; returns whether there was such a job. Raises
        pymongo errors and ServiceErrors; ServerSelectionTimeoutError only if nothing has begun."""
        deleting = asyncio.create_task(self._delete(plan))
        self._running.add(deleting)
        deleting.add_done_callback(self._ended)
        return await asyncio.shield(deleting)

    async def close(self) -> None:
        """Waits at most 5 seconds for the deletes that have begun."""
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)

    def _ended(self, deleting: asyncio.Task[bool]) -> None:
        self._running.discard(deleting)
        if not deleting.cancelled():
            # Marks the exception as retrieved: asyncio would log it if the caller was cancelled.
            deleting.exception()

    async def _delete(self, plan: JobPlan) -> bool:
        at: Timestamp | None = None
        found = True  # a delete that fails may have been committed all the same
        has_transactions = await self._database.has_transactions()
        try:
            # Makes the driver wait for a server, which is safe: this task is never cancelled.
            with pymongo.timeout(_LONGEST_SECONDS):
                if not has_transactions:
                    found = await self._remove(plan, None)
                else:
                    async with self._database.client.start_session() as session:
                        found = await self._transact(plan, session)
                        at = session.operation_time
                return found
        except ServerSelectionTimeoutError as failure:
            raise translate(failure) from failure
        finally:
            if found:
                self._counters.clear(at)

    async def _transact(self, plan: JobPlan, session: AsyncClientSession) -> bool:
        """Runs `_remove` in a transaction. The driver would retry transient errors for two
        minutes; here it starts at most 5 transactions."""
        failures = count(1)

        async def remove(session: AsyncClientSession) -> bool:
            try:
                return await self._remove(plan, session)
            except PyMongoError as failure:
                if next(failures) == _MOST_TRANSACTIONS:
                    raise translate(failure) from failure
                raise

        # Overrides the URI's options: MongoDB supports no transactions that read from secondaries,
        # or with the read concerns available and linearizable.
        return await session.with_transaction(
            remove, read_concern=ReadConcern("local"), read_preference=ReadPreference.PRIMARY
        )

    async def _remove(self, plan: JobPlan, session: AsyncClientSession | None) -> bool:
        """Deletes the tasks, then the job; returns whether there was such a job."""
        jobs = self._database.jobs.with_options(read_preference=ReadPreference.PRIMARY)
        if await jobs.find_one(plan.jobs.document, {"_id": 1}, session=session) is None:
            return False
        owner = {"job_id": plan.job_id, "domain_id": plan.jobs.scope.domain_id}
        await self._database.job_tasks.delete_many(owner, session=session)
        deleted = await jobs.delete_one(plan.jobs.document, session=session)
        return bool(deleted.deleted_count)
