"""The filter operators, as rows of a table: what value each takes, and what it asks MongoDB.

Follows spec/query-language.md, section 2. Caller text is a literal, except for the regex
operators; it never becomes a key or an operator of the query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from bson import Regex

from inventory_job.errors import Code
from inventory_job.query.fields import Field, FieldType, Unconvertible, convert
from inventory_job.query.problems import fault, gather
from inventory_job.query.times import parse_iso, parse_relative

Document = dict[str, Any]
Operand = Callable[["Operator", Field, Any, datetime], Any]
Emit = Callable[[str, Any], Document]

_IGNORING_CASE = int(re.IGNORECASE)  # as a number, of which Regex makes nothing more
_ANY = frozenset(FieldType)
_TEXT = frozenset({FieldType.TEXT, FieldType.ANY})
_DATE = frozenset({FieldType.DATE})


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. `operand` checks and converts the caller's value; `emit` takes a stored path
    and the converted value to a condition; `types` are the field types it applies to."""

    name: str
    operand: Operand
    emit: Emit
    types: frozenset[FieldType] = _ANY
    relative: bool = False
    """Whether its meaning moves with the clock."""
    pattern: bool = False
    """Whether its value is a caller's regular expression."""

    def accept(self, field: Field, value: Any, now: datetime) -> Any:
        """`value` as the query needs it; raises what a pydantic validator may raise."""
        return self.operand(self, field, value, now)


def literal(text: str) -> Regex[str]:
    """A pattern that finds `text` itself, whatever its case."""
    # A BSON pattern cannot hold NUL, but PCRE can be told to look for one.
    return Regex(re.escape(text).replace("\0", r"\x00"), _IGNORING_CASE)


def nothing(path: str, _: Any = None) -> Document:
    """A condition that no document meets."""
    return {path: {"$in": []}}


def one(operator: Operator, field: Field, value: Any, now: datetime) -> Any:
    """A single value of the field's type, or null."""
    if isinstance(value, list):
        raise fault(Code.OPERATOR_VALUE_TYPE, operator.name)
    try:
        return convert(field, value)
    except Unconvertible:
        raise fault(Code.INVALID_PARAMETER_TYPE, field.type.value) from None


def many(operator: Operator, field: Field, value: Any, now: datetime) -> list[Any]:
    """A list of values of the field's type, or nulls."""
    return _each(operator, value, lambda item: one(operator, field, item, now))


def text(operator: Operator, field: Field, value: Any, now: datetime) -> str:
    """A single text."""
    if isinstance(value, list):
        raise fault(Code.OPERATOR_VALUE_TYPE, operator.name)
    if not isinstance(value, str):
        raise fault(Code.INVALID_PARAMETER_TYPE, FieldType.TEXT.value)
    return value


def texts(operator: Operator, field: Field, value: Any, now: datetime) -> list[str]:
    """A list of texts."""
    return _each(operator, value, lambda item: text(operator, field, item, now))


def pattern(operator: Operator, field: Field, value: Any, now: datetime) -> Regex[str]:
    """A regular expression; whether MongoDB's PCRE accepts it, only MongoDB knows."""
    return _regex(text(operator, field, value, now))


def patterns(operator: Operator, field: Field, value: Any, now: datetime) -> list[Regex[str]]:
    """A list of regular expressions."""
    return _each(operator, value, lambda item: pattern(operator, field, item, now))


def boolean(operator: Operator, field: Field, value: Any, now: datetime) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise fault(Code.OPERATOR_BOOLEAN_TYPE, operator.name)
    return value


def document(operator: Operator, field: Field, value: Any, now: datetime) -> None:
    """A dictionary; since no field of a job is a list of documents, it is not looked at."""
    if not isinstance(value, dict):
        raise fault(Code.OPERATOR_DICT_VALUE_TYPE, operator.name)


def iso_time(operator: Operator, field: Field, value: Any, now: datetime) -> datetime:
    """A point in time in ISO 8601."""
    return _time(text(operator, field, value, now), parse_iso)


def relative_time(operator: Operator, field: Field, value: Any, now: datetime) -> datetime:
    """A point in time relative to `now`."""
    return _time(text(operator, field, value, now), lambda written: parse_relative(written, now))


def _each(operator: Operator, value: Any, accept: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise fault(Code.OPERATOR_LIST_VALUE_TYPE, operator.name)
    return list(gather((((index,), item) for index, item in enumerate(value)), accept))


def _regex(source: str) -> Regex[str]:
    if "\0" in source:
        raise fault(Code.INVALID_PARAMETER, "a regular expression cannot hold a NUL character")
    return Regex(source, _IGNORING_CASE)


def _time(written: str, parse: Callable[[str], datetime]) -> datetime:
    try:
        return parse(written)
    except ValueError as error:
        raise fault(Code.INVALID_PARAMETER, str(error)) from None


def _compares(symbol: str) -> Emit:
    # To MongoDB null is at least null, so $gte would find it; compared with null nothing matches.
    return lambda path, value: nothing(path) if value is None else {path: {symbol: value}}


_TABLE = [
    Operator("eq", one, lambda path, value: {path: value}),
    Operator("not", one, lambda path, value: {path: {"$ne": value}}),
    Operator("lt", one, _compares("$lt")),
    Operator("lte", one, _compares("$lte")),
    Operator("gt", one, _compares("$gt")),
    Operator("gte", one, _compares("$gte")),
    Operator("in", many, lambda path, value: {path: {"$in": value}}),
    Operator("not_in", many, lambda path, value: {path: {"$nin": value}}),
    Operator("contain", text, lambda path, value: {path: literal(value)}, _TEXT),
    Operator("not_contain", text, lambda path, value: {path: {"$not": literal(value)}}, _TEXT),
    Operator(
        "contain_in", texts, lambda path, value: {path: {"$in": [*map(literal, value)]}}, _TEXT
    ),
    Operator(
        "not_contain_in", texts, lambda path, value: {path: {"$nin": [*map(literal, value)]}}, _TEXT
    ),
    Operator("regex", pattern, lambda path, value: {path: value}, _TEXT, pattern=True),
    Operator("regex_in", patterns, lambda path, value: {path: {"$in": value}}, _TEXT, pattern=True),
    Operator("exists", boolean, lambda path, value: {path: {"$exists": value}}),
    Operator("match", document, nothing),
    Operator("datetime_lt", iso_time, _compares("$lt"), _DATE),
    Operator("datetime_lte", iso_time, _compares("$lte"), _DATE),
    Operator("datetime_gt", iso_time, _compares("$gt"), _DATE),
    Operator("datetime_gte", iso_time, _compares("$gte"), _DATE),
    Operator("timediff_lt", relative_time, _compares("$lt"), _DATE, relative=True),
    Operator("timediff_lte", relative_time, _compares("$lte"), _DATE, relative=True),
    Operator("timediff_gt", relative_time, _compares("$gt"), _DATE, relative=True),
    Operator("timediff_gte", relative_time, _compares("$gte"), _DATE, relative=True),
]

OPERATORS: Mapping[str, Operator] = MappingProxyType({row.name: row for row in _TABLE})
"""Every filter operator by name."""

UNWIND_OPERATORS = frozenset(
    {"eq", "not", "in", "not_in", "contain", "not_contain", "contain_in", "not_contain_in"}
)
"""The operators an unwind's filter may use."""
