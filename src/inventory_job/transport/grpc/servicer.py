"""The methods of the Job service: decode, admit, plan, run, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from inventory_job.manager import JobManager
from inventory_job.model.commands import RawDocument
from inventory_job.model.lists import JobPage
from inventory_job.query.fields import SHOWN
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import (
    DistinctPlan,
    JobPlan,
    ListPlan,
    plan_analyze,
    plan_job,
    plan_list,
    plan_stat,
)
from inventory_job.query.schema import parse_analyze, parse_job, parse_list, parse_stat
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.authorization import Admission
from inventory_job.transport.bounds import CallBounds
from inventory_job.transport.call import CallContext
from inventory_job.wire import encode


class JobServicer:
    """spaceone.api.inventory.v1.Job. Raises ServiceErrors; the transport answers them.

    `at_once` has those of its methods that can do without a thread, by name, as coroutines.

    `clock` gives the current time as a naive UTC datetime; `query_seconds` is the longest a call
    may keep the database busy, whatever its deadline.
    """

    def __init__(
        self,
        manager: JobManager,
        admission: Admission,
        limits: Limits,
        query_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._manager = manager
        self._admission = admission
        self._limits = limits
        self._query_seconds = query_seconds
        self._clock = clock
        self.at_once: Mapping[str, Callable[[Any, CallContext], Awaitable[Message]]] = {
            "get": self.get_at_once,
            "list": self.list_at_once,
        }
        self._log = structlog.get_logger(__name__)

    def delete(self, request: job_pb2.JobRequest, context: CallContext) -> Empty:
        plan = self._job_plan("delete", request, context)
        self._manager.delete(plan, self._bounds(context))
        return Empty()

    def get(self, request: job_pb2.JobRequest, context: CallContext) -> job_pb2.JobInfo:
        plan = self._job_plan("get", request, context)
        return self._job_info(self._manager.get(plan, self._bounds(context)))

    async def get_at_once(
        self, request: job_pb2.JobRequest, context: CallContext
    ) -> job_pb2.JobInfo:
        """As `get`, in an event loop; raises NotAtOnce."""
        plan = self._job_plan("get", request, context)
        return self._job_info(await self._manager.get_at_once(plan, self._bounds(context)))

    def list(self, request: job_pb2.JobsQuery, context: CallContext) -> job_pb2.JobsInfo:
        plan = self._list_plan(request, context)
        return self._jobs_info(self._manager.list(plan, self._bounds(context)), plan)

    async def list_at_once(
        self, request: job_pb2.JobsQuery, context: CallContext
    ) -> job_pb2.JobsInfo:
        """As `list`, in an event loop; raises NotAtOnce."""
        plan = self._list_plan(request, context)
        page = await self._manager.list_at_once(plan, self._bounds(context))
        return self._jobs_info(page, plan)

    def analyze(self, request: job_pb2.JobAnalyzeQuery, context: CallContext) -> Struct:
        admitted = self._admission.admit("analyze", request, context)
        plan = plan_analyze(parse_analyze(admitted.request, self._context()), admitted.scope)
        page = self._manager.analyze(plan, self._bounds(context))
        return encode.analyze_result(page.rows, page.more)

    def stat(self, request: job_pb2.JobStatQuery, context: CallContext) -> Struct:
        admitted = self._admission.admit("stat", request, context)
        query = parse_stat(admitted.request, self._context())
        plan = plan_stat(query, admitted.scope, self._limits.distinct_values)
        page = self._manager.stat(plan, self._bounds(context))
        if isinstance(plan, DistinctPlan):
            return encode.distinct_result(page.rows, page.total)
        return encode.stat_result(page.rows, page.total)

    def _job_plan(self, method: str, request: job_pb2.JobRequest, context: CallContext) -> JobPlan:
        admitted = self._admission.admit(method, request, context)
        return plan_job(parse_job(admitted.request, self._context()), admitted.scope)

    def _list_plan(self, request: job_pb2.JobsQuery, context: CallContext) -> ListPlan:
        admitted = self._admission.admit("list", request, context)
        return plan_list(parse_list(admitted.request, self._context()), admitted.scope)

    def _job_info(self, document: RawDocument) -> job_pb2.JobInfo:
        message, oddities = encode.job_info(document, SHOWN)
        self._note(oddities)
        return message

    def _jobs_info(self, page: JobPage, plan: ListPlan) -> job_pb2.JobsInfo:
        message, oddities = encode.jobs_info(page.documents, page.total, plan.fields)
        self._note(oddities)
        return message

    def _context(self) -> ParseContext:
        return ParseContext(self._limits, self._clock())

    def _bounds(self, context: CallContext) -> CallBounds:
        return CallBounds(context, self._query_seconds)

    def _note(self, oddities: encode.Oddities) -> None:
        if oddities:
            self._log.warning("stored values not shown as they are", fields=dict(oddities))
