"""The server below its transport: a request as proto3 JSON in, the answer as proto3 JSON out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from inventory_job.auth.scope import Scope
from inventory_job.manager import JobManager
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import (
    AnalyzePlan,
    DistinctPlan,
    ListPlan,
    StatPlan,
    plan_analyze,
    plan_list,
    plan_stat,
)
from inventory_job.query.schema import parse_analyze, parse_list, parse_stat
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.wire import encode
from inventory_job.wire.decode import decode

REQUESTS: dict[str, type[Message]] = {
    "list": job_pb2.JobsQuery,
    "stat": job_pb2.JobStatQuery,
    "analyze": job_pb2.JobAnalyzeQuery,
}


Plan = ListPlan | AnalyzePlan | DistinctPlan | StatPlan


class Unbounded:
    """A call that may take a minute and is not given up."""

    def remaining(self) -> float:
        return 60.0

    def on_end(self, end: Callable[[], None]) -> bool:
        return True


class LowerHalf:
    """Decodes, parses, plans, runs and encodes, as the servicer does."""

    def __init__(self, manager: JobManager, now: datetime) -> None:
        self._manager = manager
        self._context = ParseContext(Limits(), now)

    def plan(self, method: str, request: Message, scope: Scope) -> Plan:
        """What is to be run for `request`; raises InvalidRequest and PermissionDenied."""
        decoded = decode(request)
        if method == "list":
            return plan_list(parse_list(decoded, self._context), scope)
        if method == "stat":
            return plan_stat(parse_stat(decoded, self._context), scope, 100_000)
        return plan_analyze(parse_analyze(decoded, self._context), scope)

    def answer(self, method: str, request: Message, scope: Scope) -> dict[str, Any]:
        """The answer to `request`; raises ServiceErrors."""
        answer = self._run(self.plan(method, request, scope))
        received = type(answer).FromString(answer.SerializeToString())
        return json_format.MessageToDict(
            received,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=method == "list",
        )

    def _run(self, plan: Plan) -> Message:
        if isinstance(plan, ListPlan):
            jobs = self._manager.list(plan, Unbounded())
            return encode.jobs_info(jobs.documents, jobs.total, plan.fields)[0]
        if isinstance(plan, AnalyzePlan):
            rows = self._manager.analyze(plan, Unbounded())
            return encode.analyze_result(rows.rows, rows.more)
        page = self._manager.stat(plan, Unbounded())
        if isinstance(plan, DistinctPlan):
            return encode.distinct_result(page.rows, page.total)
        return encode.stat_result(page.rows, page.total)


def message(method: str, request: dict[str, Any]) -> Message:
    """The request as a message; raises json_format.ParseError when it cannot be one."""
    return json_format.ParseDict(request, REQUESTS[method]())
