"""Lists: a page of jobs, and how many there are in all."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pymongo
from pymongo.client_session import ClientSession

from inventory_job.errors import NotAtOnce
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database
from inventory_job.model.commands import PageQuery, RawDocument, encoded, find_page
from inventory_job.model.counts.cache import Totals
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.model.operation import Bounds, Killer, Traits, run, time_left
from inventory_job.model.reading import Reader, projection, proven_total, window
from inventory_job.model.waypoints import FAR, Waypoints
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.operators import Document
from inventory_job.query.optimizer import in_order
from inventory_job.query.plans import ListPlan

_WAYPOINT_SECONDS = 0.25
_SHORT_PAGE = 100
"""Jobs; to convert more takes so long that others should not wait for it."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Stored jobs of one page, and how many match in all."""

    documents: list[RawDocument]
    total: int


class Lists:
    """Finds pages and their totals."""

    def __init__(
        self,
        database: Database,
        killer: Killer,
        totals: Totals,
        indexes: CoveringIndexes,
        reader: Reader,
    ) -> None:
        self._database = database
        self._killer = killer
        self._totals = totals
        self._indexes = indexes
        self._reader = reader
        self._waypoints = Waypoints(database, totals)
        # One for each call at most; threads are made when they are needed.
        self._counters = ThreadPoolExecutor(max_workers=256, thread_name_prefix="count")
        self._shown = encoded(projection(SHOWN))

    def page(self, plan: ListPlan, session: ClientSession, bounds: Bounds) -> JobPage:
        if plan.count_only:
            return JobPage([], self._count(plan.jobs, session, bounds))
        jobs, skip = plan.jobs, plan.page.skip
        if plan.is_newest_first:
            jobs, skip = self._waypoints.shortened(jobs, skip)
        # In another order all jobs have to be read for the page, as for the total: at once.
        counting = None if plan.is_newest_first else self._counting(plan.jobs, bounds)
        begun = time.perf_counter()
        documents = self._find(plan, jobs, skip, session, bounds)
        took = time.perf_counter() - begun
        total = proven_total(len(documents), plan.page.size, plan.page)
        if total is None:
            total = counting.result() if counting else self._count(plan.jobs, session, bounds)
        if skip >= FAR and documents and plan.is_newest_first:
            # To count the jobs passed takes about as long as to pass them.
            seconds = min(bounds.remaining() / 2, _WAYPOINT_SECONDS + 2 * took)
            self._waypoints.note(plan.jobs, documents[0].get("created_at"), session, seconds)
        return JobPage(documents, total)

    async def page_at_once(self, plan: ListPlan, channels: Channels, seconds: float) -> JobPage:
        """As `page`, where that takes neither a count nor a search; else raises NotAtOnce."""
        is_short = plan.is_newest_first and not plan.computed and plan.page.size <= _SHORT_PAGE
        if not (is_short or plan.count_only) or not self._totals.knows(plan.jobs):
            raise NotAtOnce
        documents: list[RawDocument] = []
        if not plan.count_only:
            jobs, skip = self._waypoints.shortened(plan.jobs, plan.page.skip)
            query = self._query(plan, jobs, skip)
            if skip >= FAR or query.hint is None:
                raise NotAtOnce
            command = find_page(self._database.jobs.name, query, seconds)
            documents = (await channels.read(command))["cursor"]["firstBatch"]
        total = None if plan.count_only else proven_total(len(documents), plan.page.size, plan.page)
        if total is None:
            # After the page, as always: what was deleted before is in neither.
            total = self._totals.known(plan.jobs)
        if total is None:
            raise NotAtOnce
        return JobPage(documents, total)

    def _query(self, plan: ListPlan, jobs: ScopedFilter, skip: int) -> PageQuery:
        """The page of `plan`, which is that of `jobs` after `skip` of them."""
        return PageQuery(
            jobs.document,
            self._shown if plan.fields is SHOWN else projection(plan.fields),
            plan.order,
            skip,
            plan.page.size,
            in_order(jobs.document, plan.order, self._indexes.known()),
        )

    def _find(
        self,
        plan: ListPlan,
        jobs: ScopedFilter,
        skip: int,
        session: ClientSession,
        bounds: Bounds,
    ) -> list[RawDocument]:
        """The page of `plan`, which is that of `jobs` after `skip` of them."""
        if plan.computed:
            stages: list[Document] = [*plan.computed, {"$sort": plan.order}]
            stages += [*window(plan.page, plan.page.size), {"$project": projection(plan.fields)}]
            with pymongo.timeout(time_left(bounds)):
                return self._reader.rows(plan.jobs, stages, session, plan.page.size)[0]
        query = self._query(plan, jobs, skip)
        page = self._database.find_page(
            query, session, time_left(bounds), self._reader.result_bytes
        )
        if page is not None:
            return page
        with pymongo.timeout(time_left(bounds)):
            return self._find_in_pieces(query, session)

    def _find_in_pieces(self, query: PageQuery, session: ClientSession) -> list[RawDocument]:
        batches: Any = self._database.jobs.find_raw_batches(
            query.filter,
            query.projection,
            sort=list(query.order.items()),
            skip=query.skip,
            limit=query.size,
            allow_disk_use=True,
            hint=query.hint,
            session=session,
        )
        return self._reader.read(batches, query.size)[0]

    def _count(self, jobs: ScopedFilter, session: ClientSession, bounds: Bounds) -> int:
        def count() -> int:
            return self._database.jobs.count_documents(jobs.document, session=session)

        return self._totals.count(jobs, session, count, partial(time_left, bounds))

    def _counting(self, jobs: ScopedFilter, bounds: Bounds) -> Future[int] | None:
        """The number of jobs, being counted in a thread and a session of its own, which ends with
        the call; None where it is known."""
        if self._totals.knows(jobs):
            return None

        def count(session: ClientSession) -> int:
            return self._count(jobs, session, bounds)

        traits = Traits(limits_itself=True)
        return self._counters.submit(run, self._database, self._killer, bounds, count, traits)
