"""The five operations on jobs, in domain terms, run on the database.

Takes plans, which hold a scope by construction, and returns documents and rows as stored. Every
operation runs within the bounds of its call: a time limit that the database enforces as well, and
an end when the caller has gone (spec/known-defects.md, S7).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from inventory_job.errors import InvalidRequest, NotAtOnce, NotFound, invalid
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument, encoded, find_one
from inventory_job.model.counts.cache import Totals
from inventory_job.model.driver_errors import (
    DRIVER_ERRORS,
    is_about_hint,
    pattern_complaint,
    translate,
)
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.model.lists import JobPage, Lists
from inventory_job.model.operation import ORDINARY, Bounds, Killer, Traits, run, time_left
from inventory_job.model.reading import Reader, projection, proven_total, window
from inventory_job.query.bson_order import sort_key
from inventory_job.query.conditions import MAX_PAGE
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.plans import (
    AnalyzePlan,
    DistinctPlan,
    JobPlan,
    ListPlan,
    Plan,
    StatPlan,
)

_Result = TypeVar("_Result")
_MOST_PATTERNS_PROBED = 100


@dataclass(frozen=True, slots=True)
class StatPage:
    """Rows (or values) of one page, and how many there are in all."""

    rows: list[Any]
    total: int


@dataclass(frozen=True, slots=True)
class AnalyzePage:
    """Rows of one page, and whether more follow."""

    rows: list[RawDocument]
    more: bool


class Observer(Protocol):
    """Who is told of the database work of calls."""

    def asked(self, operation: str, plan: Plan, seconds: float, attempts: int) -> None:
        """The work of one call is over, whatever came of it, after so many attempts."""


class _Nobody:
    """Is told, and does nothing."""

    def asked(self, operation: str, plan: Plan, seconds: float, attempts: int) -> None:
        """As Observer."""


class _Asking:
    """Database work of a call in an event loop, as a context manager: told of at its end, unless
    it is to be done otherwise."""

    __slots__ = ("_begun", "_observer", "_operation", "_plan")

    def __init__(self, observer: Observer, operation: str, plan: Plan) -> None:
        self._observer = observer
        self._operation = operation
        self._plan = plan

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not NotAtOnce:
            seconds = time.perf_counter() - self._begun
            self._observer.asked(self._operation, self._plan, seconds, 1)


class JobManager:
    """Runs plans on a database.

    Every method raises NotFound where a job is missing, InvalidRequest or QueryRefused where the
    query is at fault, RequestTimeout past the bounds, Unavailable without a database, QueryFailed
    otherwise.
    """

    def __init__(  # noqa: PLR0913  its parts, named by the one who puts it together
        self,
        database: Database,
        killer: Killer,
        totals: Totals,
        indexes: CoveringIndexes,
        *,
        channels: Channels | None = None,
        result_bytes: int = 32 * 1024 * 1024,
        observer: Observer | None = None,
    ) -> None:
        self._database = database
        self._killer = killer
        self._channels = channels or Channels(database, 0)
        self._totals = totals
        self._observer = observer or _Nobody()
        self._indexes = indexes
        self._shown = encoded(projection(SHOWN))
        reader = self._reader = Reader(database, indexes, result_bytes)
        self._lists = Lists(database, killer, totals, indexes, reader)

    def get(self, plan: JobPlan, bounds: Bounds) -> RawDocument:
        """The job, as stored."""

        def find(session: ClientSession) -> RawDocument | None:
            return self._database.find_job(
                plan.jobs.document, self._shown, session, bounds.remaining()
            )

        document = self._run("get", plan, bounds, find, Traits(limits_itself=True))
        if document is None:
            raise NotFound(plan.job_id)
        return document

    async def get_at_once(self, plan: JobPlan, bounds: Bounds) -> RawDocument:
        """As `get`, in an event loop; raises NotAtOnce where that does not do."""
        command = find_one(
            self._database.jobs.name, plan.jobs.document, self._shown, time_left(bounds)
        )
        with _Asking(self._observer, "get", plan):
            found = (await self._channels.read(command))["cursor"]["firstBatch"]
        if not found:
            raise NotFound(plan.job_id)
        document: RawDocument = found[0]
        return document

    async def list_at_once(self, plan: ListPlan, bounds: Bounds) -> JobPage:
        """As `list`, in an event loop; raises NotAtOnce where that does not do."""
        with _Asking(self._observer, "list", plan):
            return await self._lists.page_at_once(plan, self._channels, time_left(bounds))

    def delete(self, plan: JobPlan, bounds: Bounds) -> None:
        """Deletes the job's tasks and then the job: both or none where there are transactions,
        and in an order that can be repeated after a crash where there are not."""
        begun = False  # Whether something may be deleted: then to find no job is no failure.

        def delete(session: ClientSession) -> None:
            nonlocal begun
            was_begun, is_atomic = begun, self._database.has_transactions()
            try:
                with session.start_transaction() if is_atomic else nullcontext():
                    found = self._has(plan, session)
                    begun = was_begun or (found and not is_atomic)
                    if not (found and self._remove(plan, session)) and not was_begun:
                        raise NotFound(plan.job_id)
                    begun = True
            finally:
                # Also where it failed: it may have been done all the same.
                if begun:
                    self._totals.forget(plan.jobs.scope.domain_id, session.operation_time)

        self._run("delete", plan, bounds, delete, Traits(transacts=True))

    def list(self, plan: ListPlan, bounds: Bounds) -> JobPage:
        """A page of jobs, as stored, and the total."""
        return self._run(
            "list",
            plan,
            bounds,
            lambda session: self._lists.page(plan, session, bounds),
            Traits(limits_itself=True),
        )

    def stat(self, plan: StatPlan | DistinctPlan, bounds: Bounds) -> StatPage:
        """A page of a stat's rows or values, and the total."""
        if isinstance(plan, DistinctPlan):
            return self._run("stat", plan, bounds, lambda session: self._distinct(plan, session))
        return self._run("stat", plan, bounds, lambda session: self._stat(plan, session))

    def analyze(self, plan: AnalyzePlan, bounds: Bounds) -> AnalyzePage:
        """A page of an analyze's rows, and whether more follow."""
        pipeline = [*plan.stages, *window(plan.page, plan.page.size + 1)]

        def read(session: ClientSession) -> AnalyzePage:
            rows, seen = self._reader.rows(plan.jobs, pipeline, session, plan.page.size)
            return AnalyzePage(rows, seen > plan.page.size)

        return self._run("analyze", plan, bounds, read)

    def _run(
        self,
        operation: str,
        plan: Plan,
        bounds: Bounds,
        work: Callable[[ClientSession], _Result],
        traits: Traits = ORDINARY,
    ) -> _Result:
        """Does `work`, as model.operation.run, and tells the observer."""
        attempts = 0

        def attempt(session: ClientSession) -> _Result:
            nonlocal attempts
            attempts += 1
            return work(session)

        begun = time.perf_counter()
        try:
            return self._attempt(plan.jobs, bounds, attempt, traits)
        except DRIVER_ERRORS as error:
            raise translate(error) from error
        finally:
            self._observer.asked(operation, plan, time.perf_counter() - begun, attempts)

    def _attempt(
        self,
        jobs: ScopedFilter,
        bounds: Bounds,
        work: Callable[[ClientSession], _Result],
        traits: Traits,
    ) -> _Result:
        try:
            return run(self._database, self._killer, bounds, work, traits)
        except OperationFailure as failure:
            if is_about_hint(failure):
                # The index was dropped a moment ago.
                self._indexes.forget()
                return run(self._database, self._killer, bounds, work)
            if pattern_complaint(failure) and jobs.patterns:
                run(self._database, self._killer, bounds, partial(self._blame_patterns, jobs))
            raise

    def _blame_patterns(self, jobs: ScopedFilter, session: ClientSession) -> None:
        """Raises InvalidRequest for the caller's regular expressions that MongoDB does not take."""
        problems = []
        for path, pattern in jobs.patterns[:_MOST_PATTERNS_PROBED]:
            # A filter is parsed before anything is looked for, and nothing is.
            nothing = {"_id": {"$in": []}, "job_id": pattern}
            try:
                self._database.jobs.find_one(nothing, session=session)
            except OperationFailure as failure:
                complaint = pattern_complaint(failure)
                if complaint is None:
                    raise
                shown = str(pattern.pattern)[:40]
                reason = f"{shown!r} is not a regular expression: {complaint}"
                problems.append(invalid(path, reason))
        if problems:
            raise InvalidRequest(problems)

    def _has(self, plan: JobPlan, session: ClientSession) -> bool:
        jobs = self._database.jobs
        return jobs.find_one(plan.jobs.document, {"_id": 1}, session=session) is not None

    def _remove(self, plan: JobPlan, session: ClientSession) -> bool:
        """Deletes the tasks and then the job; whether that was still there."""
        owner = {"job_id": plan.job_id, "domain_id": plan.jobs.scope.domain_id}
        self._database.job_tasks.delete_many(owner, session=session)
        return bool(
            self._database.jobs.delete_one(plan.jobs.document, session=session).deleted_count
        )

    def _distinct(self, plan: DistinctPlan, session: ClientSession) -> StatPage:
        values = self._database.jobs.distinct(plan.path, plan.jobs.document, session=session)
        if len(values) > plan.limit:
            reason = f"more than {plan.limit} distinct values; narrow the filter"
            raise InvalidRequest(invalid("query.distinct", reason))
        values.sort(key=sort_key)
        return StatPage(values[plan.page.skip : plan.page.skip + plan.page.size], len(values))

    def _stat(self, plan: StatPlan, session: ClientSession) -> StatPage:
        # Rows beyond the page are only counted, which nearly always proves the total in one run.
        most = max(plan.page.size, MAX_PAGE) + 1
        stages = [*plan.stages, *window(plan.page, most)]
        rows, seen = self._reader.rows(plan.jobs, stages, session, plan.page.size)
        total = proven_total(seen, most, plan.page)
        if total is None:
            counting = [*plan.stages, {"$count": "total"}]
            counted, _ = self._reader.rows(plan.jobs, counting, session, 1)
            [total] = [int(row["total"]) for row in counted] or [0]
        return StatPage(rows, total)
