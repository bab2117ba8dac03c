"""stat: docs/query-language.md#stat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import Code

from .answers import StatAnswer, shown
from .expressions import PROJECT_OPERATORS
from .filters import Plain, Scope, given, needed, select_documents, unwind_test
from .groups import GroupField, GroupKey, condition_test, grouped, without_code
from .rows import (
    Rows,
    in_order,
    key_path,
    limit,
    mapped,
    member_name,
    names_of,
    one_page,
    ordered_by,
    runs,
    skip,
    sort_keys,
    total,
    unordered,
    unwound,
)
from .values import ABSENT, Document, NotEvaluable, at, distinct, order_key, plain


@dataclass(frozen=True, slots=True)
class Names:
    """What the names in a stage mean: those of group keys lie in `_id`, others are plain.

    `raw` says that rows still have the job's own fields.
    """

    group_keys: frozenset[str] = frozenset()
    raw: bool = True

    def path(self, key: str) -> str:
        """The field path of a key."""
        first, _, rest = key_path(key).partition(".")
        if first not in self.group_keys:
            return key
        if rest:
            raise NotEvaluable("whether a dotted key goes into a group key is not said")
        return f"_id.{key}"


def stat(documents: Iterable[Document], request: Plain, scope: Scope, now: datetime) -> StatAnswer:
    """What a stat over the documents answers.

    Inputs: stored documents as pymongo returns them; a valid JobStatQuery as plain data, with
    snake_case names and present fields only; the tenant; the moment that relative times mean.
    Raises `NotEvaluable` where the specification or the database gives no answer.
    """
    query = request["query"]
    found = select_documents(documents, query, scope, now)
    if query.get("aggregate"):
        rows = shown(run_stages(unordered(found), query["aggregate"]))
    elif query.get("distinct"):
        rows = in_order(plain(value) for value in _distinct_values(found, query["distinct"]))
    else:
        raise NotEvaluable("neither aggregate nor distinct")
    return StatAnswer(one_page(rows, query.get("page", {})), total(rows))


def _distinct_values(documents: Iterable[Document], path: str) -> list[Any]:
    if key_path(path) == "id":
        raise NotEvaluable("whether distinct knows id is not said")
    names = path.split(".")
    return sorted(
        distinct(value for document in documents for value in _leaves(document, names)),
        key=order_key,
    )


def _leaves(value: Any, names: Sequence[str]) -> list[Any]:
    """The values at a path, arrays taken apart once at each step."""
    if not names:
        return list(value) if isinstance(value, list) else [value]
    inner = value if isinstance(value, list) else [value]
    parts = [item for item in inner if isinstance(item, Mapping) and names[0] in item]
    return [leaf for part in parts for leaf in _leaves(part[names[0]], names[1:])]


def run_stages(rows: Rows, stages: Sequence[Plain]) -> Rows:
    """The rows after all the stages, each a dictionary with one member."""
    names = Names()
    for stage in stages:
        if len(stage) != 1:
            raise NotEvaluable(f"not one stage: {stage!r}")
        rows, names = _run_stage(rows, names, stage)
    return rows


def _run_stage(rows: Rows, names: Names, stage: Plain) -> tuple[Rows, Names]:
    ((kind, spec),) = stage.items()
    match kind:
        case "unwind":
            passes = unwind_test(spec.get("filter", ()), names.path, names.raw)
            return unwound(rows, spec, names.path, passes), names
        case "group":
            return _group(rows, names, spec)
        case "count":
            name, count = member_name(needed(spec, "name")), total(rows)
            return in_order([{name: count}] if count else []), Names(raw=False)
        case "sort" if spec:
            return ordered_by(rows, sort_keys(spec, names.path)), names
        case "project":
            return _project(rows, names, spec)
        case "limit" if spec > 0:
            return limit(rows, spec), names
        case "skip" if spec >= 0:
            return skip(rows, spec), names
    raise NotEvaluable(f"not a stage: {stage!r}")


def _group(rows: Rows, names: Names, spec: Plain) -> tuple[Rows, Names]:
    keys, fields = spec.get("keys", ()), spec.get("fields", ())
    if len({*names_of(keys), *names_of(fields)}) < max(1, len(keys) + len(fields)):
        raise NotEvaluable("a group of nothing, or with a name given twice")
    group_keys = [
        GroupKey(
            needed(key, "name", "n"),
            names.path(needed(key, "key", "k")),
            key.get("date_format") or None,
        )
        for key in keys
    ]
    group_fields = [_group_field(field, names) for field in fields]
    if not names.raw:
        without_code(runs(rows), group_keys, group_fields)
    made = unordered(grouped(runs(rows), group_keys, group_fields, absent_is_null=True))
    # Whatever comes next finds them in this order, until a stage asks for another.
    out = by_keys(made, [key.name for key in group_keys])
    return out, Names(frozenset(key.name for key in group_keys), raw=False)


def by_keys(rows: Rows, names: Sequence[str]) -> Rows:
    """Rows of a group in the order of its keys, the first name first."""
    for run in runs(rows):
        if any(isinstance(row["_id"].get(name), (list, Code)) for row in run for name in names):
            # An order by an array's elements and one by the array as a whole differ, and where
            # code comes is up to MongoDB's plan.
            return rows
    return ordered_by(rows, [(f"_id.{name}", False) for name in names])


def _group_field(field: Plain, names: Names) -> GroupField:
    members = field.get("fields", ())
    key = given(field, "key", "k")
    name, operator = needed(field, "name", "n"), needed(field, "operator", "o")
    if members and (operator != "push" or key is not ABSENT):
        raise NotEvaluable("fields beside a key, or on another operator than push")
    return GroupField(
        name,
        operator,
        path=None if key is ABSENT else names.path(key),
        members=tuple(
            (member, names.path(needed(entry, "key", "k")))
            for member, entry in zip(names_of(members), members, strict=True)
        ),
        conditions=tuple(condition_test(field.get("conditions", ()), names.path)),
        raw=names.raw,
    )


def _project(rows: Rows, names: Names, spec: Plain) -> tuple[Rows, Names]:
    fields, without_id = spec.get("fields", ()), spec.get("exclude_keys", False)
    if not fields:
        raise NotEvaluable("a project of nothing")
    sources = {
        name: (given(field, "operator", "o"), names.path(_project_key(field, name)))
        for name, field in zip(names_of(fields), fields, strict=True)
    }

    def project(row: Document) -> dict[str, Any]:
        out = {} if without_id or "_id" not in row else {"_id": row["_id"]}
        for name, (operator, path) in sources.items():
            value = at(row, path)
            if operator is not ABSENT:
                value = _operator(operator)(value)
            if value is not ABSENT:
                out[name] = value
        return out

    return mapped(rows, project), Names(frozenset() if without_id else names.group_keys, raw=False)


def _project_key(field: Plain, name: str) -> str:
    key = given(field, "key", "k")
    if key is ABSENT:
        raise NotEvaluable(f"what a project field without a key shows is not said: {name!r}")
    return needed(field, "key", "k")


def _operator(name: str) -> Any:
    if name not in PROJECT_OPERATORS:
        raise NotEvaluable(f"project with operator {name!r}")
    return PROJECT_OPERATORS[name]
