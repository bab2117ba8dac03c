"""The sync floor: bare handlers in threads, each written for the requests of one workload.

They look up what a request of the benchmark asks for and answer it with as little as the driver
and protobuf need: no validation, no authentication, no time limits, no log.
"""

from __future__ import annotations

from typing import Any

import bench_answers as answers
import grpc
from bench_serving import serve
from google.protobuf.struct_pb2 import Struct
from pymongo import MongoClient

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc


class Floor(job_pb2_grpc.JobServicer):
    """Bare handlers, in threads."""

    def __init__(self, uri: str, database: str) -> None:
        self._jobs = MongoClient[dict[str, Any]](uri)[database].job

    def get(self, request: job_pb2.JobRequest, context: grpc.ServicerContext) -> job_pb2.JobInfo:
        filter_ = {"job_id": request.job_id, **answers.scope(context)}
        return job_pb2.JobInfo(
            **answers.members(self._jobs.find_one(filter_, answers.PROJECTION) or {})
        )

    def list(self, request: job_pb2.JobsQuery, context: grpc.ServicerContext) -> job_pb2.JobsInfo:
        filter_ = answers.list_filter(request, context)
        total = self._jobs.count_documents(filter_)
        if request.query.count_only:
            return job_pb2.JobsInfo(total_count=total)
        page = request.query.page
        found = self._jobs.find(
            filter_, answers.PROJECTION, sort=answers.ORDER, skip=page.start - 1, limit=page.limit
        )
        results: Any = [answers.members(document) for document in found]
        return job_pb2.JobsInfo(results=results, total_count=total)

    def stat(self, request: job_pb2.JobStatQuery, context: grpc.ServicerContext) -> Struct:
        if request.query.distinct:
            return answers.distinct_values(
                self._jobs.distinct(request.query.distinct, answers.scope(context))
            )
        return answers.stat_rows(
            request, list(self._jobs.aggregate(answers.stat_stages(request, context)))
        )

    def analyze(self, request: job_pb2.JobAnalyzeQuery, context: grpc.ServicerContext) -> Struct:
        return answers.analyze_rows(self._jobs.aggregate(answers.analyze_stages(request, context)))


if __name__ == "__main__":
    serve(Floor)
