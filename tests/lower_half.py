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
from inventory_job.query.plans import DistinctPlan, plan_analyze, plan_list, plan_stat
from inventory_job.query.schema import parse_analyze, parse_list, parse_stat
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.wire import encode
from inventory_job.wire.decode import decode

REQUESTS: dict[str, type[Message]] = {
    "list": job_pb2.JobsQuery,
    "stat": job_pb2.JobStatQuery,
    "analyze": job_pb2.JobAnalyzeQuery,
}


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

    def answer(self, method: str, request: Message, scope: Scope) -> dict[str, Any]:
        """The answer to `request`; raises ServiceErrors."""
        answer: Message = getattr(self, f"_{method}")(decode(request), scope)
        received = type(answer).FromString(answer.SerializeToString())
        return json_format.MessageToDict(
            received,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=method == "list",
        )

    def _list(self, request: dict[str, Any], scope: Scope) -> Message:
        plan = plan_list(parse_list(request, self._context), scope)
        page = self._manager.list(plan, Unbounded())
        return encode.jobs_info(page.documents, page.total, plan.fields)[0]

    def _stat(self, request: dict[str, Any], scope: Scope) -> Message:
        plan = plan_stat(parse_stat(request, self._context), scope, 100_000)
        page = self._manager.stat(plan, Unbounded())
        if isinstance(plan, DistinctPlan):
            return encode.distinct_result(page.rows, page.total)
        return encode.stat_result(page.rows, page.total)

    def _analyze(self, request: dict[str, Any], scope: Scope) -> Message:
        plan = plan_analyze(parse_analyze(request, self._context), scope)
        page = self._manager.analyze(plan, Unbounded())
        return encode.analyze_result(page.rows, page.more)


def message(method: str, request: dict[str, Any]) -> Message:
    """The request as a message; raises json_format.ParseError when it cannot be one."""
    return json_format.ParseDict(request, REQUESTS[method]())
