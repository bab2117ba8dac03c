"""Converts stored jobs to JobInfo and rows of results to Struct (docs/data-model.md)."""

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
"""By field, the number of stored values that JobInfo cannot show as they are stored."""

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_STATUSES: Mapping[str, int] = {
    **dict(JobInfo.Status.items()),
    "ERROR": JobInfo.FAILURE,  # older data
    "TIMEOUT": JobInfo.FAILURE,
}


def job_info(document: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[JobInfo, Oddities]:
    """A stored job as a JobInfo with these `fields`, and the oddities in it."""
    oddities: Oddities = defaultdict(int)
    return JobInfo(**_members(document, fields, oddities)), oddities


def jobs_info(
    documents: Iterable[Mapping[str, Any]], total: int, fields: tuple[str, ...]
) -> tuple[JobsInfo, Oddities]:
    """A page of stored jobs as a JobsInfo with these `fields`, and the oddities in them."""
    oddities: Oddities = defaultdict(int)
    results: Any = [_members(document, fields, oddities) for document in documents]
    return JobsInfo(results=results, total_count=min(total, _INT32_MAX)), oddities


def stat_result(rows: Iterable[Mapping[str, Any]], total: int) -> Struct:
    """The response of a stat: a page of flattened rows, and the total number of rows."""
    return struct({"results": [flatten(row) for row in rows], "total_count": total})


def distinct_result(rows: Sequence[Mapping[str, Any]], total: int) -> Struct:
    """The response of a distinct stat: the `values` of its only row, and the total number."""
    return struct({"results": rows[0]["values"], "total_count": total})


def analyze_result(rows: Iterable[Mapping[str, Any]], more: bool) -> Struct:
    """The response of an analyze: a page of flattened rows, and whether more rows follow."""
    return struct({"results": [flatten(row) for row in rows], "more": more})


def flatten(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """`row` with the members of its `_id`, if a document, beside the other fields, which win."""
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
    # Filling in place is the fastest way to build a Struct, several times faster than some.
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
    """The keyword arguments of a JobInfo; counts its oddities in `oddities`."""
    members: dict[str, Any] = {}
    for name in fields:
        value = document.get(name)
        convert = _CONVERTERS[name]
        # The fast path: a page has thousands of values, and most are strings.
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
    """A value that JobInfo cannot show as it is stored; `shown` is what it shows instead."""

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
        return value  # the fast path, for nearly all values
    number = decimal(value) if isinstance(value, Decimal128) else value
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal) or isnan(number):
        raise _Odd(0)
    shown = int(max(_INT32_MIN, min(_INT32_MAX, number)))
    if shown != number:
        raise _Odd(shown)
    return shown


def _enumerated(numbers: Mapping[str, int]) -> Callable[[Any], int]:
    # bson.Code is a str, but not hashable.
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
