"""Runs the five operations on jobs, get, delete, list, stat and analyze, on the database.

Takes query plans, each of which has a scope, and returns documents and rows as stored. MongoDB
enforces the deadline of a read (`maxTimeMS`), and cancelling a call ends its read in MongoDB,
because the driver closes the connection. A delete that has begun is not cancelled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from pymongo.errors import OperationFailure, PyMongoError

from inventory_job.deadline import Deadline
from inventory_job.errors import (
    InvalidRequest,
    Misconfigured,
    NotFound,
    RequestTimeout,
    ServiceError,
    invalid,
)
from inventory_job.model.client import Database
from inventory_job.model.costs import CostLimits
from inventory_job.model.counts.cache import CountCache
from inventory_job.model.deletes import Deletes
from inventory_job.model.driver_errors import DRIVER_ERRORS, pattern_complaint, translate
from inventory_job.model.reading import Reader, projection, proven_total
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import MAX_PAGE, ScopedFilter
from inventory_job.query.limits import Limits
from inventory_job.query.plans import DistinctPlan, JobPlan, ListPlan, Plan, RowsPlan
from inventory_job.results import Rows, StoredDocument
from inventory_job.tasks import ending_with_caller

_Result = TypeVar("_Result")
_MOST_PATTERNS_PROBED = 100
_SLACK_SECONDS = 0.5
"""How long MongoDB may overrun a deadline before the operation is cancelled here."""


class JobManager:
    """Runs plans on a database. `observe` is called after every operation, also a failed one, with
    its name, plan and duration in seconds.

    Methods raise NotFound if the job is missing, InvalidRequest or QueryRefused if the query is at
    fault, RequestTimeout after the deadline, Unavailable if the database cannot be used, and
    QueryFailed otherwise.
    """

    def __init__(
        self,
        database: Database,
        counts: CountCache,
        *,
        limits: Limits | None = None,
        observe: Callable[[str, Plan, float], object] = lambda *_: None,
    ) -> None:
        self._database = database
        self._observe = observe
        limits = limits or Limits()
        self._cost_limits = CostLimits(database, limits)
        self._reader = Reader(database, limits.result_bytes)
        self._counts = counts
        self._deletes = Deletes(database, counts.counters)
        self._log = structlog.get_logger(__name__)
        self._logged: set[str] = set()

    async def close(self) -> None:
        """Waits for deletes in flight, also those of cancelled calls, a few seconds at most."""
        await self._deletes.close()

    async def get(self, plan: JobPlan, deadline: Deadline) -> StoredDocument:
        """The job, as stored."""

        async def find() -> StoredDocument | None:
            return await self._database.jobs.find_one(
                plan.jobs.document, projection(SHOWN), max_time_ms=deadline.milliseconds()
            )

        document = await self._run("get", plan, deadline, find)
        if document is None:
            raise NotFound(plan.job_id)
        return document

    async def delete(self, plan: JobPlan, deadline: Deadline) -> None:
        """Deletes the job's tasks and then the job, atomically if MongoDB has transactions."""
        found = await self._run("delete", plan, deadline, lambda: self._deletes.delete(plan))
        if not found:
            raise NotFound(plan.job_id)

    async def list(self, plan: ListPlan, deadline: Deadline) -> tuple[Rows, int]:
        """A page of jobs, as stored, and the total."""

        async def read() -> tuple[Rows, int]:
            rows, total = Rows(0, list), None
            if not plan.count_only:
                rows, seen = await self._reader.page(plan, deadline)
                total = proven_total(seen, plan.page.size, plan.page)
            if total is None:
                total = await self._counts.count(plan.jobs, deadline)
            return rows, total

        return await self._run("list", plan, deadline, read)

    async def stat(self, plan: RowsPlan, deadline: Deadline) -> tuple[Rows, int]:
        """A page of a stat query's rows, and the total."""
        # Counting the rows after the page nearly always gives the total in the same query.
        most = max(plan.page.size, MAX_PAGE) + 1
        stages = [*plan.stages, *plan.page.window(most)]

        async def read() -> tuple[Rows, int]:
            rows, seen = await self._reader.rows(plan.jobs, stages, plan.page.size, deadline)
            total = proven_total(seen, most, plan.page)
            if total is None:
                total = await self._reader.count(plan.jobs, plan.stages, deadline)
            return rows, total

        return await self._run("stat", plan, deadline, read)

    async def distinct(self, plan: DistinctPlan, deadline: Deadline) -> tuple[Rows, int]:
        """A page of distinct values, as the `values` of one row, and the total."""
        return await self._run(
            "stat", plan, deadline, lambda: self._reader.distinct(plan, deadline)
        )

    async def analyze(self, plan: RowsPlan, deadline: Deadline) -> tuple[Rows, bool]:
        """A page of an analyze query's rows, and whether more rows follow."""
        pipeline = [*plan.stages, *plan.page.window(plan.page.size + 1)]

        async def read() -> tuple[Rows, bool]:
            rows, seen = await self._reader.rows(plan.jobs, pipeline, plan.page.size, deadline)
            return rows, seen > plan.page.size

        return await self._run("analyze", plan, deadline, read)

    async def _run(
        self, operation: str, plan: Plan, deadline: Deadline, work: Callable[[], Awaitable[_Result]]
    ) -> _Result:
        begun = time.perf_counter()

        async def once() -> _Result:
            try:
                await self._cost_limits.check(plan, deadline)
                return await work()
            except PyMongoError as error:
                # The driver keeps its latest error, whose traceback would keep the request in
                # memory until the garbage collector runs.
                error.with_traceback(None)
                if pattern_complaint(error):
                    await self._blame_patterns(plan.jobs, deadline)
                raise error from error.__cause__

        try:
            async with asyncio.timeout(deadline.seconds() + _SLACK_SECONDS):
                is_read = operation != "delete"
                return await ending_with_caller(self._database.with_server(once, is_read=is_read))
        except TimeoutError as error:
            raise RequestTimeout from error
        except DRIVER_ERRORS as error:
            # A local variable would form a cycle with the traceback, which keeps the request.
            raise self._noted(translate(error)) from error
        finally:
            self._observe(operation, plan, time.perf_counter() - begun)

    def _noted(self, failure: ServiceError) -> ServiceError:
        """Returns `failure`. An operator has to act on Misconfigured, so it is logged, each reason
        once."""
        if isinstance(failure, Misconfigured) and failure.reason not in self._logged:
            self._logged.add(failure.reason)
            self._log.error("database refuses the service", reason=failure.reason)
        return failure

    async def _blame_patterns(self, jobs: ScopedFilter, deadline: Deadline) -> None:
        """Raises InvalidRequest for the regular expressions in the request that MongoDB rejects."""
        problems = []
        for path, pattern in jobs.patterns[:_MOST_PATTERNS_PROBED]:
            # MongoDB parses the whole filter first; the empty `$in` then matches nothing.
            nothing = {"_id": {"$in": []}, "job_id": pattern}
            try:
                await self._database.jobs.find_one(nothing, max_time_ms=deadline.milliseconds())
            except OperationFailure as failure:
                complaint = pattern_complaint(failure)
                if complaint is None:
                    raise
                shown = str(pattern.pattern)[:40]
                reason = f"{shown!r} is not a regular expression: {complaint}"
                problems.append(invalid(path, reason))
                failure.__traceback__ = None  # as in _run
        if problems:
            raise InvalidRequest(problems)
