"""The five operations on jobs, in domain terms, run on the database.

Takes plans, which hold a scope by construction, and returns documents and rows as stored. Every
operation runs within the deadline of its call: MongoDB enforces it (`maxTimeMS`), and a cancelled
call ends its work in the database, since the driver closes the connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from inventory_job.deadline import Deadline
from inventory_job.errors import (
    InvalidRequest,
    Misconfigured,
    NotFound,
    RequestTimeout,
    ServiceError,
    Unavailable,
    invalid,
)
from inventory_job.model.client import Database
from inventory_job.model.costs import CostLimits
from inventory_job.model.counts.cache import CountCache
from inventory_job.model.deletes import Deletes
from inventory_job.model.driver_errors import (
    DRIVER_ERRORS,
    is_logged_out,
    pattern_complaint,
    translate,
)
from inventory_job.model.reading import Reader, projection, proven_total, window
from inventory_job.query.conditions import MAX_PAGE
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.limits import Limits
from inventory_job.query.plans import DistinctPlan, JobPlan, ListPlan, Plan, RowsPlan
from inventory_job.results import AnalyzePage, ResultPage, Rows, StoredDocument
from inventory_job.tasks import ending_with_caller

_Result = TypeVar("_Result")
_MOST_PATTERNS_PROBED = 100
_SLACK_SECONDS = 0.5
"""How long after its deadline an operation is given up that MongoDB has not ended by itself."""


class JobManager:
    """Runs plans on a database. `observe` takes note of every operation, how long it took in
    seconds, whatever came of it.

    Every method raises NotFound where a job is missing, InvalidRequest or QueryRefused where the
    query is at fault, RequestTimeout past the deadline, Unavailable without a database, QueryFailed
    otherwise.
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
        """Waits for deletes that go on without their callers, a few seconds at most."""
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
        """Deletes the job's tasks and then the job, both or none where there are transactions."""
        found = await self._run("delete", plan, deadline, lambda: self._deletes.delete(plan))
        if not found:
            raise NotFound(plan.job_id)

    async def list(self, plan: ListPlan, deadline: Deadline) -> ResultPage:
        """A page of jobs, as stored, and the total."""

        async def read() -> ResultPage:
            rows, total = Rows(0, list), None
            if not plan.count_only:
                rows, seen = await self._reader.page(plan, deadline)
                total = proven_total(seen, plan.page.size, plan.page)
            if total is None:
                total = await self._counts.count(plan.jobs, deadline)
            return ResultPage(rows, total)

        return await self._run("list", plan, deadline, read)

    async def stat(self, plan: RowsPlan, deadline: Deadline) -> ResultPage:
        """A page of a stat's rows, and the total."""
        # Rows beyond the page are only counted, which nearly always proves the total in one run.
        most = max(plan.page.size, MAX_PAGE) + 1
        stages = [*plan.stages, *window(plan.page, most)]

        async def read() -> ResultPage:
            rows, seen = await self._reader.rows(plan.jobs, stages, plan.page.size, deadline)
            total = proven_total(seen, most, plan.page)
            if total is None:
                total = await self._reader.count(plan.jobs, plan.stages, deadline)
            return ResultPage(rows, total)

        return await self._run("stat", plan, deadline, read)

    async def distinct(self, plan: DistinctPlan, deadline: Deadline) -> ResultPage:
        """A page of a distinct stat's values, as one row's `values`, and the total."""
        return await self._run(
            "stat", plan, deadline, lambda: self._reader.distinct(plan, deadline)
        )

    async def analyze(self, plan: RowsPlan, deadline: Deadline) -> AnalyzePage:
        """A page of an analyze's rows, and whether more follow."""
        pipeline = [*plan.stages, *window(plan.page, plan.page.size + 1)]

        async def read() -> AnalyzePage:
            rows, seen = await self._reader.rows(plan.jobs, pipeline, plan.page.size, deadline)
            return AnalyzePage(rows, seen > plan.page.size)

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
                # The driver keeps its latest error, whose frames would keep the request until
                # garbage is collected.
                raise error.with_traceback(None) from error.__cause__

        try:
            async with asyncio.timeout(deadline.seconds() + _SLACK_SECONDS):
                attempt = self._attempt(plan.jobs, deadline, once, repeats=operation != "delete")
                return await ending_with_caller(attempt)
        except TimeoutError as error:
            raise RequestTimeout from error
        except DRIVER_ERRORS as error:
            # Not in a variable: its frames would keep it, and the request with it.
            raise self._noted(translate(error)) from error
        finally:
            self._observe(operation, plan, time.perf_counter() - begun)

    def _noted(self, failure: ServiceError) -> ServiceError:
        """The same; what stays wrong until an operator changes something is logged, and not again
        for each call."""
        if isinstance(failure, Misconfigured) and failure.reason not in self._logged:
            self._logged.add(failure.reason)
            self._log.error("database refuses the service", reason=failure.reason)
        return failure

    async def _attempt(
        self,
        jobs: ScopedFilter,
        deadline: Deadline,
        work: Callable[[], Awaitable[_Result]],
        *,
        repeats: bool,
    ) -> _Result:
        """Does `work`; again where that mends what failed, or, if it `repeats`, passes."""
        with_server = self._database.with_server
        try:
            return await with_server(work)
        except PyMongoError as failure:
            is_mended = is_logged_out(failure) and await self._database.renew()
            if is_mended or (repeats and _is_passing(failure)):
                return await with_server(work)
            if pattern_complaint(failure):
                await self._blame_patterns(jobs, deadline)
            raise

    async def _blame_patterns(self, jobs: ScopedFilter, deadline: Deadline) -> None:
        """Raises InvalidRequest for the caller's regular expressions that MongoDB does not take."""
        problems = []
        for path, pattern in jobs.patterns[:_MOST_PATTERNS_PROBED]:
            # A filter is parsed before anything is looked for, and nothing is.
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


def _is_passing(failure: PyMongoError) -> bool:
    """Whether another attempt may succeed; one that waited for a server in vain has had it."""
    if isinstance(failure, ServerSelectionTimeoutError):
        return False
    return isinstance(translate(failure), Unavailable)
