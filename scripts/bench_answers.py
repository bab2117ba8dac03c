"""What the handlers that the benchmark compares share: filters and messages, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2

FIELDS = [field.name for field in job_pb2.JobInfo.DESCRIPTOR.fields]
PROJECTION = {"_id": 0, **dict.fromkeys(FIELDS, 1)}
ORDER = [("created_at", -1), ("_id", 1)]
_DATES = {"created_at", "updated_at", "finished_at"}


def list_filter(request: job_pb2.JobsQuery, context: Any) -> dict[str, Any]:
    """The filter of a list of the benchmark."""
    filter_ = scope(context)
    for condition in request.query.filter:
        filter_[condition.k] = condition.v.string_value
    if request.query.keyword:
        filter_["job_id"] = {"$regex": request.query.keyword, "$options": "i"}
    return filter_


def stat_stages(request: job_pb2.JobStatQuery, context: Any) -> list[dict[str, Any]]:
    """The pipeline of a grouped stat."""
    group = request.query.aggregate[0].group
    return [{"$match": scope(context)}, {"$group": group_stage(group)}, {"$sort": {"_id": 1}}]


def stat_rows(request: job_pb2.JobStatQuery, rows: list[dict[str, Any]]) -> Struct:
    """The answer to a grouped stat."""
    page = request.query.page
    shown = rows[page.start - 1 : page.start - 1 + page.limit] if page.limit else rows
    return answer(map(_row, shown), len(rows))


def distinct_values(values: list[str]) -> Struct:
    """The answer to a distinct stat."""
    return answer((Value(string_value=value) for value in sorted(values)), len(values))


def analyze_stages(request: job_pb2.JobAnalyzeQuery, context: Any) -> list[dict[str, Any]]:
    """The pipeline of an analyze."""
    keys = [value.string_value for value in request.query.group_by.values]
    identity = {key: _or_null(key) for key in keys}
    stages: list[dict[str, Any]] = [
        {"$match": scope(context)},
        {"$group": {"_id": identity, "jobs": {"$sum": 1}}},
    ]
    if request.query.field_group:
        folded = list(request.query.field_group)
        rest = {key: f"$_id.{key}" for key in keys if key not in folded}
        pushed = {"value": "$jobs", **{key: f"$_id.{key}" for key in folded}}
        group = {"_id": rest, "jobs": {"$push": pushed}, "_total_jobs": {"$sum": "$jobs"}}
        stages += [{"$sort": {"_id": 1}}, {"$group": group}]
    return [*stages, {"$sort": {"_id": 1}}]


def analyze_rows(rows: Iterable[dict[str, Any]]) -> Struct:
    """The answer to an analyze."""
    return Struct(
        fields={
            "results": Value(list_value=ListValue(values=map(_row, rows))),
            "more": Value(bool_value=False),
        }
    )


def scope(context: Any) -> dict[str, Any]:
    given = dict(context.invocation_metadata())
    filter_: dict[str, Any] = {"domain_id": given["x_domain_id"]}
    if "x_workspace_id" in given:
        filter_["workspace_id"] = {"$in": [given["x_workspace_id"], "*"]}
    return filter_


def members(document: dict[str, Any]) -> dict[str, Any]:
    for name in _DATES & document.keys():
        date = document[name]
        document[name] = f"{date.isoformat(timespec='milliseconds')}Z" if date else ""
    return document


def group_stage(group: Any) -> dict[str, Any]:
    identity: dict[str, Any] = {}
    for key in group.keys:
        identity[key.name] = (
            {"$dateToString": {"format": key.date_format, "date": f"${key.key}"}}
            if key.date_format
            else _or_null(key.key)
        )
    [field] = group.fields
    total = 1 if field.operator == "count" else f"${field.key}"
    return {"_id": identity, field.name: {"$sum": total}}


def _or_null(field: str) -> dict[str, Any]:
    """A group key, for which an absent field counts as null."""
    return {"$ifNull": [f"${field}", None]}


def answer(rows: Iterable[Value], total: int) -> Struct:
    return Struct(
        fields={
            "results": Value(list_value=ListValue(values=rows)),
            "total_count": Value(number_value=total),
        }
    )


def flat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row.pop("_id"), **row}


def _row(row: dict[str, Any]) -> Value:
    return _value(flat(row))


def _value(value: Any) -> Value:
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, dict):
        members = {name: _value(member) for name, member in value.items()}
        return Value(struct_value=Struct(fields=members))
    if isinstance(value, list):
        return Value(list_value=ListValue(values=map(_value, value)))
    return Value(number_value=value)
