"""Expressions over one row: project operators, select arithmetic, add_fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bson.datetime_ms import DatetimeMS

from .filters import Plain
from .groups import COMPARISONS, inner_sum
from .rows import key_path, member_name
from .values import (
    ABSENT,
    Bag,
    Document,
    NotEvaluable,
    Rank,
    Refused,
    as_number,
    at,
    is_number,
    order_key,
    rank,
    with_value,
)

Expression = Callable[[Document], Any]
PathOf = Callable[[str], str]


def _size(value: Any) -> int:
    if rank(value) is not Rank.ARRAY:
        raise Refused("the size of what is not an array")
    return len(value)


def _array_to_object(value: Any) -> dict[str, Any] | None:
    if _is_null(value):
        return None
    if rank(value) is not Rank.ARRAY:
        raise Refused("array_to_object over what is not an array")
    pairs = [_pair(item) for item in value]
    if isinstance(value, Bag) and len({key for key, _ in pairs}) < len(pairs):
        raise NotEvaluable("which of two equal keys comes last is undefined")
    return dict(pairs)


def _pair(item: Any) -> tuple[str, Any]:
    if isinstance(item, Mapping) and set(item) == {"k", "v"}:
        item = [item["k"], item["v"]]
    if rank(item) is not Rank.ARRAY or len(item) != 2 or isinstance(item, Bag):
        raise Refused("array_to_object over what are not pairs")
    if rank(item[0]) is not Rank.TEXT:
        raise Refused("array_to_object with a key that is not text")
    return item[0], item[1]


def _object_to_array(value: Any) -> list[dict[str, Any]] | None:
    if _is_null(value):
        return None
    if rank(value) is not Rank.DOCUMENT:
        raise Refused("object_to_array over what is not a document")
    # The order of members is lost in protobuf and, here, in documents merged from several.
    return Bag({"k": name, "v": member} for name, member in value.items())


PROJECT_OPERATORS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "size": _size,
    "sum": inner_sum,
    "array_to_object": _array_to_object,
    "object_to_array": _object_to_array,
}


def selection(source: Any, path_of: PathOf) -> Expression:
    """What one member of an analyze's select computes from a row."""
    if isinstance(source, str):
        path = path_of(source)
        return lambda row: at(row, path)
    if not isinstance(source, Mapping):
        raise NotEvaluable(f"not a source: {source!r}")
    operator = source.get("operator")
    if operator in ("size", "sum") and isinstance(source.get("key"), str):
        path, apply = path_of(source["key"]), PROJECT_OPERATORS[operator]
        return lambda row: apply(at(row, path))
    return _calculation(source, path_of)


def _calculation(source: Plain, path_of: PathOf) -> Expression:
    operator, members = source.get("operator", ""), source.get("fields")
    if operator not in _ARITHMETIC or not isinstance(members, list) or not members:
        raise NotEvaluable(f"not a calculation: {source!r}")
    if operator in ("subtract", "divide") and len(members) != 2:
        raise NotEvaluable(f"{operator} takes two fields")
    operands = [_operand(member, path_of) for member in members]
    calculate = _ARITHMETIC[operator]
    return lambda row: calculate([operand(row) for operand in operands])


def _operand(member: Any, path_of: PathOf) -> Expression:
    if isinstance(member, str):
        path = path_of(member)
        return lambda row: at(row, path)
    if isinstance(member, Mapping):
        return _calculation(member, path_of)
    if isinstance(member, bool) or not isinstance(member, (int, float)):
        raise NotEvaluable(f"not an operand: {member!r}")
    return lambda _: member


def _or_null(value: Any) -> Any:
    return None if value is ABSENT else value


def _is_null(value: Any) -> bool:
    return value is ABSENT or rank(value) is Rank.NULL


def _require(values: Iterable[Any], allowed: frozenset[Rank]) -> None:
    """Refuse values that the database cannot calculate with, unless a null may come first."""
    found = list(values)
    if any(not _is_null(value) and rank(value) not in allowed for value in found):
        if any(_is_null(value) for value in found):
            raise NotEvaluable("null or a failure, depending on the order of evaluation")
        raise Refused("arithmetic over what are not numbers")


_NUMBERS: Final = frozenset({Rank.NUMBER})
_NUMBERS_AND_DATES: Final = frozenset({Rank.NUMBER, Rank.DATE})


def _require_numbers_and_dates(values: Sequence[Any]) -> None:
    _require(values, _NUMBERS_AND_DATES)
    if any(isinstance(value, DatetimeMS) for value in values):
        raise NotEvaluable("a date beyond the calendar")


