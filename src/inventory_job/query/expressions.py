"""The expressions of `add_fields` and `select`: a short allowlist, everything else refused.

A caller's expression is parsed into MongoDB's own form. Texts are literals, or field paths
without `$` inside; nothing a caller writes is taken as an operator (docs/query-language.md#select).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from inventory_job.errors import Code
from inventory_job.query.fields import FieldType
from inventory_job.query.names import checked_path
from inventory_job.query.operators import Document
from inventory_job.query.problems import Location, fault, faults, gather

_COMPARISONS = {f"__{name}": f"${name}" for name in ("eq", "ne", "gt", "gte", "lt", "lte")}
_JUNCTIONS = {"__and": "$and", "__or": "$or", "__not": "$not"}
_CONDITIONS = (*_COMPARISONS, *_JUNCTIONS, "__in")

OF_ONE_LIST: Mapping[str, str] = MappingProxyType({"size": "$size", "sum": "$sum"})
"""The select operators over one list."""

ARITHMETIC: Mapping[str, str] = MappingProxyType(
    {"add": "$add", "subtract": "$subtract", "multiply": "$multiply", "divide": "$divide"}
)
"""The select operators over several members; subtract and divide take exactly two."""

_OF_TWO = frozenset({"subtract", "divide"})
_SELECT_OPERATOR = "query.select.operator"  # What the interface calls it, wherever it stands.


@dataclass(frozen=True, slots=True)
class Copy:
    """A group key or field, by name, as it is."""

    key: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Computation:
    """An operator over members; size and sum have one, the list."""

    operator: str
    members: tuple[Source, ...]


Source = Copy | Constant | Computation


def select_source(value: Any, info: ValidationInfo) -> Source:
    """Validator: one entry of `select` → what it selects; faults are at the member to blame."""
    if isinstance(value, dict):
        return _computation(value, info)
    if isinstance(value, str):
        return _copy(value, info)
    raise fault(Code.INVALID_PARAMETER_TYPE, "string or dictionary")


def names_in(source: Source) -> set[str]:
    """The keys and fields that `source` reads."""
    if isinstance(source, Copy):
        return {source.key}
    if isinstance(source, Constant):
        return set()
    return set().union(*map(names_in, source.members))


def emit_source(source: Source, path: Callable[[str], str]) -> Any:
    """The source as an expression over rows in which `path` says where a name is."""
    if isinstance(source, Copy):
        return f"${path(source.key)}"
    if isinstance(source, Constant):
        return {"$literal": source.value}
    members = [emit_source(member, path) for member in source.members]
    if source.operator in OF_ONE_LIST:
        return {OF_ONE_LIST[source.operator]: members[0]}
    if source.operator == "divide":
        return _quotient(*members)
    return {ARITHMETIC[source.operator]: members}


def added_expression(value: Any, info: ValidationInfo) -> Any:
    """Validator: one entry of `add_fields` → MongoDB's expression.

    A number, text, boolean or null is itself, a text `$path` a field of the row, and a dictionary
    `{if, then, else}` chooses between two of these.
    """
    if isinstance(value, dict):
        return _choice(value, info)
    return _operand(value, info)


def _computation(value: Mapping[str, Any], info: ValidationInfo) -> Computation:
    operator = _select_operator(value)
    member = "key" if operator in OF_ONE_LIST else "fields"
    _only_members(value, ("operator", member))
    given = value.get(member)
    if given is None:
        raise _at(member, fault(Code.REQUIRED_PARAMETER, "", f"query.select.{member}"))
    if member == "key":
        return Computation(operator, (_below("key", given, info, _copy),))
    if not isinstance(given, list):
        raise _at(member, fault(Code.INVALID_PARAMETER_TYPE, "list"))
    if operator in _OF_TWO and len(given) != 2:
        reason = f"operator {operator} takes exactly two fields"
        raise _at(member, fault(Code.INVALID_PARAMETER, reason))
    if not given:
        reason = f"operator {operator} takes one field or more"
        raise _at(member, fault(Code.INVALID_PARAMETER, reason))
    return Computation(operator, _each(given, info, _member, (member,)))


def _select_operator(value: Mapping[str, Any]) -> str:
    operator = value.get("operator")
    if operator is None:
        raise _at("operator", fault(Code.REQUIRED_PARAMETER, "", _SELECT_OPERATOR))
    known = (*OF_ONE_LIST, *ARITHMETIC)
    if isinstance(operator, str) and operator in known:
        return operator
    reason = f"unknown operator {str(operator)[:40]!r}; supported: {', '.join(known)}"
    raise _at("operator", fault(Code.INVALID_PARAMETER, reason, _SELECT_OPERATOR))


def _copy(value: Any, info: ValidationInfo) -> Copy:
    if not isinstance(value, str):
        raise fault(Code.INVALID_PARAMETER_TYPE, "string")
    return Copy(checked_path(value, info))


def _member(value: Any, info: ValidationInfo) -> Source:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(value)
    if isinstance(value, str | dict):
        return select_source(value, info)
    raise fault(Code.INVALID_PARAMETER_TYPE, "string, number or dictionary")


def _quotient(dividend: Any, divisor: Any) -> Document:
    # Variables keep MongoDB from dividing constants while planning, where no $cond protects it.
    null_or_quotient = {
        "$cond": [{"$eq": ["$$divisor", 0]}, None, {"$divide": ["$$dividend", "$$divisor"]}]
    }
    return {"$let": {"vars": {"dividend": dividend, "divisor": divisor}, "in": null_or_quotient}}


def _choice(value: Mapping[str, Any], info: ValidationInfo) -> Document:
    _only_members(value, ("if", "then", "else"))
    missing = [name for name in ("if", "then", "else") if name not in value]
    if missing:
        raise faults([((name,), fault(Code.REQUIRED_PARAMETER, "")) for name in missing])
    return {
        "$cond": [
            _below("if", value["if"], info, _condition),
            _below("then", value["then"], info, added_expression),
            _below("else", value["else"], info, added_expression),
        ]
    }


def _condition(value: Any, info: ValidationInfo) -> Document:
    if not isinstance(value, dict) or len(value) != 1:
        known = ", ".join(_CONDITIONS)
        raise fault(Code.INVALID_PARAMETER, f"a condition is a dictionary of one of {known}")
    [(operator, operands)] = value.items()
    if operator not in _CONDITIONS:
        known = ", ".join(_CONDITIONS)
        reason = f"unknown condition {operator[:40]!r}; supported: {known}"
        raise _at(operator, fault(Code.INVALID_PARAMETER, reason))
    if not isinstance(operands, list):
        raise _at(operator, fault(Code.INVALID_PARAMETER, "a condition takes a list of operands"))
    parsed: Document = _below(operator, operands, info, _CONDITION_FORMS[operator](operator))
    return parsed


def _comparison(operator: str) -> Callable[[Any, ValidationInfo], Document]:
    def parse(operands: list[Any], info: ValidationInfo) -> Document:
        _exactly(operands, 2)
        return {_COMPARISONS[operator]: list(_each(operands, info, _operand))}

    return parse


def _junction(operator: str) -> Callable[[Any, ValidationInfo], Document]:
    def parse(operands: list[Any], info: ValidationInfo) -> Document:
        if operator == "__not":
            _exactly(operands, 1)
        if not operands:
            raise fault(Code.INVALID_PARAMETER, "a condition joins one or more others")
        return {_JUNCTIONS[operator]: list(_each(operands, info, _condition))}

    return parse


def _membership(_: str) -> Callable[[Any, ValidationInfo], Document]:
    def parse(operands: list[Any], info: ValidationInfo) -> Document:
        _exactly(operands, 2)
        if not isinstance(operands[1], list):
            raise _at(1, fault(Code.INVALID_PARAMETER, "the second operand is a list"))
        [wanted] = _each(operands[:1], info, _operand)
        return {"$in": [wanted, list(_each(operands[1], info, _operand, (1,)))]}

    return parse


_CONDITION_FORMS = {
    **dict.fromkeys(_COMPARISONS, _comparison),
    **dict.fromkeys(_JUNCTIONS, _junction),
    "__in": _membership,
}


def _operand(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return f"${checked_path(value[1:], info)}"
    if isinstance(value, dict | list):
        reason = f"an operand is a {FieldType.ANY.value}; text that begins with $ is a field path"
        raise fault(Code.INVALID_PARAMETER, reason)
    return {"$literal": value}


def _exactly(operands: list[Any], count: int) -> None:
    if len(operands) != count:
        raise fault(Code.INVALID_PARAMETER, f"this condition takes exactly {count} operands")


def _only_members(value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [name for name in value if name not in known]
    if unknown:
        reason = f"there is no such parameter here; there are {', '.join(known)}"
        raise faults([((name,), fault(Code.INVALID_PARAMETER, reason)) for name in unknown])


def _at(where: int | str, error: PydanticCustomError) -> ValidationError:
    return faults([((where,), error)])


def _below(
    where: str, value: Any, info: ValidationInfo, parse: Callable[[Any, ValidationInfo], Any]
) -> Any:
    [parsed] = gather([((where,), value)], lambda given: parse(given, info))
    return parsed


def _each(
    values: Iterable[Any],
    info: ValidationInfo,
    parse: Callable[[Any, ValidationInfo], Any],
    below: Location = (),
) -> tuple[Any, ...]:
    places = (((*below, index), value) for index, value in enumerate(values))
    return gather(places, lambda given: parse(given, info))
