"""The plain ODM way: count, hydrate documents, convert field by field; run pipelines twice.

What a service is that hands everything to mongoengine, as far as the requests of the benchmark go,
with the habits of the one in use today (docs/differences.md, C1 to C3): a get counts before it
finds, a list counts each time, a stat always has a page and so runs once for it and once to count.
"""

from __future__ import annotations

from typing import Any

import grpc
import mongoengine
from bench_answers import FIELDS, analyze_stages, flat, list_filter, scope, stat_stages
from bench_serving import serve
from google.protobuf.struct_pb2 import Struct

from inventory_job.model.documents import Job
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

_ENUMS = {"status": job_pb2.JobInfo.Status, "resource_group": job_pb2.JobInfo.ResourceGroup}
_MOST_ROWS = 1000


class Odm(job_pb2_grpc.JobServicer):
    """Everything through mongoengine."""

    def __init__(self, uri: str, database: str) -> None:
        mongoengine.connect(host=uri, db=database, uuidRepresentation="standard")

    def get(self, request: job_pb2.JobRequest, context: grpc.ServicerContext) -> job_pb2.JobInfo:
        found = Job.objects(__raw__={"job_id": request.job_id, **scope(context)})
        if found.count() == 0:
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such job")
        return _info(found.first())

    def list(self, request: job_pb2.JobsQuery, context: grpc.ServicerContext) -> job_pb2.JobsInfo:
        found = Job.objects(__raw__=list_filter(request, context))
        total = found.count()
        if request.query.count_only:
            return job_pb2.JobsInfo(total_count=total)
        page = request.query.page
        start = page.start - 1
        shown = found.order_by("-created_at", "id")[start : start + page.limit]
        return job_pb2.JobsInfo(results=[_info(job) for job in shown], total_count=total)

    def stat(self, request: job_pb2.JobStatQuery, context: grpc.ServicerContext) -> Struct:
        found = Job.objects(__raw__=scope(context))
        if request.query.distinct:
            values = sorted(found.distinct(request.query.distinct))
            return _struct({"results": values, "total_count": len(values)})
        _, *stages = stat_stages(request, context)
        page = request.query.page
        [total] = found.aggregate([*stages, {"$count": "total"}])
        window = [{"$skip": max(page.start, 1) - 1}, {"$limit": page.limit or _MOST_ROWS}]
        rows = list(found.aggregate([*stages, *window]))
        return _struct({"results": [flat(row) for row in rows], "total_count": total["total"]})

    def analyze(self, request: job_pb2.JobAnalyzeQuery, context: grpc.ServicerContext) -> Struct:
        _, *stages = analyze_stages(request, context)
        rows = Job.objects(__raw__=scope(context)).aggregate(stages)
        return _struct({"results": [flat(row) for row in rows], "more": False})


def _info(job: Any) -> job_pb2.JobInfo:
    info = job_pb2.JobInfo()
    for name in FIELDS:
        value = getattr(job, name)
        if value is None:
            continue
        if name in _ENUMS:
            value = _ENUMS[name].Value(value)
        elif hasattr(value, "isoformat"):
            value = f"{value.isoformat(timespec='milliseconds')}Z"
        setattr(info, name, value)
    return info


def _struct(members: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(members)
    return struct


if __name__ == "__main__":
    serve(Odm)
