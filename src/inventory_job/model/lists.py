"""Lists: a page of jobs, and how many there are in all."""

from __future__ import annotations

import asyncio

from pymongo.errors import OperationFailure

from inventory_job.deadline import Deadline
from inventory_job.model.counts.cache import CountCache
from inventory_job.model.driver_errors import is_about_lists
from inventory_job.model.reading import Reader, projection, proven_total, window
from inventory_job.query.operators import Document
from inventory_job.query.plans import ListPlan
from inventory_job.results import JobPage, StoredDocument


class Lists:
    """Finds pages with `reader`, and totals with `counts`; raises as Reader does."""

    def __init__(self, reader: Reader, counts: CountCache) -> None:
        self._reader = reader
        self._counts = counts

    async def page(self, plan: ListPlan, deadline: Deadline) -> JobPage:
        """The page of `plan`, and its total."""
        if plan.count_only:
            return JobPage([], await self._count(plan, deadline))
        if plan.is_newest_first:
            documents = await self._find(plan, deadline)
            total = proven_total(len(documents), plan.page.size, plan.page)
            return JobPage(
                documents, total if total is not None else await self._count(plan, deadline)
            )
        # In another order MongoDB reads all jobs for the page, as it does for the total.
        counting = asyncio.ensure_future(self._count(plan, deadline))
        try:
            documents = await self._find(plan, deadline)
            total = proven_total(len(documents), plan.page.size, plan.page)
            return JobPage(documents, total if total is not None else await counting)
        finally:
            counting.cancel()

    async def _find(self, plan: ListPlan, deadline: Deadline) -> list[StoredDocument]:
        if not plan.computed:
            try:
                return await self._reader.page(plan, deadline)
            except OperationFailure as failure:
                if not is_about_lists(failure):
                    raise
        stages: list[Document] = [*plan.computed, {"$sort": plan.order}]
        stages += [*window(plan.page, plan.page.size), {"$project": projection(plan.fields)}]
        return (await self._reader.rows(plan.jobs, stages, plan.page.size, deadline))[0]

    async def _count(self, plan: ListPlan, deadline: Deadline) -> int:
        return await self._counts.count(plan.jobs, deadline.seconds)
