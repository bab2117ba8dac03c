"""The order in which MongoDB sorts values of any types.

Follows the MongoDB manual, "Comparison/Sort Order": types first, then values within a type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isnan
from typing import Any

from bson import Code, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import OLD_BINARY_SUBTYPE
from bson.datetime_ms import DatetimeMS

_NUMBERS = (int, float, Decimal128)


def sort_key(value: Any) -> tuple[Any, ...]:
    """A key under which Python sorts BSON values as MongoDB does."""
    if isinstance(value, bool):  # to Python it is a number, too
        return (_BOOLEAN, value)
    if isinstance(value, Code):  # and this a text
        return _code(value)
    for rank, types, key in _RANKS:
        if isinstance(value, types):
            return (rank, key(value))
    return (_UNKNOWN, str(value))


def _code(value: Code) -> tuple[Any, ...]:
    if value.scope is None:
        return (_CODE, str(value))
    return (_CODE_WITH_SCOPE, str(value), _document(value.scope))


def _number(value: Any) -> tuple[bool, Any]:
    # Signaling NaNs of a Decimal cannot even be compared.
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    is_nan = number.is_nan() if isinstance(number, Decimal) else isnan(number)
    return (not is_nan, 0 if is_nan else number)


def _document(value: Mapping[str, Any]) -> list[Any]:
    members = ((sort_key(member), name) for name, member in value.items())
    return [(key[0], name, key) for key, name in members]


def _regex(value: Regex[Any]) -> tuple[str, str]:
    options = "".join(letter for letter, flag in _REGEX_FLAGS.items() if value.flags & flag)
    return (str(value.pattern), options)


def _milliseconds(value: datetime | DatetimeMS) -> int:
    if isinstance(value, DatetimeMS):
        return int(value)
    return int(DatetimeMS(value.replace(tzinfo=UTC)))


def _bytes(value: Any) -> tuple[int, int, bytes]:
    subtype = getattr(value, "subtype", 0)
    # What is stored under the old subtype begins with its length.
    length = len(value) + (4 if subtype == OLD_BINARY_SUBTYPE else 0)
    return (length, subtype, bytes(value))


_BOOLEAN = 8
_CODE = 12
_CODE_WITH_SCOPE = 13
_UNKNOWN = 100
_REGEX_FLAGS = {
    "i": re.IGNORECASE,
    "l": re.LOCALE,
    "m": re.MULTILINE,
    "s": re.DOTALL,
    "u": re.UNICODE,
    "x": re.VERBOSE,
}

_RANKS: list[tuple[int, type | tuple[type, ...], Callable[[Any], Any]]] = [
    (0, MinKey, lambda _: 0),
    (1, type(None), lambda _: 0),
    (2, _NUMBERS, _number),
    (3, str, lambda value: value),
    (4, dict, _document),
    (4, DBRef, lambda value: _document(value.as_doc())),
    (5, list, lambda value: [sort_key(item) for item in value]),
    (6, bytes, _bytes),
    (7, ObjectId, lambda value: value.binary),
    (9, (datetime, DatetimeMS), _milliseconds),
    (10, Timestamp, lambda value: (value.time, value.inc)),
    (11, Regex, _regex),
    (200, MaxKey, lambda _: 0),
]
