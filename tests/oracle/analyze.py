"""analyze: docs/query-language.md#analyze, lookup aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import Code

from .answers import AnalyzeAnswer, shown
from .expressions import Expression, added_fields, selection, with_added_fields
from .filters import Plain, Scope, needed, select_documents, unwind_test
from .groups import ARRAY_OPERATORS, GroupField, GroupKey, grouped, without_code
from .rows import (
    Rows,
    key_path,
    mapped,
    member_name,
    one_page,
    ordered_by,
    page_bounds,
    runs,
    sort_keys,
    total,
    unordered,
    unwound,
)
from .stat import Names, by_keys
from .values import ABSENT, Bag, Document, NotEvaluable, OrderKey, sort_key

_TOTALS: Final = {
    "count": "sum", "sum": "sum", "average": "average", "max": "max", "min": "min",
}  # fmt: skip
_TOTAL: Final = "_total_"


def analyze(
    documents: Iterable[Document],
    request: Plain,
    scope: Scope,
    now: datetime,
    *,
    absent_is_null: bool = True,
) -> AnalyzeAnswer:
    """What an analyze over the documents answers.

    Inputs as for `stat`, with a JobAnalyzeQuery. An absent group_by field counts as null; with
    `absent_is_null` off it does so only where there is one group key, as in MongoDB itself.
    Raises `NotEvaluable` where the specification or the database gives no answer.
    """
    query = request["query"]
    if query.get("lookup"):
        raise NotEvaluable("lookup")
    raw = _raw_rows(select_documents(documents, query, scope, now), query)
    plan = _plan(query)
    rows = unordered(grouped(runs(raw), plan.keys, plan.fields, absent_is_null))
    if plan.folds:
        rows = _folded(rows, plan, absent_is_null)
    if not query.get("sort"):
        rows = by_keys(rows, plan.shown_keys)
    if plan.select:
        rows = mapped(rows, lambda row: _selected_row(row, plan.select))
    if query.get("sort"):
        rows = ordered_by(rows, sort_keys(query["sort"], plan.sort_path))
    return _page(shown(rows), query.get("page", {}))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an analyze groups by, computes, folds into lists and selects."""

    keys: tuple[GroupKey, ...]
    fields: tuple[GroupField, ...]
    folded: tuple[str, ...]
    folds: bool
    """Whether rows are folded, which they are by no known name as well."""
    select: Mapping[str, Expression]

    @property
    def shown_keys(self) -> list[str]:
        """The names that group the rows of the answer."""
        return [key.name for key in self.keys if key.name not in self.folded]

    def sort_path(self, key: str) -> str:
        """The field path that a sort key means in the rows of the answer."""
        first = key_path(key).partition(".")[0]
        fields = {field.name: field.operator in _TOTALS for field in self.fields}
        known = {*self.shown_keys, *fields}
        if first in self.folded or (self.select and first in known - set(self.select)):
            raise NotEvaluable(f"a sort by what the rows no longer have: {key!r}")
        if self.select:
            return key
        if self.folds and first in fields:
            if not fields[first] or key != first:
                raise NotEvaluable(f"a sort by a list: {key!r}")
            return _TOTAL + key
        return Names(frozenset(self.shown_keys), raw=False).path(key)


def _plan(query: Plain) -> _Plan:
    keys, fields = _group_keys(query.get("group_by", ())), _group_fields(query["fields"])
    names = [key.name for key in keys]
    if any(name.startswith(_TOTAL) for name in (*names, *query["fields"])):
        raise NotEvaluable(f"a name beginning with {_TOTAL}")
    if len({*names, *(field.name for field in fields)}) < len(keys) + len(fields):
        raise NotEvaluable("a name given twice")
    folded = [name for name in dict.fromkeys(query.get("field_group", ())) if name in names]
    path_of = Names(frozenset(names), raw=False).path
    if "value" in folded:
        raise NotEvaluable("a folded name that hides the value")
    select = query.get("select", {})
    if query.get("field_group") and select:
        raise NotEvaluable("field_group over selected names is not described")
    return _Plan(
        tuple(keys),
        tuple(fields),
        tuple(folded),
        bool(query.get("field_group")),
        {member_name(name): selection(source, path_of) for name, source in select.items()},
    )