def _add(values: Sequence[Any]) -> Any:
    _require_numbers_and_dates(values)
    dates = [value for value in values if isinstance(value, datetime)]
    if any(_is_null(value) for value in values):
        if len(dates) > 1:
            raise NotEvaluable("null or a failure, depending on the order of evaluation")
        return None
    if len(dates) > 1:
        raise Refused("a sum of dates")
    total = sum(as_number(value) for value in values if is_number(value))
    return _shifted(dates[0], total) if dates else total


def _subtract(values: Sequence[Any]) -> Any:
    _require_numbers_and_dates(values)
    if any(_is_null(value) for value in values):
        return None
    left, right = values
    if isinstance(left, datetime) and isinstance(right, datetime):
        return (left - right) // timedelta(milliseconds=1)
    if isinstance(right, datetime):
        raise Refused("a number without a date")
    if isinstance(left, datetime):
        return _shifted(left, -as_number(right))
    return as_number(left) - as_number(right)


def _shifted(moment: datetime, milliseconds: float) -> datetime:
    if not math.isfinite(milliseconds) or milliseconds != int(milliseconds):
        raise NotEvaluable("a date moved by a fraction of a millisecond")
    try:
        return moment + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise NotEvaluable("a date beyond the calendar") from error


def _multiply(values: Sequence[Any]) -> Any:
    _require(values, _NUMBERS)
    if any(_is_null(value) for value in values):
        return None
    return math.prod(as_number(value) for value in values)


def _divide(values: Sequence[Any]) -> Any:
    _require(values, _NUMBERS)
    if any(_is_null(value) for value in values):
        return None
    left, right = (float(as_number(value)) for value in values)
    return None if right == 0 else left / right


_ARITHMETIC: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
}


def with_added_fields(row: Document, added: Mapping[str, Expression]) -> Document:
    """The row with the added members, all computed from the row as it was."""
    values = {name: expression(row) for name, expression in added.items()}
    for name, value in values.items():
        row = with_value(row, name, value)
    return row


def added_fields(specs: Plain) -> dict[str, Expression]:
    """The expressions of add_fields by name."""
    paths: set[str] = set()
    added = {member_name(name): _added(spec, paths) for name, spec in specs.items()}
    if any(path.partition(".")[0] in added for path in paths):
        raise NotEvaluable("whether an added field sees the others is not said")
    return added


def _added(spec: Any, paths: set[str]) -> Expression:
    if not isinstance(spec, Mapping):
        return _literal_or_path(spec, paths)
    if set(spec) != {"if", "then", "else"}:
        raise NotEvaluable(f"not an expression: {spec!r}")
    holds = _condition(spec["if"], paths)
    then, otherwise = _added(spec["then"], paths), _added(spec["else"], paths)
    return lambda row: then(row) if holds(row) else otherwise(row)


def _literal_or_path(spec: Any, paths: set[str]) -> Expression:
    if isinstance(spec, str) and spec.startswith("$"):
        path = key_path(spec.removeprefix("$"))
        paths.add(path)
        return lambda row: at(row, path)
    if spec is None or isinstance(spec, (bool, int, float, str)):
        return lambda _: spec
    raise NotEvaluable(f"not a literal: {spec!r}")


def _condition(spec: Any, paths: set[str]) -> Expression:
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise NotEvaluable(f"not a condition: {spec!r}")
    ((name, operands),) = spec.items()
    if not isinstance(operands, list):
        raise NotEvaluable(f"not a list of operands: {operands!r}")
    match name.removeprefix("__"), operands:
        case ("and" | "or") as word, [_, *_]:
            tests = [_condition(operand, paths) for operand in operands]
            over = all if word == "and" else any
            return lambda row: over(test(row) for test in tests)
        case "not", [operand]:
            test = _condition(operand, paths)
            return lambda row: not test(row)
        case "in", [value, list() as choices]:
            wanted = _literal_or_path(value, paths)
            found = [_literal_or_path(choice, paths) for choice in choices]
            # In an array, an absent member becomes null.
            return lambda row: (
                _key(wanted, row) in [order_key(_or_null(choice(row))) for choice in found]
            )
        case word, [left, right] if word in COMPARISONS:
            compared, first = COMPARISONS[word], _literal_or_path(left, paths)
            second = _literal_or_path(right, paths)
            return lambda row: compared(_key(first, row), _key(second, row))
    raise NotEvaluable(f"not a condition: {spec!r}")


def _key(expression: Expression, row: Document) -> Any:
    return order_key(expression(row))
