"""The methods of the Job service: decode, admit, plan, run, encode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from google.protobuf.empty_pb2 import Empty

from inventory_job.deadline import Deadline
from inventory_job.manager import JobManager
from inventory_job.query.fields import SHOWN
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import (
    AnalyzePlan,
    DistinctPlan,
    JobPlan,
    ListPlan,
    StatPlan,
    plan_analyze,
    plan_job,
    plan_list,
    plan_stat,
)
from inventory_job.query.schema import parse_analyze, parse_job, parse_list, parse_stat
from inventory_job.results import JobPage, StoredDocument
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.authorization import Authorization
from inventory_job.transport.call import Call
from inventory_job.wire import encode


class JobServicer(job_pb2_grpc.JobServicer):
    """spaceone.api.inventory.v1.Job, for calls over gRPC and over HTTP. Raises ServiceErrors.

    Its methods take the Call, which runs, instead of gRPC's context, and give the written answer.

    `clock` gives the current time as a naive UTC datetime; `query_seconds` is the longest a call
    may keep the database busy, whatever its deadline.
    """

    def __init__(
        self,
        manager: JobManager,
        authorization: Authorization,
        limits: Limits,
        query_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._manager = manager
        self._authorization = authorization
        self._limits = limits
        self._query_seconds = query_seconds
        self._clock = clock
        self._log = structlog.get_logger(__name__)

    async def delete(self, request: job_pb2.JobRequest, call: Call) -> bytes:  # type: ignore[override]
        await self._manager.delete(self._job_plan(request, call), self._deadline(call))
        return call.write(Empty())

    async def get(self, request: job_pb2.JobRequest, call: Call) -> bytes:  # type: ignore[override]
        document = await self._manager.get(self._job_plan(request, call), self._deadline(call))
        return call.write(self._job_info(document))

    async def list(self, request: job_pb2.JobsQuery, call: Call) -> bytes:  # type: ignore[override]
        plan = await call.work(request.ByteSize(), lambda: self._list_plan(request, call))
        page = await self._manager.list(plan, self._deadline(call))
        return await call.answer(page.size, lambda: self._jobs_info(page, plan.fields))

    async def analyze(self, request: job_pb2.JobAnalyzeQuery, call: Call) -> bytes:  # type: ignore[override]
        plan = await call.work(request.ByteSize(), lambda: self._analyze_plan(request, call))
        page = await self._manager.analyze(plan, self._deadline(call))
        return await call.answer(
            page.rows.size, lambda: encode.analyze_result(page.rows.decoded(), page.more)
        )

    async def stat(self, request: job_pb2.JobStatQuery, call: Call) -> bytes:  # type: ignore[override]
        plan = await call.work(request.ByteSize(), lambda: self._stat_plan(request, call))
        if isinstance(plan, DistinctPlan):
            page = await self._manager.distinct(plan, self._deadline(call))
            result = encode.distinct_result
        else:
            page = await self._manager.stat(plan, self._deadline(call))
            result = encode.stat_result
        return await call.answer(page.rows.size, lambda: result(page.rows.decoded(), page.total))

    def _job_plan(self, request: job_pb2.JobRequest, call: Call) -> JobPlan:
        admitted = self._authorization.admit(call, request)
        return plan_job(parse_job(admitted.request, self._context()), admitted.scope)

    def _list_plan(self, request: job_pb2.JobsQuery, call: Call) -> ListPlan:
        admitted = self._authorization.admit(call, request)
        return plan_list(parse_list(admitted.request, self._context()), admitted.scope)

    def _analyze_plan(self, request: job_pb2.JobAnalyzeQuery, call: Call) -> AnalyzePlan:
        admitted = self._authorization.admit(call, request)
        return plan_analyze(parse_analyze(admitted.request, self._context()), admitted.scope)

    def _stat_plan(self, request: job_pb2.JobStatQuery, call: Call) -> StatPlan | DistinctPlan:
        admitted = self._authorization.admit(call, request)
        query = parse_stat(admitted.request, self._context())
        return plan_stat(query, admitted.scope, self._limits.distinct_values)

    def _context(self) -> ParseContext:
        return ParseContext(self._limits, self._clock())

    def _deadline(self, call: Call) -> Deadline:
        return Deadline.after(self._query_seconds).or_before(call.deadline)

    def _job_info(self, document: StoredDocument) -> job_pb2.JobInfo:
        message, oddities = encode.job_info(document, SHOWN)
        self._note(oddities)
        return message

    def _jobs_info(self, page: JobPage, fields: tuple[str, ...]) -> job_pb2.JobsInfo:
        message, oddities = encode.jobs_info(page.documents, page.total, fields)
        self._note(oddities)
        return message

    def _note(self, oddities: encode.Oddities) -> None:
        if oddities:
            self._log.warning("stored values not shown as they are", fields=dict(oddities))
