"""What in a request that the server takes is likely a slip: a field that no job has, a value that
is none of an enumeration's, a row's name that there is not. Pure.

They are no errors: jobs of older versions may hold such fields and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from types import MappingProxyType
from typing import Any

from google.protobuf import json_format

from inventory_job.cli.client.calls import request_message
from inventory_job.query.fields import resolve
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import JobInfo

_ENUMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The first of each stands for what is none of the others, and is not stored.
        "status": tuple(JobInfo.Status.keys()[1:]),
        "resource_group": tuple(JobInfo.ResourceGroup.keys()[1:]),
    }
)
_EQUALITIES = frozenset({"eq", "not", "in", "not_in"})
_STORED_ID = "_id"

Plain = Mapping[str, Any]


def doubts(method: str, request: Plain) -> list[str]:
    """A sentence for each likely slip in a request of list, stat or analyze, with near matches."""
    message = request_message(method, request)
    try:
        whole = json_format.MessageToDict(message, preserving_proto_field_name=True)
    except json_format.Error:
        return []  # numbers such as NaN, which JSON has not
    query: Plain = whole.get("query", {})
    found = chain(_of_values(query), _of_fields(_fields(method, query)), _of_rows(method, query))
    return [*dict.fromkeys(found)]


def _of_values(query: Plain) -> Iterator[str]:
    for condition in (*query.get("filter", ()), *query.get("filter_or", ())):
        values = _either(condition, "value", "v")
        known = _ENUMS.get(_either(condition, "key", "k"), ())
        if not known or _either(condition, "operator", "o") not in _EQUALITIES:
            continue
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) and value not in known:
                yield _value_doubt(_either(condition, "key", "k"), value, known)


def _value_doubt(key: str, value: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(value.upper(), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key} has the values {', '.join(known)}, and not {value[:60]!r}{hint}"


def _of_fields(names: Iterable[object]) -> Iterator[str]:
    for name in names:
        if isinstance(name, str) and name and name != _STORED_ID:
            try:
                resolve(name)
            except LookupError as error:
                yield str(error)


def _of_rows(method: str, query: Plain) -> Iterator[str]:
    """Of names to sort rows by that the rows have not."""
    if method == "analyze":
        columns = [*map(_name, query.get("group_by", ())), *query.get("fields", {})]
        columns += [f"_total_{name}" for name in query.get("fields", {})]
        keys = query.get("sort", [])
    else:
        first, second = (*query.get("aggregate", ()), {}, {})[:2]
        group = first.get("group", {})
        columns = [*map(_name, (*group.get("keys", ()), *group.get("fields", ())))]
        keys = second.get("sort", []) if group else []
    for key in keys:
        name = key.get("key") if isinstance(key, dict) else None
        if isinstance(name, str) and name.partition(".")[0] not in columns:
            near = get_close_matches(name, columns, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(columns)}"
            yield f"a row has no {name[:60]!r} to sort by; {hint}"


def _fields(method: str, query: Plain) -> Iterator[object]:
    """The names in a query that are of fields of a job."""
    if method == "list":
        yield from (key.get("key") for key in query.get("sort", ()))
    elif method == "analyze":
        # Unwinding and adding make fields of their own.
        if not {"unwind", "add_fields", "lookup"} & {*query}:
            yield from map(_key, query.get("group_by", ()))
            yield from map(_key, query.get("fields", {}).values())
    elif first := next(iter(query.get("aggregate", ())), None):
        group = first.get("group", {})
        yield from map(_key, (*group.get("keys", ()), *group.get("fields", ())))
    else:
        yield query.get("distinct")


def _key(written: object) -> object:
    return _either(written, "key", "k") if isinstance(written, dict) else written


def _name(written: object) -> str:
    """What a key or field of a group is called in its rows."""
    if isinstance(written, dict):
        name = _either(written, "name", "n") or _either(written, "key", "k")
        return str(name)
    return str(written).rpartition(".")[2]


def _either(written: Plain, name: str, short: str) -> Any:
    return written.get(name, written.get(short))
