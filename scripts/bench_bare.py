"""Bare handlers in one event loop: what public interfaces of grpc.aio and PyMongo give.

They look up what a request of the benchmark asks for and answer it with as little as the driver
and protobuf need: no validation, no authentication, no time limits, no log.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import bench_answers as answers
import grpc
from bench_serving import Context, serve_in_loop
from google.protobuf.struct_pb2 import Struct
from pymongo import AsyncMongoClient

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2

Stages: TypeAlias = "list[dict[str, Any]]"


class Bare:
    """Bare handlers in one event loop; a list is found without counting its total."""

    def __init__(self, uri: str, database: str) -> None:
        self._jobs = AsyncMongoClient[dict[str, Any]](uri)[database].job

    async def get(self, request: job_pb2.JobRequest, context: Context) -> job_pb2.JobInfo:
        filter_ = {"job_id": request.job_id, **answers.scope(context)}
        return job_pb2.JobInfo(
            **answers.members(await self._jobs.find_one(filter_, answers.PROJECTION) or {})
        )

    async def list(self, request: job_pb2.JobsQuery, context: Context) -> job_pb2.JobsInfo:
        filter_ = answers.list_filter(request, context)
        if request.query.count_only:
            return job_pb2.JobsInfo(total_count=await self._jobs.count_documents(filter_))
        page = request.query.page
        found = self._jobs.find(
            filter_, answers.PROJECTION, sort=answers.ORDER, skip=page.start - 1, limit=page.limit
        )
        results: Any = [answers.members(document) for document in await found.to_list()]
        return job_pb2.JobsInfo(results=results)

    async def stat(self, request: job_pb2.JobStatQuery, context: Context) -> Struct:
        if request.query.distinct:
            return answers.distinct_values(
                await self._jobs.distinct(request.query.distinct, answers.scope(context))
            )
        return answers.stat_rows(request, await self._rows(answers.stat_stages(request, context)))

    async def analyze(self, request: job_pb2.JobAnalyzeQuery, context: Context) -> Struct:
        return answers.analyze_rows(await self._rows(answers.analyze_stages(request, context)))

    async def delete(self, request: job_pb2.JobRequest, context: Context) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not measured")

    async def _rows(self, stages: Stages) -> Stages:
        cursor = await self._jobs.aggregate(stages)
        return await cursor.to_list()


if __name__ == "__main__":
    serve_in_loop(Bare)
