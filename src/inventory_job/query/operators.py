"""The table of filter operators: the value that each takes, and the MongoDB condition it becomes.

See docs/query-language.md#operators. A string of a caller is a literal, or a pattern in the regex
operators; it never becomes a key or an operator of the MongoDB query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId, Regex

from inventory_job.errors import Code
from inventory_job.query.fields import Field, FieldType
from inventory_job.query.problems import fault, gather
from inventory_job.query.times import parse_iso, parse_relative

Document = dict[str, Any]
Operand = Callable[[Field, Any, datetime], Any]
Emit = Callable[[str, Any], Document]

_INT64 = range(-(2**63), 2**63)
_WHOLE_NUMBER = re.compile(r"\s*[+-]?\d{1,19}\s*", re.ASCII)
_IGNORING_CASE = int(re.IGNORECASE)  # an int, which Regex keeps as it is
_ANY = frozenset(FieldType)
_TEXT = frozenset({FieldType.TEXT, FieldType.ANY})
_DATE = frozenset({FieldType.DATE})
_OTHER_FORM: Mapping[type, Code] = {
    list: Code.OPERATOR_LIST_VALUE_TYPE,
    bool: Code.OPERATOR_BOOLEAN_TYPE,
    dict: Code.OPERATOR_DICT_VALUE_TYPE,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. `operand` checks and converts the caller's value, or each item of a list;
    `emit` makes a condition of a stored path and the converted value; `types` are the field types
    that it applies to; `form` is the type that its value must have, None for a single value."""

    name: str
    operand: Operand
    emit: Emit
    types: frozenset[FieldType] = _ANY
    form: type | None = None

    def accept(self, field: Field, value: Any, now: datetime) -> Any:
        """`value`, checked and converted; raises what a pydantic validator may raise."""
        if self.form is not None and not isinstance(value, self.form):
            raise fault(self.name, _OTHER_FORM[self.form])
        if self.form is not list:
            return self._accept_one(value, field, now)
        return gather(enumerate(value), self._accept_one, field, now)

    def _accept_one(self, value: Any, field: Field, now: datetime) -> Any:
        if isinstance(value, list):
            raise fault(self.name, Code.OPERATOR_VALUE_TYPE)
        return self.operand(field, value, now)


def literal(text: str) -> Regex[str]:
    """A pattern that matches `text` literally, in any case."""
    # A BSON pattern cannot contain NUL, but PCRE has an escape for it.
    return Regex(re.escape(text).replace("\0", r"\x00"), _IGNORING_CASE)


def nothing(path: str, _: Any = None) -> Document:
    """A condition that matches no document."""
    return {path: {"$in": []}}


def one(field: Field, value: Any, now: datetime) -> Any:
    """`value` converted to the stored type of the field; null stays null."""
    match field.type:
        case _ if value is None:
            return None
        case FieldType.TEXT if isinstance(value, str):
            return value
        case FieldType.ANY if isinstance(value, str | int | float | bool):
            return value
        case FieldType.DATE if isinstance(value, str):
            with suppress(ValueError):
                return parse_iso(value)
        case FieldType.OBJECT_ID if isinstance(value, str) and ObjectId.is_valid(value):
            return ObjectId(value)
        case FieldType.INTEGER if (number := _integer(value)) is not None:
            return number
    raise fault(field.type.value, Code.INVALID_PARAMETER_TYPE)


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    is_one = isinstance(value, int) and not isinstance(value, bool) and value in _INT64
    return value if is_one else None


def as_given(field: Field, value: Any, now: datetime) -> Any:
    """`value` as it is, without a check beyond its form."""
    return value


def text(field: Field, value: Any, now: datetime) -> str:
    """`value`, which must be a string."""
    if not isinstance(value, str):
        raise fault(FieldType.TEXT.value, Code.INVALID_PARAMETER_TYPE)
    return value


def words(field: Field, value: Any, now: datetime) -> Regex[str]:
    """A pattern that matches the string `value` literally."""
    return literal(text(field, value, now))


def pattern(field: Field, value: Any, now: datetime) -> Regex[str]:
    """`value` as a regular expression; only MongoDB can tell whether its PCRE accepts it."""
    expression = text(field, value, now)
    if "\0" in expression:
        raise fault("a regular expression cannot hold a NUL character")
    return Regex(expression, _IGNORING_CASE)


def iso_time(field: Field, value: Any, now: datetime) -> datetime:
    """The time that `value` is in ISO 8601."""
    return parse_iso(text(field, value, now))


def relative_time(field: Field, value: Any, now: datetime) -> datetime:
    """The time that `value` is relative to `now`."""
    return parse_relative(text(field, value, now), now)


def _equality(path: str, value: Any) -> Document:
    return {path: value}


def _operation(symbol: str) -> Emit:
    return lambda path, value: {path: {symbol: value}}


def _range(symbol: str) -> Emit:
    # In MongoDB null meets `{$gte: null}`. Here a range condition with null matches nothing.
    return lambda path, value: nothing(path) if value is None else {path: {symbol: value}}


_TABLE = [
    Operator("eq", one, _equality),
    Operator("not", one, _operation("$ne")),
    Operator("lt", one, _range("$lt")),
    Operator("lte", one, _range("$lte")),
    Operator("gt", one, _range("$gt")),
    Operator("gte", one, _range("$gte")),
    Operator("in", one, _operation("$in"), form=list),
    Operator("not_in", one, _operation("$nin"), form=list),
    Operator("contain", words, _equality, _TEXT),
    Operator("not_contain", words, _operation("$not"), _TEXT),
    Operator("contain_in", words, _operation("$in"), _TEXT, form=list),
    Operator("not_contain_in", words, _operation("$nin"), _TEXT, form=list),
    Operator("regex", pattern, _equality, _TEXT),
    Operator("regex_in", pattern, _operation("$in"), _TEXT, form=list),
    Operator("exists", as_given, _operation("$exists"), form=bool),
    Operator("match", as_given, nothing, form=dict),
    Operator("datetime_lt", iso_time, _range("$lt"), _DATE),
    Operator("datetime_lte", iso_time, _range("$lte"), _DATE),
    Operator("datetime_gt", iso_time, _range("$gt"), _DATE),
    Operator("datetime_gte", iso_time, _range("$gte"), _DATE),
    Operator("timediff_lt", relative_time, _range("$lt"), _DATE),
    Operator("timediff_lte", relative_time, _range("$lte"), _DATE),
    Operator("timediff_gt", relative_time, _range("$gt"), _DATE),
    Operator("timediff_gte", relative_time, _range("$gte"), _DATE),
]

OPERATORS: Mapping[str, Operator] = {row.name: row for row in _TABLE}
"""Every filter operator by name."""
