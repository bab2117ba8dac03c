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

_INT64 = range(-(2**63), 2**63)
_WHOLE_NUMBER = re.compile(r"\s*[+-]?\d{1,19}\s*", re.ASCII)
_IGNORING_CASE = int(re.IGNORECASE)  # an int, which Regex keeps as it is
_RANGES = frozenset({"$lt", "$lte", "$gt", "$gte"})
_TEXT, _DATE = FieldType.TEXT, FieldType.DATE
_OTHER_FORM: Mapping[type, Code] = {
    list: Code.OPERATOR_LIST_VALUE_TYPE,
    bool: Code.OPERATOR_BOOLEAN_TYPE,
    dict: Code.OPERATOR_DICT_VALUE_TYPE,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. `operand` checks and converts the caller's value, or each item of a list;
    `symbol` is the MongoDB operator, empty for equality and for a match of a pattern; `form` is the
    type that the value must have, None for a single value. An operator with a `field_type` applies
    only to fields of that type, and takes text."""

    name: str
    operand: Operand
    symbol: str
    field_type: FieldType | None = None
    form: type | None = None

    def accept(self, field: Field, value: Any, now: datetime) -> Any:
        """`value`, checked and converted; raises what a pydantic validator may raise."""
        if self.form is not None and not isinstance(value, self.form):
            raise fault(self.name, _OTHER_FORM[self.form])
        if self.form is not list:
            return self._accept_one(value, field, now)
        return gather(enumerate(value), self._accept_one, field, now)

    def emit(self, path: str, value: Any) -> Document:
        """The condition that the field at `path` meets the converted `value`."""
        if value is None and self.symbol in _RANGES:
            # Here a range with null matches nothing; in MongoDB null meets `{$gte: null}`.
            return {path: {"$in": []}}
        return {path: {self.symbol: value} if self.symbol else value}

    def _accept_one(self, value: Any, field: Field, now: datetime) -> Any:
        if isinstance(value, list):
            raise fault(self.name, Code.OPERATOR_VALUE_TYPE)
        if self.field_type and not isinstance(value, str):
            raise fault(FieldType.TEXT.value, Code.INVALID_PARAMETER_TYPE)
        return self.operand(field, value, now)


def literal(text: str) -> Regex[str]:
    """A pattern that matches `text` literally, in any case."""
    # A BSON pattern cannot contain NUL, but PCRE has an escape for it.
    return Regex(re.escape(text).replace("\0", r"\x00"), _IGNORING_CASE)


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


def nothing(field: Field, value: Any, now: datetime) -> list[Any]:
    """No values: no field of a job is a list of documents, of which one could match."""
    return []


def words(field: Field, value: str, now: datetime) -> Regex[str]:
    """A pattern that matches `value` literally."""
    return literal(value)


def pattern(field: Field, value: str, now: datetime) -> Regex[str]:
    """`value` as a regular expression; only MongoDB can tell whether its PCRE accepts it."""
    if "\0" in value:
        raise fault("a regular expression cannot hold a NUL character")
    return Regex(value, _IGNORING_CASE)


def iso_time(field: Field, value: str, now: datetime) -> datetime:
    """The time that `value` is in ISO 8601."""
    return parse_iso(value)


def relative_time(field: Field, value: str, now: datetime) -> datetime:
    """The time that `value` is relative to `now`."""
    return parse_relative(value, now)


_TABLE = [
    Operator("eq", one, ""),
    Operator("not", one, "$ne"),
    Operator("lt", one, "$lt"),
    Operator("lte", one, "$lte"),
    Operator("gt", one, "$gt"),
    Operator("gte", one, "$gte"),
    Operator("in", one, "$in", form=list),
    Operator("not_in", one, "$nin", form=list),
    Operator("contain", words, "", _TEXT),
    Operator("not_contain", words, "$not", _TEXT),
    Operator("contain_in", words, "$in", _TEXT, form=list),
    Operator("not_contain_in", words, "$nin", _TEXT, form=list),
    Operator("regex", pattern, "", _TEXT),
    Operator("regex_in", pattern, "$in", _TEXT, form=list),
    Operator("exists", as_given, "$exists", form=bool),
    Operator("match", nothing, "$in", form=dict),
    Operator("datetime_lt", iso_time, "$lt", _DATE),
    Operator("datetime_lte", iso_time, "$lte", _DATE),
    Operator("datetime_gt", iso_time, "$gt", _DATE),
    Operator("datetime_gte", iso_time, "$gte", _DATE),
    Operator("timediff_lt", relative_time, "$lt", _DATE),
    Operator("timediff_lte", relative_time, "$lte", _DATE),
    Operator("timediff_gt", relative_time, "$gt", _DATE),
    Operator("timediff_gte", relative_time, "$gte", _DATE),
]

OPERATORS: Mapping[str, Operator] = {row.name: row for row in _TABLE}
"""Every filter operator by name."""
