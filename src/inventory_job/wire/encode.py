"""Documents → JobInfo, rows → Struct (docs/data-model.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite, isnan
from typing import Any

from bson import Decimal128
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import JobInfo, JobsInfo
from inventory_job.wire.values import MAX_DEPTH, decimal, iso, plain, text

Oddities = defaultdict[str, int]
"""How many stored values of each field could not be shown as they are."""

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_STATUSES: Mapping[str, int] = {
    **dict(JobInfo.Status.items()),
    "ERROR": JobInfo.FAILURE,  # older data
    "TIMEOUT": JobInfo.FAILURE,
}


def job_info(document: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[JobInfo, Oddities]:
    """One stored job as a message with these `fields`, and what was odd about it."""
    oddities: Oddities = defaultdict(int)
    return JobInfo(**_members(document, fields, oddities)), oddities


def jobs_info(
    documents: Iterable[Mapping[str, Any]], total: int, fields: tuple[str, ...]
) -> tuple[JobsInfo, Oddities]:
    """A page of stored jobs as a message with these `fields`, and what was odd about them."""
    oddities: Oddities = defaultdict(int)
    results: Any = [_members(document, fields, oddities) for document in documents]
    return JobsInfo(results=results, total_count=min(total, _INT32_MAX)), oddities


def stat_result(rows: Iterable[Mapping[str, Any]], total: int) -> Struct:
    """Rows of a stat, group keys flattened, and how many there are in all."""
    return struct({"results": [flatten(row) for row in rows], "total_count": total})


def distinct_result(rows: Sequence[Mapping[str, Any]], total: int) -> Struct:
    """The `values` of a distinct stat's only row, and how many there are in all."""
    return struct({"results": rows[0]["values"], "total_count": total})


def analyze_result(rows: Iterable[Mapping[str, Any]], more: bool) -> Struct:
    """Rows of an analyze, group keys flattened, and whether more follow."""
    return struct({"results": [flatten(row) for row in rows], "more": more})


def flatten(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of a document `_id` beside the other fields, which win."""
    identity = row.get("_id")
    if not isinstance(identity, dict):
        return row
    return identity | {name: value for name, value in row.items() if name != "_id"}


def struct(members: Mapping[str, Any]) -> Struct:
    """Any BSON-like data as a Struct."""
    message = Struct()
    for name, value in members.items():
        _fill(message.fields[name], value, MAX_DEPTH)
    return message


def _fill(target: Value, value: Any, depth: int) -> None:
    # Filling in place is the fastest of the ways to a Struct, several times ahead of some.
    if isinstance(value, str):
        target.string_value = value
    elif value is None:
        target.null_value = NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float) and isfinite(value):
        target.number_value = value
    elif depth > 0 and isinstance(value, dict):
        target.struct_value.SetInParent()
        fields = target.struct_value.fields
        for name, member in value.items():
            _fill(fields[name], member, depth - 1)
    elif depth > 0 and isinstance(value, list):
        target.list_value.SetInParent()
        values = target.list_value.values
        for item in value:
            _fill(values.add(), item, depth - 1)
    else:
        _fill(target, plain(value, depth), depth)


def _members(
    document: Mapping[str, Any], fields: tuple[str, ...], oddities: Oddities
) -> dict[str, Any]:
    """The members of a JobInfo."""
    members: dict[str, Any] = {}
    for name in fields:
        value = document.get(name)
        convert = _CONVERTERS[name]
        # A page has thousands of values, most of which are texts.
        if convert is _string and value.__class__ is str:
            members[name] = value
        elif value is not None:
            try:
                members[name] = convert(value)
            except _Odd as odd:
                members[name] = odd.shown
                oddities[name] += 1
        elif name == "status":
            members[name] = JobInfo.IN_PROGRESS
    return members


class _Odd(Exception):
    """A value that is not what its field holds; `shown` is what stands for it."""

    def __init__(self, shown: Any) -> None:
        self.shown = shown


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Odd(text(value))


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        return iso(value)
    raise _Odd(text(value))


def _int32(value: Any) -> int:
    if value.__class__ is int and _INT32_MIN <= value <= _INT32_MAX:
        return value  # as nearly all are
    number = decimal(value) if isinstance(value, Decimal128) else value
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal) or isnan(number):
        raise _Odd(0)
    shown = int(max(_INT32_MIN, min(_INT32_MAX, number)))
    if shown != number:
        raise _Odd(shown)
    return shown


def _enumerated(numbers: Mapping[str, int]) -> Callable[[Any], int]:
    # BSON code, which is a text to Python, is not hashable.
    return lambda value: numbers.get(str(value), 0) if isinstance(value, str) else 0


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    field.name: _int32 if field.cpp_type == field.CPPTYPE_INT32 else _string
    for field in JobInfo.DESCRIPTOR.fields
} | {
    "status": _enumerated(_STATUSES),
    "resource_group": _enumerated(dict(JobInfo.ResourceGroup.items())),
    "created_at": _date,
    "updated_at": _date,
    "finished_at": _date,
}
