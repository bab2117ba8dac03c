"""Documents → JobInfo, rows → Struct (docs/data-model.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import isfinite, isnan, trunc
from typing import Any

from bson import Decimal128
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import JobInfo, JobsInfo
from inventory_job.wire.values import MAX_DEPTH, decimal, iso, plain, text

Oddities = defaultdict[str, int]
"""How many stored values of each field could not be shown as they are."""

_Converter = Callable[[Any], Any]

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_DEFAULT_STATUS = JobInfo.IN_PROGRESS
_STATUSES: Mapping[str, int] = {
    **dict(JobInfo.Status.items()),
    "ERROR": JobInfo.FAILURE,  # older data
    "TIMEOUT": JobInfo.FAILURE,
}
_RESOURCE_GROUPS: Mapping[str, int] = dict(JobInfo.ResourceGroup.items())
_ENUMERATIONS = {"status": _STATUSES, "resource_group": _RESOURCE_GROUPS}


def job_info(document: Mapping[str, Any], fields: tuple[str, ...]) -> tuple[JobInfo, Oddities]:
    """One stored job as a message with these `fields`, and what was odd about it."""
    oddities: Oddities = defaultdict(int)
    return JobInfo(**_members(document, _layout(fields), oddities)), oddities


def jobs_info(
    documents: Iterable[Mapping[str, Any]], total: int, fields: tuple[str, ...]
) -> tuple[JobsInfo, Oddities]:
    """A page of stored jobs as a message with these `fields`, and what was odd about them."""
    oddities: Oddities = defaultdict(int)
    layout = _layout(fields)
    results: Any = [_members(document, layout, oddities) for document in documents]
    return JobsInfo(results=results, total_count=min(total, _INT32_MAX)), oddities


def stat_result(rows: Iterable[Mapping[str, Any]], total: int) -> Struct:
    """Rows of a stat, group keys flattened, and how many there are in all."""
    return struct({"results": [flatten(row) for row in rows], "total_count": total})


def distinct_result(values: Sequence[Any], total: int) -> Struct:
    """Values of a distinct stat, and how many there are in all."""
    return struct({"results": list(values), "total_count": total})


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


@dataclass(frozen=True, slots=True)
class _Layout:
    """Fields of a job by what a stored value nearly always is."""

    strings: tuple[str, ...]
    integers: tuple[str, ...]
    dates: tuple[str, ...]
    enumerations: tuple[tuple[str, Mapping[str, int]], ...]
    others: tuple[str, ...]


@lru_cache(256)
def _layout(fields: tuple[str, ...]) -> _Layout:
    def those(converter: _Converter) -> tuple[str, ...]:
        return tuple(name for name in fields if _CONVERTERS[name] is converter)

    strings, integers, dates = those(_string), those(_int32), those(_date)
    enumerations = tuple((name, _ENUMERATIONS[name]) for name in fields if name in _ENUMERATIONS)
    simple = {*strings, *integers, *dates, *_ENUMERATIONS}
    others = tuple(name for name in fields if name not in simple)
    return _Layout(strings, integers, dates, enumerations, others)


def _members(document: Mapping[str, Any], layout: _Layout, oddities: Oddities) -> dict[str, Any]:
    """The members of a JobInfo. A page has thousands of values: those of the exact type expected
    are dealt with here, all others by their field's converter."""
    members: dict[str, Any] = {}
    unusual = [*layout.others]
    get = document.get
    for name in layout.strings:
        value = get(name)
        if value.__class__ is str:
            members[name] = value
        elif value is not None:
            unusual.append(name)
    for name in layout.integers:
        value = get(name)
        if value.__class__ is int and _INT32_MIN <= value <= _INT32_MAX:
            members[name] = value
        elif value is not None:
            unusual.append(name)
    for name, numbers in layout.enumerations:
        value = get(name)
        number = numbers.get(value) if value.__class__ is str else None
        if number is not None:
            members[name] = number
        else:
            unusual.append(name)
    unusual += _dates(document, layout.dates, members)
    for name in unusual:
        _convert(name, document, members, oddities)
    return members


def _dates(
    document: Mapping[str, Any], names: Sequence[str], members: dict[str, Any]
) -> Sequence[str]:
    """Writes the dates among these members; the names of those that are none."""
    unusual: list[str] = []
    latest = shown = None
    for name in names:
        value = document.get(name)
        if value.__class__ is datetime:
            # A finished job was updated when it finished.
            if value != latest:
                latest, shown = value, iso(value)
            members[name] = shown
        elif value is not None:
            unusual.append(name)
    return unusual


def _convert(
    name: str, document: Mapping[str, Any], members: dict[str, Any], oddities: Oddities
) -> None:
    value = document.get(name)
    if value is None:
        if name == "status":
            members[name] = _DEFAULT_STATUS
    else:
        try:
            members[name] = _CONVERTERS[name](value)
        except _Odd as odd:
            members[name] = odd.shown
            oddities[name] += 1


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
    if isinstance(value, int) and not isinstance(value, bool) and _fits(value):
        return value
    number = decimal(value) if isinstance(value, Decimal128) else value
    if isinstance(number, bool | str | list | dict) or not hasattr(number, "__trunc__"):
        raise _Odd(0)
    if not isfinite(number):
        raise _Odd(0 if isnan(number) else _INT32_MAX if number > 0 else _INT32_MIN)
    shown: int = max(_INT32_MIN, min(_INT32_MAX, trunc(number)))
    if shown == number:
        return shown
    raise _Odd(shown)


def _fits(value: int) -> bool:
    return _INT32_MIN <= value <= _INT32_MAX


def _status(value: Any) -> int:
    # A subclass of str, as BSON code is, may not be hashable.
    return _STATUSES.get(str(value), JobInfo.NONE) if isinstance(value, str) else JobInfo.NONE


def _resource_group(value: Any) -> int:
    if not isinstance(value, str):
        return JobInfo.RESOURCE_GROUP_NONE
    return _RESOURCE_GROUPS.get(str(value), JobInfo.RESOURCE_GROUP_NONE)


_CONVERTERS: Mapping[str, _Converter] = {
    field.name: {
        field.CPPTYPE_STRING: _string,
        field.CPPTYPE_INT32: _int32,
    }.get(field.cpp_type, _string)
    for field in JobInfo.DESCRIPTOR.fields
} | {
    "status": _status,
    "resource_group": _resource_group,
    "created_at": _date,
    "updated_at": _date,
    "finished_at": _date,
}
