"""The methods of the Job service: decode, confine to a scope, plan, run, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from inventory_job.auth.policy import confine
from inventory_job.auth.scope import Scope
from inventory_job.deadline import Deadline
from inventory_job.manager import JobManager
from inventory_job.query.fields import SHOWN
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import DistinctPlan, plan_analyze, plan_job, plan_list, plan_stat
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.dispatcher import Call
from inventory_job.wire import encode
from inventory_job.wire.decode import decode
from inventory_job.wire.parse import AnyMessage

_Plan = TypeVar("_Plan")


class JobServicer(job_pb2_grpc.JobServicer):
    """spaceone.api.inventory.v1.Job, for calls over gRPC and over HTTP. Raises ServiceErrors.

    Its methods take a running Call instead of gRPC's context, and return the serialized response.

    `query_seconds` is the longest that a call may use the database, even if its deadline is later.
    """

    def __init__(self, manager: JobManager, limits: Limits, query_seconds: float) -> None:
        self._manager = manager
        self._limits = limits
        self._query_seconds = query_seconds
        self._log = structlog.get_logger(__name__)

    async def delete(self, request: job_pb2.JobRequest, call: Call) -> bytes:  # type: ignore[override]
        plan = await self._planned(plan_job, request, call)
        await self._manager.delete(plan, self._deadline(call))
        return call.write(Empty())

    async def get(self, request: job_pb2.JobRequest, call: Call) -> bytes:  # type: ignore[override]
        plan = await self._planned(plan_job, request, call)
        document = await self._manager.get(plan, self._deadline(call))
        return call.write(self._logged(*encode.job_info(document, SHOWN)))

    async def list(self, request: job_pb2.JobsQuery, call: Call) -> bytes:  # type: ignore[override]
        plan = await self._planned(plan_list, request, call)
        rows, total = await self._manager.list(plan, self._deadline(call))
        return await call.answer(
            rows.size,
            lambda: self._logged(*encode.jobs_info(rows.decoded(), total, plan.fields)),
        )

    async def analyze(self, request: job_pb2.JobAnalyzeQuery, call: Call) -> bytes:  # type: ignore[override]
        plan = await self._planned(plan_analyze, request, call)
        rows, more = await self._manager.analyze(plan, self._deadline(call))
        return await call.answer(rows.size, lambda: encode.analyze_result(rows.decoded(), more))

    async def stat(self, request: job_pb2.JobStatQuery, call: Call) -> bytes:  # type: ignore[override]
        plan = await self._planned(plan_stat, request, call)
        if isinstance(plan, DistinctPlan):
            rows, total = await self._manager.distinct(plan, self._deadline(call))
            result = encode.distinct_result
        else:
            rows, total = await self._manager.stat(plan, self._deadline(call))
            result = encode.stat_result
        return await call.answer(rows.size, lambda: result(rows.decoded(), total))

    async def _planned(
        self,
        plan: Callable[[Mapping[str, Any], Scope, ParseContext], _Plan],
        request: Message,
        call: Call,
    ) -> _Plan:
        """The plan of a request, confined to the caller's scope; raises InvalidRequest and
        PermissionDenied."""

        def work() -> _Plan:
            confined, scope = confine(call.caller, call.name, decode(request))
            now = datetime.now(UTC).replace(tzinfo=None)
            return plan(confined, scope, ParseContext(self._limits, now))

        return await call.permit.work(call.request_bytes, work)

    def _deadline(self, call: Call) -> Deadline:
        return Deadline.after(self._query_seconds).or_before(call.deadline)

    def _logged(self, answer: AnyMessage, oddities: encode.Oddities) -> AnyMessage:
        """Returns `answer`; logs stored values that are not shown as they are, if there are any."""
        if oddities:
            self._log.warning("stored values not shown as they are", fields=dict(oddities))
        return answer
