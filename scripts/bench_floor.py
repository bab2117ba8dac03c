"""The floor: bare handlers, each written for the requests of one workload.

They look up what a request of the benchmark asks for and answer it with as little as the driver
and protobuf need: no validation, no authentication, no time limits, no log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from bench_serving import serve
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from pymongo import MongoClient

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

_FIELDS = [field.name for field in job_pb2.JobInfo.DESCRIPTOR.fields]
_PROJECTION = {"_id": 0, **dict.fromkeys(_FIELDS, 1)}
_DATES = {"created_at", "updated_at", "finished_at"}
_ORDER = [("created_at", -1), ("_id", 1)]


class Floor(job_pb2_grpc.JobServicer):
    """Bare handlers."""

    def __init__(self, uri: str, database: str) -> None:
        self._jobs = MongoClient[dict[str, Any]](uri)[database].job

    def get(self, request: job_pb2.JobRequest, context: grpc.ServicerContext) -> job_pb2.JobInfo:
        filter_ = {"job_id": request.job_id, **_scope(context)}
        document = self._jobs.find_one(filter_, _PROJECTION)
        return job_pb2.JobInfo(**_members(document or {}))

    def list(self, request: job_pb2.JobsQuery, context: grpc.ServicerContext) -> job_pb2.JobsInfo:
        filter_ = _scope(context)
        for condition in request.query.filter:
            filter_[condition.k] = condition.v.string_value
        if request.query.keyword:
            filter_["job_id"] = {"$regex": request.query.keyword, "$options": "i"}
        total = self._jobs.count_documents(filter_)
        if request.query.count_only:
            return job_pb2.JobsInfo(total_count=total)
        page = request.query.page
        found = self._jobs.find(
            filter_, _PROJECTION, sort=_ORDER, skip=page.start - 1, limit=page.limit
        )
        results: Any = [_members(document) for document in found]
        return job_pb2.JobsInfo(results=results, total_count=total)

    def stat(self, request: job_pb2.JobStatQuery, context: grpc.ServicerContext) -> Struct:
        match = {"$match": _scope(context)}
        if request.query.distinct:
            values = sorted(self._jobs.distinct(request.query.distinct, match["$match"]))
            return _answer((Value(string_value=value) for value in values), len(values))
        group = request.query.aggregate[0].group
        stages = [match, {"$group": _group(group)}, {"$sort": {"_id": 1}}]
        rows = list(self._jobs.aggregate(stages))
        page = request.query.page
        shown = rows[page.start - 1 : page.start - 1 + page.limit] if page.limit else rows
        return _answer(map(_row, shown), len(rows))

    def analyze(self, request: job_pb2.JobAnalyzeQuery, context: grpc.ServicerContext) -> Struct:
        keys = [value.string_value for value in request.query.group_by.values]
        identity = {key: f"${key}" for key in keys}
        stages: list[dict[str, Any]] = [
            {"$match": _scope(context)},
            {"$group": {"_id": identity, "jobs": {"$sum": 1}}},
        ]
        if request.query.field_group:
            folded = list(request.query.field_group)
            rest = {key: f"$_id.{key}" for key in keys if key not in folded}
            pushed = {"value": "$jobs", **{key: f"$_id.{key}" for key in folded}}
            group = {"_id": rest, "jobs": {"$push": pushed}, "_total_jobs": {"$sum": "$jobs"}}
            stages += [{"$sort": {"_id": 1}}, {"$group": group}]
        stages.append({"$sort": {"_id": 1}})
        rows = map(_row, self._jobs.aggregate(stages))
        return Struct(
            fields={
                "results": Value(list_value=ListValue(values=rows)),
                "more": Value(bool_value=False),
            }
        )


def _scope(context: grpc.ServicerContext) -> dict[str, Any]:
    given = dict(context.invocation_metadata())
    filter_: dict[str, Any] = {"domain_id": given["x_domain_id"]}
    if "x_workspace_id" in given:
        filter_["workspace_id"] = {"$in": [given["x_workspace_id"], "*"]}
    return filter_


def _members(document: dict[str, Any]) -> dict[str, Any]:
    for name in _DATES & document.keys():
        date = document[name]
        document[name] = f"{date.isoformat(timespec='milliseconds')}Z" if date else ""
    return document


def _group(group: Any) -> dict[str, Any]:
    identity: dict[str, Any] = {}
    for key in group.keys:
        identity[key.name] = (
            {"$dateToString": {"format": key.date_format, "date": f"${key.key}"}}
            if key.date_format
            else f"${key.key}"
        )
    [field] = group.fields
    total = 1 if field.operator == "count" else f"${field.key}"
    return {"_id": identity, field.name: {"$sum": total}}


def _answer(rows: Iterable[Value], total: int) -> Struct:
    return Struct(
        fields={
            "results": Value(list_value=ListValue(values=rows)),
            "total_count": Value(number_value=total),
        }
    )


def _row(row: dict[str, Any]) -> Value:
    return _value({**row.pop("_id"), **row})


def _value(value: Any) -> Value:
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, dict):
        members = {name: _value(member) for name, member in value.items()}
        return Value(struct_value=Struct(fields=members))
    if isinstance(value, list):
        return Value(list_value=ListValue(values=map(_value, value)))
    return Value(number_value=value)


if __name__ == "__main__":
    serve(Floor)
