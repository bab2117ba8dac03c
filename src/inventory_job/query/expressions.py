"""Parses the expressions of `add_fields` and `select` to MongoDB expressions.

Operators on a short allowlist are accepted, all others refused. Other strings become literals or
field paths without `$` inside, never operators (docs/query-language.md#select).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo

from inventory_job.errors import Code
from inventory_job.query.fields import FieldType
from inventory_job.query.names import Name, checked_path
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, gather, missing, raise_any

# Each becomes the MongoDB operator of that name, with `$` in place of `__`.
_CONDITIONS = ("__eq", "__ne", "__gt", "__gte", "__lt", "__lte", "__and", "__or", "__not", "__in")
_OF_CONDITIONS = frozenset({"__and", "__or", "__not"})
_OF_ONE_LIST = ("size", "sum")
_ARITHMETIC = ("add", "subtract", "multiply", "divide")
_OF_TWO = frozenset({"subtract", "divide"})
_SELECT_OPERATOR = "query.select.operator"  # Its name in error messages, at any depth.


def select_expression(value: Any, info: ValidationInfo) -> Any:
    """Validator: one entry of `select` → MongoDB expression over the groups of an analyze. A fault
    has the location of the member that caused it."""
    if isinstance(value, dict):
        return _computation(value, info)
    if isinstance(value, str):
        return _column(value, info)
    raise fault("string or dictionary", Code.INVALID_PARAMETER_TYPE)


def added_expression(value: Any, info: ValidationInfo) -> Any:
    """Validator: one entry of `add_fields` → MongoDB expression.

    The string `$path` is a field of the row, any other string, number, boolean or null a literal,
    and a dictionary `{if, then, else}` a choice between two expressions of these kinds.
    """
    if isinstance(value, dict):
        return _choice(value, info)
    return _operand(value, info)


def _computation(value: Mapping[str, Any], info: ValidationInfo) -> Document:
    operator, known = value.get("operator"), (*_OF_ONE_LIST, *_ARITHMETIC)
    if operator is None:
        raise_any([(("operator",), missing(_SELECT_OPERATOR))])
    if operator not in known:
        reason = f"unknown operator {str(operator)[:40]!r}; supported: {', '.join(known)}"
        raise_any([(("operator",), fault(reason, key=_SELECT_OPERATOR))])
    member = "key" if operator in _OF_ONE_LIST else "fields"
    _only_members(value, ("operator", member))
    given = value.get(member)
    if given is None:
        raise_any([((member,), missing(f"query.select.{member}"))])
    if member == "key":
        return {f"${operator}": _below("key", given, _column, info)}
    members = _below("fields", given, _members, operator, info)
    return _quotient(*members) if operator == "divide" else {f"${operator}": members}


def _members(given: Any, operator: str, info: ValidationInfo) -> list[Any]:
    if not isinstance(given, list):
        raise fault("list", Code.INVALID_PARAMETER_TYPE)
    if operator in _OF_TWO and len(given) != 2:
        raise fault(f"operator {operator} takes exactly two fields")
    if not given:
        raise fault(f"operator {operator} takes one field or more")
    return gather(enumerate(given), _member, info)


def _column(value: Any, info: ValidationInfo) -> str:
    """The path of a group key (in `_id`) or field; unchecked if group_by or fields was refused."""
    name = checked_path(value, info).split(".", 1)[0]
    keys = {key.name for key in info.data.get("group_by", ())}
    known = keys | info.data.get("fields", {}).keys()
    if name not in known and info.data.keys() >= {"group_by", "fields"}:
        raise fault(f"a select names group_by keys and fields: {', '.join(sorted(known))}")
    return f"$_id.{value}" if name in keys else f"${value}"


def _member(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"$literal": value}
    if isinstance(value, str | dict):
        return select_expression(value, info)
    raise fault("string, number or dictionary", Code.INVALID_PARAMETER_TYPE)


def _quotient(dividend: Any, divisor: Any) -> Document:
    # With constants in place of variables, MongoDB would divide while planning, despite the $cond.
    null_or_quotient = {
        "$cond": [{"$eq": ["$$divisor", 0]}, None, {"$divide": ["$$dividend", "$$divisor"]}]
    }
    return {"$let": {"vars": {"dividend": dividend, "divisor": divisor}, "in": null_or_quotient}}


def _choice(value: Mapping[str, Any], info: ValidationInfo) -> Document:
    parts = {"if": _condition, "then": added_expression, "else": added_expression}
    _only_members(value, tuple(parts))
    raise_any(((name,), missing()) for name in parts if name not in value)
    return {"$cond": [_below(name, value[name], parse, info) for name, parse in parts.items()]}


def _condition(value: Any, info: ValidationInfo) -> Document:
    known = ", ".join(_CONDITIONS)
    if not isinstance(value, dict) or len(value) != 1:
        raise fault(f"a condition is a dictionary of one of {known}")
    [(operator, operands)] = value.items()
    if operator not in _CONDITIONS:
        reason = f"unknown condition {operator[:40]!r}; supported: {known}"
        raise_any([((operator,), fault(reason))])
    name = operator.removeprefix("__")
    return {f"${name}": _below(operator, operands, _operands, operator, info)}


def _operands(given: Any, operator: str, info: ValidationInfo) -> list[Any]:
    if not isinstance(given, list):
        raise fault("a condition takes a list of operands")
    count = {"__and": None, "__or": None, "__not": 1}.get(operator, 2)
    if count and len(given) != count:
        raise fault(f"this condition takes exactly {count} operands")
    if not given:
        raise fault("a condition joins one or more others")
    if operator == "__in":
        return [_below(0, given[0], _operand, info), _below(1, given[1], _operand_list, info)]
    parse = _condition if operator in _OF_CONDITIONS else _operand
    return gather(enumerate(given), parse, info)


def _operand_list(value: Any, info: ValidationInfo) -> list[Any]:
    if not isinstance(value, list):
        raise fault("the second operand is a list")
    return gather(enumerate(value), _operand, info)


def _operand(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return f"${checked_path(value[1:], info)}"
    if isinstance(value, dict | list):
        reason = f"an operand is a {FieldType.ANY.value}; text that begins with $ is a field path"
        raise fault(reason)
    return {"$literal": value}


def _only_members(value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    reason = f"there is no such parameter here; there are {', '.join(known)}"
    raise_any(((name,), fault(reason)) for name in value if name not in known)


def _below(where: int | str, value: Any, parse: Callable[..., Any], *arguments: Any) -> Any:
    return gather([(where, value)], parse, *arguments)[0]


AddFields = dict[Name, Annotated[Any, PlainValidator(added_expression)]]
"""The computed fields of a row by name, as MongoDB expressions."""