def _selected_row(row: Document, select: Mapping[str, Expression]) -> dict[str, Any]:
    values = ((name, compute(row)) for name, compute in select.items())
    return {name: value for name, value in values if value is not ABSENT}


def _page(rows: Rows, page: Plain) -> AnalyzeAnswer:
    before, size = page_bounds(page)
    return AnalyzeAnswer(one_page(rows, page), more=total(rows) > before + size)


def _raw_rows(found: Sequence[Document], query: Plain) -> Rows:
    rows = unordered(found)
    names = Names()
    if "unwind" in query:
        passes = unwind_test(query["unwind"].get("filter", ()), names.path, raw=True)
        rows = unwound(rows, query["unwind"], names.path, passes)
    added = added_fields(query.get("add_fields", {}))
    return mapped(rows, lambda row: with_added_fields(row, added))


def _group_keys(group_by: Iterable[Any]) -> list[GroupKey]:
    return [_group_key(entry) for entry in group_by]


def _group_key(entry: Any) -> GroupKey:
    if isinstance(entry, Mapping):
        key, name = needed(entry, "key", "k"), needed(entry, "name", "n")
    elif isinstance(entry, str):
        key, name = entry, entry.rpartition(".")[2]
    else:
        raise NotEvaluable(f"not a group_by entry: {entry!r}")
    return GroupKey(member_name(name), key_path(key))


def _group_fields(specs: Plain) -> list[GroupField]:
    if not specs:
        raise NotEvaluable("no fields")
    return [_group_field(member_name(name), spec) for name, spec in specs.items()]


def _group_field(name: str, spec: Any) -> GroupField:
    if not isinstance(spec, Mapping):
        raise NotEvaluable(f"not a field: {name!r}: {spec!r}")
    operator, members = needed(spec, "operator"), spec.get("fields", {})
    of_array = spec.get("data_type") == "array"
    if members and (operator != "push" or "key" in spec):
        raise NotEvaluable("fields beside a key, or on another operator than push")
    if of_array and operator not in ARRAY_OPERATORS:
        raise NotEvaluable(f"data_type array on {operator}")
    return GroupField(
        name,
        operator,
        path=key_path(needed(spec, "key")) if "key" in spec else None,
        members=tuple((member_name(to), key_path(key)) for to, key in members.items()),
        of_array=of_array,
    )


def _folded(rows: Rows, plan: _Plan, absent_is_null: bool) -> Rows:
    """One row for each combination of the names that are not folded."""
    # No name of a request has a `$`, so the rows gathered can't clash with one.
    outer = [GroupKey(name, f"_id.{name}") for name in plan.shown_keys]
    totals = [
        GroupField(_TOTAL + field.name, _TOTALS[field.operator], path=field.name, raw=False)
        for field in plan.fields
        if field.operator in _TOTALS
    ]
    gathered = GroupField("$rows", "push", path="$row", raw=False)
    inner = mapped(rows, lambda row: {**row, "$row": row})
    without_code(runs(inner), outer, totals)
    out = unordered(grouped(runs(inner), outer, [gathered, *totals], absent_is_null))
    return mapped(out, lambda row: _folded_row(row, plan))


def _folded_row(row: Document, plan: _Plan) -> dict[str, Any]:
    parts = list(row["$rows"])
    places = {id(part): _place(part, plan.folded) for part in parts}
    parts.sort(key=lambda part: places[id(part)])
    # With the names in two orders, which of them comes first is not said.
    same_order = [key.name for key in plan.keys if key.name in plan.folded] == list(plan.folded)
    ties = len(set(places.values())) < len(parts)
    values = [value for part in parts for value in part["_id"].values()]
    # Where these come is up to MongoDB's plan, as in `by_keys`.
    odd = any(isinstance(value, (list, Code)) for value in values)
    kind = list if same_order and not ties and not odd else Bag
    out = {name: value for name, value in row.items() if name != "$rows"}
    for field in plan.fields:
        out[field.name] = kind(_folded_value(part, field.name, plan.folded) for part in parts)
    return out


def _place(part: Document, folded: Sequence[str]) -> OrderKey:
    return tuple(sort_key(part["_id"].get(name, ABSENT)) for name in folded)


def _folded_value(part: Document, name: str, folded: Sequence[str]) -> dict[str, Any]:
    return {
        "value": part[name],
        **{key: part["_id"][key] for key in folded if key in part["_id"]},
    }
