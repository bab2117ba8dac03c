"""The group stage and its accumulators."""

from __future__ import annotations

import math
import operator as compare
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import Code

from .filters import DATE_FIELDS, Plain, given, needed
from .times import date_part, date_text
from .values import (
    ABSENT,
    AnyOf,
    Bag,
    Document,
    NotEvaluable,
    OrderKey,
    Rank,
    Refused,
    any_of,
    as_number,
    at,
    distinct,
    is_number,
    order_key,
    rank,
)

Runs = Sequence[Sequence[Any]]
PathOf = Callable[[str], str]

_CONDITIONAL: Final = frozenset({"count", "sum", "average"})
_EXACT: Final = 2.0**53
"""Whole numbers above this have no double of their own."""
_LEAST_LEFT: Final = 1e-3
_PUSHED_DATE: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A member of the rows' `_id`."""

    name: str
    path: str
    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class GroupField:
    """A member of the rows: an accumulator over a field path, or over documents made of several.

    `conditions` are tests that all have to hold; `of_array` applies the operator to the elements
    of an array first; `raw` says that the rows grouped still have the job's own fields.
    """

    name: str
    operator: str
    path: str | None = None
    members: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Callable[[Document], bool], ...] = ()
    of_array: bool = False
    raw: bool = True


def grouped(
    runs: Runs, keys: Sequence[GroupKey], fields: Sequence[GroupField], absent_is_null: bool
) -> list[dict[str, Any]]:
    """One row for each combination of the keys' values: `_id`, a document of them, and fields.

    MongoDB takes an absent field for null when there is just one key, and leaves the member out
    when there are several; `absent_is_null` takes it for null in any case.
    """
    as_null = absent_is_null or len(keys) == 1
    found: dict[OrderKey, tuple[dict[str, Any], list[list[Any]]]] = {}
    for number, run in enumerate(runs):
        for row in run:
            values = [_key_value(row, key, as_null) for key in keys]
            identity = tuple(order_key(value) for value in values)
            if identity not in found:
                names = (key.name for key in keys)
                row_id = {n: v for n, v in zip(names, values, strict=True) if v is not ABSENT}
                found[identity] = (row_id, [[] for _ in runs])
            found[identity][1][number].append(row)
    return [
        {"_id": row_id, **{field.name: _accumulated(own, field) for field in fields}}
        for row_id, own in ((row_id, [run for run in own if run]) for row_id, own in found.values())
    ]


def without_code(runs: Runs, keys: Sequence[GroupKey], fields: Sequence[GroupField]) -> None:
    """Raises NotEvaluable where rows of an earlier group, which are grouped again, hold code:
    MongoDB 6.0 may make a text of it between the two."""
    paths = [key.path for key in keys] + [field.path for field in fields if field.path is not None]
    if any(isinstance(at(row, path), Code) for run in runs for row in run for path in paths):
        raise NotEvaluable("code of an earlier group")


def _key_value(row: Document, key: GroupKey, as_null: bool) -> Any:
    value = at(row, key.path)
    if key.date_format is not None:
        return date_part(value, key.date_format)
    return None if as_null and value is ABSENT else value


def _accumulated(runs: Runs, field: GroupField) -> Any:
    if field.operator not in OPERATORS:
        raise NotEvaluable(f"unknown operator {field.operator!r}")
    if field.conditions and field.operator not in _CONDITIONAL:
        raise NotEvaluable(f"conditions on {field.operator}")
    if field.operator == "count":
        return sum(_holds(row, field) for run in runs for row in run)
    if field.members:
        values = [[_member_document(row, field) for row in run] for run in runs]
    elif field.path is not None:
        values = [[_value(row, field) for row in run] for run in runs]
    else:
        raise NotEvaluable(f"{field.operator} without a key")
    return _ACCUMULATORS[field.operator](values)


def _value(row: Document, field: GroupField) -> Any:
    if not _holds(row, field):
        return 0
    value = at(row, field.path or "")
    return _INNER[field.operator](value) if field.of_array else value


def _holds(row: Document, field: GroupField) -> bool:
    return all(test(row) for test in field.conditions)


def _member_document(row: Document, field: GroupField) -> dict[str, Any]:
    values = ((name, _member(at(row, path), path, field.raw)) for name, path in field.members)
    return {name: None if value is ABSENT else value for name, value in values}


def _member(value: Any, path: str, raw: bool) -> Any:
    if raw and path in DATE_FIELDS:
        if value is not ABSENT and value is not None and rank(value) is not Rank.DATE:
            raise NotEvaluable("a stored text where push expects a date")
        return date_text(value, _PUSHED_DATE)
    if value is not ABSENT and rank(value) is Rank.DATE:
        return AnyOf((date_text(value, _PUSHED_DATE), value))
    return value


def condition_test(specs: Iterable[Plain], path_of: PathOf) -> list[Callable[[Document], bool]]:
    """The tests of a field's conditions, with the comparisons of aggregation expressions."""
    return [_one_condition(spec, path_of) for spec in specs]


