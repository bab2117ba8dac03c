"""The methods of the Job service: decode, admit, plan, run, encode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from inventory_job.deadline import Deadline
from inventory_job.manager import JobManager
from inventory_job.query.fields import SHOWN
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import (
    DistinctPlan,
    JobPlan,
    plan_analyze,
    plan_job,
    plan_list,
    plan_stat,
)
from inventory_job.query.schema import parse_analyze, parse_job, parse_list, parse_stat
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.authorization import Authorization
from inventory_job.transport.call import Call
from inventory_job.wire import encode

_Plan = TypeVar("_Plan")
_LARGE_BYTES = 64 * 1024
"""What a request above this asks for is worked out in a thread: 30 ms for 9 000 words."""
_MANY_VALUES = 10_000
"""Rows of more values become a message in a thread: a list that is pushed may have 100 000."""


class JobServicer(job_pb2_grpc.JobServicer):
    """spaceone.api.inventory.v1.Job, for calls over gRPC and over HTTP. Raises ServiceErrors.

    Its methods take the Call, already identified, instead of gRPC's context.

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

    async def delete(self, request: job_pb2.JobRequest, call: Call) -> Empty:  # type: ignore[override]
        await self._manager.delete(self._job_plan(request, call), self._deadline(call))
        return Empty()

    async def get(self, request: job_pb2.JobRequest, call: Call) -> job_pb2.JobInfo:  # type: ignore[override]
        document = await self._manager.get(self._job_plan(request, call), self._deadline(call))
        message, oddities = encode.job_info(document, SHOWN)
        self._note(oddities)
        return message

    async def list(self, request: job_pb2.JobsQuery, call: Call) -> job_pb2.JobsInfo:  # type: ignore[override]
        admitted = self._authorization.admit(call, request)
        plan = await _made(
            request,
            lambda: plan_list(parse_list(admitted.request, self._context()), admitted.scope),
        )
        page = await self._manager.list(plan, self._deadline(call))
        message, oddities = encode.jobs_info(page.documents, page.total, plan.fields)
        self._note(oddities)
        return message

    async def analyze(self, request: job_pb2.JobAnalyzeQuery, call: Call) -> Struct:  # type: ignore[override]
        admitted = self._authorization.admit(call, request)
        plan = await _made(
            request,
            lambda: plan_analyze(parse_analyze(admitted.request, self._context()), admitted.scope),
        )
        page = await self._manager.analyze(plan, self._deadline(call))
        return await _encoded(page.rows, lambda: encode.analyze_result(page.rows, page.more))

    async def stat(self, request: job_pb2.JobStatQuery, call: Call) -> Struct:  # type: ignore[override]
        admitted = self._authorization.admit(call, request)
        plan = await _made(
            request,
            lambda: plan_stat(
                parse_stat(admitted.request, self._context()),
                admitted.scope,
                self._limits.distinct_values,
            ),
        )
        page = await self._manager.stat(plan, self._deadline(call))
        if isinstance(plan, DistinctPlan):
            return encode.distinct_result(page.rows, page.total)
        return await _encoded(page.rows, lambda: encode.stat_result(page.rows, page.total))

    def _job_plan(self, request: job_pb2.JobRequest, call: Call) -> JobPlan:
        admitted = self._authorization.admit(call, request)
        return plan_job(parse_job(admitted.request, self._context()), admitted.scope)

    def _context(self) -> ParseContext:
        return ParseContext(self._limits, self._clock())

    def _deadline(self, call: Call) -> Deadline:
        return Deadline.after(self._query_seconds).or_before(call.deadline)

    def _note(self, oddities: encode.Oddities) -> None:
        if oddities:
            self._log.warning("stored values not shown as they are", fields=dict(oddities))


async def _made(request: Message, make: Callable[[], _Plan]) -> _Plan:
    """The plan that `make` gives for a request; the event loop goes on while that takes long."""
    if request.ByteSize() > _LARGE_BYTES:
        return await asyncio.to_thread(make)
    return make()


async def _encoded(rows: Sequence[Any], encode_rows: Callable[[], Struct]) -> Struct:
    """The message that `encode_rows` makes of rows, beside the event loop where that takes long."""
    values = sum(
        len(value) if isinstance(value, list) else 1 for row in rows for value in row.values()
    )
    if values > _MANY_VALUES:
        return await asyncio.to_thread(encode_rows)
    return encode_rows()
