"""Deletes a job and its tasks."""

from __future__ import annotations

from bson import Timestamp
from pymongo import ReadPreference
from pymongo.asynchronous.client_session import AsyncClientSession

from inventory_job.model.client import Database
from inventory_job.query.plans import JobPlan


class Deletes:
    """Deletes in `database`: in a transaction where there are such, else in an order that can be
    repeated after a crash, the job last (docs/data-model.md)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, plan: JobPlan) -> tuple[bool, Timestamp | None]:
        """Deletes the tasks and the job of `plan`: whether there was such a job, and the time of
        the deletion in the history of a replica set. Raises pymongo errors."""
        if not await self._database.has_transactions():
            return await self._remove(plan, None), None

        async def remove(session: AsyncClientSession) -> bool:
            return await self._remove(plan, session)

        async with self._database.start_session() as session:
            # A transaction reads from the primary, whatever the connection string prefers.
            found = await session.with_transaction(remove, read_preference=ReadPreference.PRIMARY)
            return found, session.operation_time

    async def _remove(self, plan: JobPlan, session: AsyncClientSession | None) -> bool:
        """Whether there was such a job."""
        jobs = self._database.jobs.with_options(read_preference=ReadPreference.PRIMARY)
        if await jobs.find_one(plan.jobs.document, {"_id": 1}, session=session) is None:
            return False
        owner = {"job_id": plan.job_id, "domain_id": plan.jobs.scope.domain_id}
        await self._database.job_tasks.delete_many(owner, session=session)
        deleted = await jobs.delete_one(plan.jobs.document, session=session)
        return bool(deleted.deleted_count)
