"""The order in which MongoDB sorts values of any types.

Follows the MongoDB manual, "Comparison/Sort Order": types first, then values within a type.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bson import Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

_NUMBERS = (int, float, Decimal128)


def sort_key(value: Any) -> tuple[Any, ...]:
    """A key under which Python sorts BSON values as MongoDB does."""
    if isinstance(value, bool):  # to Python it is a number, too
        return (_BOOLEAN, value)
    for rank, types, key in _RANKS:
        if isinstance(value, types):
            return (rank, key(value))
    return (_UNKNOWN, str(value))


def _number(value: Any) -> tuple[bool, Any]:
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    not_a_number = number != number  # noqa: PLR0124  NaN alone is not itself
    return (not not_a_number, 0 if not_a_number else number)


def _document(value: Mapping[str, Any]) -> list[Any]:
    members = ((sort_key(member), name) for name, member in value.items())
    return [(key[0], name, key) for key, name in members]


def _milliseconds(value: datetime | DatetimeMS) -> int:
    if isinstance(value, DatetimeMS):
        return int(value)
    return int(DatetimeMS(value.replace(tzinfo=UTC)))


def _bytes(value: Any) -> tuple[int, int, bytes]:
    if isinstance(value, uuid.UUID):
        return (16, 4, value.bytes)
    return (len(value), getattr(value, "subtype", 0), bytes(value))


_BOOLEAN = 8
_UNKNOWN = 100

_RANKS: list[tuple[int, type | tuple[type, ...], Callable[[Any], Any]]] = [
    (0, MinKey, lambda _: 0),
    (1, type(None), lambda _: 0),
    (2, _NUMBERS, _number),
    (3, str, lambda value: value),
    (4, dict, _document),
    (5, list, lambda value: [sort_key(item) for item in value]),
    (6, (bytes, uuid.UUID), _bytes),
    (7, ObjectId, lambda value: value.binary),
    (9, (datetime, DatetimeMS), _milliseconds),
    (10, Timestamp, lambda value: (value.time, value.inc)),
    (11, Regex, lambda value: (str(value.pattern), value.flags)),
    (200, MaxKey, lambda _: 0),
]
