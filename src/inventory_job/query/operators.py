"""The filter operators, as rows of a table: what value each takes, and what it asks MongoDB.

See docs/query-language.md#operators. Caller text is a literal, except for the regex
operators; it never becomes a key or an operator of the query.
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
_IGNORING_CASE = int(re.IGNORECASE)  # as a number, of which Regex makes nothing more
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
    """One operator. `operand` checks and converts the caller's value, or each of a list; `emit`
    takes a stored path and what came of it to a condition; `types` are the field types it applies
    to; `form` is what its value is, if not a single value."""

    name: str
    operand: Operand
    emit: Emit
    types: frozenset[FieldType] = _ANY
    form: type | None = None

    def accept(self, field: Field, value: Any, now: datetime) -> Any:
        """`value` as the query needs it; raises what a pydantic validator may raise."""
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
    """A pattern that finds `text` itself, whatever its case."""
    # A BSON pattern cannot hold NUL, but PCRE has an escape for it.
    return Regex(re.escape(text).replace("\0", r"\x00"), _IGNORING_CASE)


def nothing(path: str, _: Any = None) -> Document:
    """A condition that no document meets."""
    return {path: {"$in": []}}


def one(field: Field, value: Any, now: datetime) -> Any:
    """A value of the field's type as it is stored, or null."""
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
    """A value whose form is all that matters."""
    return value


def text(field: Field, value: Any, now: datetime) -> str:
    """A text."""
    if not isinstance(value, str):
        raise fault(FieldType.TEXT.value, Code.INVALID_PARAMETER_TYPE)
    return value


def words(field: Field, value: Any, now: datetime) -> Regex[str]:
    """A text to look for."""
    return literal(text(field, value, now))


def pattern(field: Field, value: Any, now: datetime) -> Regex[str]:
    """A regular expression; whether MongoDB's PCRE accepts it, only MongoDB knows."""
    expression = text(field, value, now)
    if "\0" in expression:
        raise fault("a regular expression cannot hold a NUL character")
    return Regex(expression, _IGNORING_CASE)


def iso_time(field: Field, value: Any, now: datetime) -> datetime:
    """A point in time in ISO 8601."""
    return parse_iso(text(field, value, now))


def relative_time(field: Field, value: Any, now: datetime) -> datetime:
    """A point in time relative to `now`."""
    return parse_relative(text(field, value, now), now)


def _is(path: str, value: Any) -> Document:
    return {path: value}


def _asks(symbol: str) -> Emit:
    return lambda path, value: {path: {symbol: value}}


def _compares(symbol: str) -> Emit:
    # To MongoDB null is at least null, so $gte would find it; compared with null nothing matches.
    return lambda path, value: nothing(path) if value is None else {path: {symbol: value}}


_TABLE = [
    Operator("eq", one, _is),
    Operator("not", one, _asks("$ne")),
    Operator("lt", one, _compares("$lt")),
    Operator("lte", one, _compares("$lte")),
    Operator("gt", one, _compares("$gt")),
    Operator("gte", one, _compares("$gte")),
    Operator("in", one, _asks("$in"), form=list),
    Operator("not_in", one, _asks("$nin"), form=list),
    Operator("contain", words, _is, _TEXT),
    Operator("not_contain", words, _asks("$not"), _TEXT),
    Operator("contain_in", words, _asks("$in"), _TEXT, form=list),
    Operator("not_contain_in", words, _asks("$nin"), _TEXT, form=list),
    Operator("regex", pattern, _is, _TEXT),
    Operator("regex_in", pattern, _asks("$in"), _TEXT, form=list),
    Operator("exists", as_given, _asks("$exists"), form=bool),
    Operator("match", as_given, nothing, form=dict),
    Operator("datetime_lt", iso_time, _compares("$lt"), _DATE),
    Operator("datetime_lte", iso_time, _compares("$lte"), _DATE),
    Operator("datetime_gt", iso_time, _compares("$gt"), _DATE),
    Operator("datetime_gte", iso_time, _compares("$gte"), _DATE),
    Operator("timediff_lt", relative_time, _compares("$lt"), _DATE),
    Operator("timediff_lte", relative_time, _compares("$lte"), _DATE),
    Operator("timediff_gt", relative_time, _compares("$gt"), _DATE),
    Operator("timediff_gte", relative_time, _compares("$gte"), _DATE),
]
_OF_ROWS = {"eq", "not", "in", "not_in", "contain", "not_contain", "contain_in", "not_contain_in"}

OPERATORS: Mapping[str, Operator] = {row.name: row for row in _TABLE}
"""Every filter operator by name."""

UNWIND_OPERATORS: Mapping[str, Operator] = {row.name: row for row in _TABLE if row.name in _OF_ROWS}
"""The operators an unwind's filter may use."""
