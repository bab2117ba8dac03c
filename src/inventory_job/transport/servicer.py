"""The services on the port. Each method of Job: decode, admit, plan, run, encode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct

from inventory_job.manager import JobManager
from inventory_job.query.fields import SHOWN
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import DistinctPlan, plan_analyze, plan_job, plan_list, plan_stat
from inventory_job.query.schema import parse_analyze, parse_job, parse_list, parse_stat
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.admission import Admission
from inventory_job.transport.bounds import CallBounds
from inventory_job.wire import encode


class JobServicer(job_pb2_grpc.JobServicer):
    """spaceone.api.inventory.v1.Job. Raises ServiceErrors; an interceptor answers them.

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
        self._log = structlog.get_logger(__name__)

    def delete(self, request: job_pb2.JobRequest, context: grpc.ServicerContext) -> Empty:
        admitted = self._admission.admit("delete", request, context)
        job = parse_job(admitted.request, self._context())
        self._manager.delete(plan_job(job, admitted.scope), self._bounds(context))
        return Empty()

    def get(self, request: job_pb2.JobRequest, context: grpc.ServicerContext) -> job_pb2.JobInfo:
        admitted = self._admission.admit("get", request, context)
        job = parse_job(admitted.request, self._context())
        document = self._manager.get(plan_job(job, admitted.scope), self._bounds(context))
        message, oddities = encode.job_info(document, SHOWN)
        self._note(oddities)
        return message

    def list(self, request: job_pb2.JobsQuery, context: grpc.ServicerContext) -> job_pb2.JobsInfo:
        admitted = self._admission.admit("list", request, context)
        plan = plan_list(parse_list(admitted.request, self._context()), admitted.scope)
        page = self._manager.list(plan, self._bounds(context))
        message, oddities = encode.jobs_info(page.documents, page.total, plan.fields)
        self._note(oddities)
        return message

    def analyze(self, request: job_pb2.JobAnalyzeQuery, context: grpc.ServicerContext) -> Struct:
        admitted = self._admission.admit("analyze", request, context)
        plan = plan_analyze(parse_analyze(admitted.request, self._context()), admitted.scope)
        page = self._manager.analyze(plan, self._bounds(context))
        return encode.analyze_result(page.rows, page.more)

    def stat(self, request: job_pb2.JobStatQuery, context: grpc.ServicerContext) -> Struct:
        admitted = self._admission.admit("stat", request, context)
        query = parse_stat(admitted.request, self._context())
        plan = plan_stat(query, admitted.scope, self._limits.distinct_values)
        page = self._manager.stat(plan, self._bounds(context))
        if isinstance(plan, DistinctPlan):
            return encode.distinct_result(page.rows, page.total)
        return encode.stat_result(page.rows, page.total)

    def _context(self) -> ParseContext:
        return ParseContext(self._limits, self._clock())

    def _bounds(self, context: grpc.ServicerContext) -> CallBounds:
        return CallBounds(context, self._query_seconds)

    def _note(self, oddities: encode.Oddities) -> None:
        if oddities:
            self._log.warning("stored values not shown as they are", fields=dict(oddities))


class ServerInfoServicer(server_info_pb2_grpc.ServerInfoServicer):
    """spaceone.api.core.v1.ServerInfo."""

    def __init__(self, version: str) -> None:
        self._version = version

    def get_version(
        self, request: Empty, context: grpc.ServicerContext
    ) -> server_info_pb2.VersionInfo:
        return server_info_pb2.VersionInfo(version=self._version)
