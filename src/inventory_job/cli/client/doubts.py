"""Finds likely mistakes in a valid request: a field that no job has, a value that its enum lacks, a
column that the rows lack. Pure functions.

These are not errors: jobs of older versions may have such fields and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain
from types import MappingProxyType
from typing import Any

from google.protobuf import json_format

from inventory_job.cli.client.calls import JOB_ENUMS, request_message
from inventory_job.query.fields import resolve

_EQUALITIES = frozenset({"eq", "not", "in", "not_in"})
_STORED_ID = "_id"

Plain = Mapping[str, Any]


def doubts(method: str, request: Plain) -> list[str]:
    """A sentence for each likely mistake in a list, stat or analyze request, with near matches."""
    message = request_message(method, request)
    try:
        whole = json_format.MessageToDict(message, preserving_proto_field_name=True)
    except json_format.Error:
        return []  # numbers such as NaN, which JSON lacks
    query: Plain = whole.get("query", {})
    conditions = (*query.get("filter", ()), *query.get("filter_or", ()))
    found = chain(_of_values(conditions), _OF_METHODS[method](query))
    return [*dict.fromkeys(found)]


def _of_list(query: Plain) -> Iterator[str]:
    yield from _of_unwind(query.get("unwind", {}))
    yield from _of_fields(key.get("key") for key in query.get("sort", ()))


def _of_stat(query: Plain) -> Iterator[str]:
    if not query.get("aggregate"):
        yield from _of_fields([query.get("distinct")])
    keys: list[str] | None = None  # None: the rows are still jobs
    others: list[str] = []
    for stage in query.get("aggregate", ()):
        names = [*_read_by(stage)]
        if keys is None:
            yield from _of_unwind(stage.get("unwind", {}))
            for field in stage.get("group", {}).get("fields", ()):
                yield from _of_values(field.get("conditions", ()))
            yield from _of_fields(names)
        else:
            yield from _of_rows(names, [*keys, *others], " to sort by" if "sort" in stage else "")
        if "group" in stage:
            keys = [*map(_name, stage["group"].get("keys", ()))]
            others = [*map(_name, stage["group"].get("fields", ()))]
        elif "count" in stage:
            keys, others = [], [stage["count"].get("name", "")]
        elif "project" in stage:
            keys = [] if stage["project"].get("exclude_keys") else keys or [_STORED_ID]
            others = [*map(_name, stage["project"].get("fields", ()))]


def _read_by(stage: Plain) -> Iterator[object]:
    """The names that a stage reads from rows, except those of an unwind."""
    group, project = stage.get("group", {}), stage.get("project", {})
    for field in (*group.get("fields", ()), *group.get("keys", ()), *project.get("fields", ())):
        yield from map(_key, (field, *field.get("fields", ()), *field.get("conditions", ())))
    yield from (key.get("key") for key in stage.get("sort", ()) if isinstance(key, dict))


def _of_analyze(query: Plain) -> Iterator[str]:
    fields: Plain = query.get("fields", {})
    # add_fields, lookup and unwind create fields that no job has.
    if not {"add_fields", "lookup"} & {*query}:
        yield from _of_unwind(query.get("unwind", {}))
        if "unwind" not in query:
            yield from _of_fields(map(_key, (*query.get("group_by", ()), *fields.values())))
    keys = [*map(_name, query.get("group_by", ()))]
    for name in query.get("field_group", ()):
        if name not in keys:
            yield f"no group_by key is called {name[:60]!r} to be folded; {_near(name, keys)}"
    columns = [*query.get("select", {})] or [*keys, *fields]
    columns += [f"_total_{name}" for name in columns if name not in keys]
    sort = (key.get("key") for key in query.get("sort", ()))
    yield from _of_rows(sort, columns, " to sort by")


_OF_METHODS: Mapping[str, Callable[[Plain], Iterator[str]]] = MappingProxyType(
    {"list": _of_list, "stat": _of_stat, "analyze": _of_analyze}
)


def _of_values(conditions: Iterable[Plain]) -> Iterator[str]:
    for condition in conditions:
        values = _either(condition, "value", "v")
        known = JOB_ENUMS.get(_key(condition), ())
        if not known or _either(condition, "operator", "o") not in _EQUALITIES:
            continue
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) and value not in known:
                yield _value_doubt(_key(condition), value, known)


def _value_doubt(key: str, value: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(value.upper(), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key} has the values {', '.join(known)}, and not {value[:60]!r}{hint}"


def _of_unwind(unwind: Plain) -> Iterator[str]:
    """Likely mistakes in an unwind of jobs."""
    yield from _of_fields([unwind.get("path")])
    yield from _of_values(unwind.get("filter", ()))


def _of_fields(names: Iterable[object]) -> Iterator[str]:
    for name in names:
        if isinstance(name, str) and name and name != _STORED_ID:
            try:
                resolve(name)
            except ValueError as error:
                yield str(error)


def _of_rows(names: Iterable[object], columns: Sequence[str], purpose: str) -> Iterator[str]:
    """Likely mistakes: names that are not in `columns`; `purpose` says what they are for."""
    for name in names:
        if isinstance(name, str) and name and name.split(".", 1)[0] not in [_STORED_ID, *columns]:
            yield f"a row has no {name[:60]!r}{purpose}; {_near(name, columns, 'it has ')}"


def _near(name: str, known: Sequence[str], whole: str = "there are ") -> str:
    near = get_close_matches(name, known, n=3)
    return f"did you mean {', '.join(near)}?" if near else f"{whole}{', '.join(known) or 'none'}"


def _key(written: Any) -> Any:
    return _either(written, "key", "k") if isinstance(written, dict) else written


def _name(written: object) -> str:
    """The column name of a group's key or field."""
    if isinstance(written, dict):
        name = _either(written, "name", "n") or _either(written, "key", "k")
        return str(name)
    return str(written).rpartition(".")[2]


def _either(written: Plain, name: str, short: str) -> Any:
    return written.get(name, written.get(short))