def _one_condition(spec: Plain, path_of: PathOf) -> Callable[[Document], bool]:
    path = path_of(needed(spec, "key", "k"))
    holds = COMPARISONS.get(_CONDITION_NAMES.get(needed(spec, "operator", "o"), ""))
    value = given(spec, "value", "v")
    if holds is None or value is ABSENT or isinstance(value, (list, Mapping)):
        raise NotEvaluable(f"not a condition: {spec!r}")
    wanted = order_key(value)

    def test(row: Document) -> bool:
        found = at(row, path)
        return holds(order_key(None if found is ABSENT else found), wanted)

    return test


COMPARISONS: Final[Mapping[str, Callable[[OrderKey, OrderKey], bool]]] = {
    "eq": compare.eq,
    "ne": compare.ne,
    "lt": compare.lt,
    "lte": compare.le,
    "gt": compare.gt,
    "gte": compare.ge,
}
_CONDITION_NAMES: Final = {
    "eq": "eq", "not": "ne", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte",
}  # fmt: skip


def numbers(values: Iterable[Any]) -> list[int | float]:
    """Those of the values that are numbers."""
    return [as_number(value) for value in values if value is not ABSENT and is_number(value)]


def added_up(found: Sequence[int | float]) -> int | float:
    """The sum of the numbers; whole when all are."""
    if all(isinstance(number, int) for number in found):
        return sum(found)
    try:
        total = math.fsum(found)
    except (OverflowError, ValueError):
        return sum(float(number) for number in found)
    largest = max(abs(number) for number in found)
    if largest > _EXACT and abs(total) < largest * _LEAST_LEFT:
        raise NotEvaluable("what is left of a sum is within what MongoDB may round")
    return total


def _averaged(found: Sequence[int | float]) -> float | None:
    return float(added_up(found)) / len(found) if found else None


def _extreme(values: Iterable[Any], best: Callable[..., Any]) -> Any:
    found = [value for value in values if value is not ABSENT and value is not None]
    return best(found, key=order_key) if found else None


def _flat(runs: Runs) -> list[Any]:
    return [value for run in runs for value in run]


def _edge(run: Sequence[Any]) -> Any:
    return any_of(None if value is ABSENT else value for value in run)


def _push(runs: Runs) -> list[Any]:
    kept = [[value for value in run if value is not ABSENT] for run in runs]
    settled = all(len(run) <= 1 for run in kept)
    return _flat(kept) if settled else Bag(_flat(kept))


def _merged(runs: Runs) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for run in runs:
        found: dict[str, list[Any]] = {}
        for value in run:
            if value is ABSENT or value is None:
                continue
            if rank(value) is not Rank.DOCUMENT:
                raise Refused("merge_objects over what is not a document")
            for name, member in value.items():
                found.setdefault(name, []).append(member)
        merged |= {name: any_of(members) for name, members in found.items()}
    return merged


_ACCUMULATORS: Final[Mapping[str, Callable[[Runs], Any]]] = {
    "sum": lambda runs: added_up(numbers(_flat(runs))),
    "average": lambda runs: _averaged(numbers(_flat(runs))),
    "max": lambda runs: _extreme(_flat(runs), max),
    "min": lambda runs: _extreme(_flat(runs), min),
    "first": lambda runs: _edge(runs[0]),
    "last": lambda runs: _edge(runs[-1]),
    "push": _push,
    "add_to_set": lambda runs: Bag(distinct(v for v in _flat(runs) if v is not ABSENT)),
    "merge_objects": _merged,
}
OPERATORS: Final = frozenset({*_ACCUMULATORS, "count"})


def _over_array(value: Any, over: Callable[[list[Any]], Any]) -> Any:
    """What `over` makes of an array's elements, or of a value that stands for itself."""
    return over(value if isinstance(value, list) else [value])


def _picked(value: Any, index: int) -> Any:
    if value is ABSENT or value is None:
        return None
    if rank(value) is not Rank.ARRAY:
        raise Refused("the first or last element of what is not an array")
    if isinstance(value, Bag) and len(value) > 1:
        raise NotEvaluable("the first or last element of a list whose order is undefined")
    return value[index] if value else ABSENT


def inner_sum(value: Any) -> int | float:
    """The expression `{$sum: value}`: of an array, the sum of its numbers."""
    total: int | float = _over_array(value, lambda items: added_up(numbers(items)))
    return total


_INNER: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sum": inner_sum,
    "average": lambda value: _over_array(value, lambda items: _averaged(numbers(items))),
    "max": lambda value: _over_array(value, lambda items: _extreme(items, max)),
    "min": lambda value: _over_array(value, lambda items: _extreme(items, min)),
    "first": lambda value: _picked(value, 0),
    "last": lambda value: _picked(value, -1),
}
ARRAY_OPERATORS: Final = frozenset(_INNER)
