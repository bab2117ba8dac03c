"""BSON values as MongoDB 6.0 compares, reads and shows them, over what pymongo returns.

A value is of any BSON type but those that drivers no longer write; dates are naive and in UTC.
Four more exist only here: `ABSENT`, a field that is not there; `Bag`, a list whose order nothing
defines; `AnyOf`, a value that may be any one of several; `SomeText`, a text that is not said.
"""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final

from bson import Code, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

Document = Mapping[str, Any]
OrderKey = tuple[Any, ...]

_EPOCH: Final = datetime(1970, 1, 1)


class NotEvaluable(Exception):
    """The specification leaves the answer open, or the request is not a valid one."""


class Refused(NotEvaluable):
    """The database refuses a value in one of the rows, unless it leaves out computing that row,
    as it does for rows that a later skip, limit or page drops.
    """


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several values; nothing defines which. `ABSENT` may be among them."""

    candidates: tuple[Any, ...]


class SomeText:
    """A text that stands for a value, whatever it is: equal to any text."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (str, SomeText))


class Bag(list[Any]):
    """A list whose order nothing defines."""


class Rank(Enum):
    """Places in MongoDB's order of types. An empty array that is sorted by counts as UNDEFINED."""

    MIN_KEY = -5
    UNDEFINED = 0
    NULL = 5
    NUMBER = 10
    TEXT = 15
    DOCUMENT = 20
    ARRAY = 25
    BINARY = 30
    OBJECT_ID = 35
    BOOLEAN = 40
    DATE = 45
    TIMESTAMP = 50
    REGEX = 55
    CODE = 60
    CODE_WITH_SCOPE = 65
    MAX_KEY = 70


_RANKS: Final[tuple[tuple[type | tuple[type, ...], Rank], ...]] = (
    (Absent, Rank.UNDEFINED),
    (NoneType, Rank.NULL),
    (bool, Rank.BOOLEAN),
    ((int, float, Decimal128), Rank.NUMBER),
    (Code, Rank.CODE),
    (str, Rank.TEXT),
    ((Mapping, DBRef), Rank.DOCUMENT),
    (Bag, Rank.ARRAY),
    (list, Rank.ARRAY),
    (bytes, Rank.BINARY),
    (ObjectId, Rank.OBJECT_ID),
    ((datetime, DatetimeMS), Rank.DATE),
    (Timestamp, Rank.TIMESTAMP),
    (Regex, Rank.REGEX),
    (MinKey, Rank.MIN_KEY),
    (MaxKey, Rank.MAX_KEY),
)


def rank(value: Any) -> Rank:
    """The place of the value's type in the order of types."""
    place = _rank_of(type(value))  # type: ignore[arg-type]  # types are hashable
    if place is None:
        raise NotEvaluable(f"no rule for a value of type {type(value).__name__}: {value!r}")
    if place is Rank.CODE and value.scope is not None:
        return Rank.CODE_WITH_SCOPE
    return place


@functools.cache
def _rank_of(kind: type) -> Rank | None:
    return next((place for types, place in _RANKS if issubclass(kind, types)), None)


def is_number(value: Any) -> bool:
    """Whether the value takes part in arithmetic; a boolean does not."""
    return rank(value) is Rank.NUMBER


def is_nan(value: Any) -> bool:
    """Whether the value is a number that is not a number."""
    if isinstance(value, Decimal128):
        return value.to_decimal().is_nan()
    return is_number(value) and math.isnan(value)


def as_number(value: Any) -> int | float:
    """A number as Python calculates with it."""
    if isinstance(value, Decimal128):
        return math.nan if is_nan(value) else float(value.to_decimal())
    number: int | float = value
    return number


def order_key(value: Any) -> OrderKey:
    """What sorts and equals as the value does in an aggregation: an absent field below null, NaN
    below all numbers, 1 equal to 1.0."""
    number, key = _order_of(rank(value))
    return (number, *key(value))


def _number_key(value: Any) -> OrderKey:
    exact: int | float | Decimal = value.to_decimal() if isinstance(value, Decimal128) else value
    return (0, 0) if is_nan(value) else (1, exact)


def _document_key(value: Any) -> OrderKey:
    # Documents compare member by member: type, then name, then value.
    members = value.as_doc() if isinstance(value, DBRef) else value
    return tuple((rank(v).value, k, order_key(v)) for k, v in members.items())


def _binary_key(value: bytes) -> OrderKey:
    subtype = getattr(value, "subtype", 0)
    # The second subtype has the length once more in front.
    return (len(value) + 4 * (subtype == 2), subtype, bytes(value))


def _regex_key(value: Any) -> OrderKey:
    return (value.pattern, value.flags)


def milliseconds(moment: datetime | DatetimeMS) -> int:
    """A date as MongoDB stores it."""
    if isinstance(moment, DatetimeMS):
        return int(moment)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _array_key(value: Any) -> OrderKey:
    if isinstance(value, Bag) and len(value) > 1:
        raise NotEvaluable("a comparison of a list whose order is undefined")
    return tuple(order_key(item) for item in value)


_ORDER: Final[Mapping[Rank, Callable[[Any], OrderKey]]] = {
    Rank.UNDEFINED: lambda _: (),
    Rank.NULL: lambda _: (),
    Rank.NUMBER: _number_key,
    Rank.TEXT: lambda v: (v,),
    Rank.DOCUMENT: _document_key,
    Rank.ARRAY: _array_key,
    Rank.BINARY: _binary_key,
    Rank.OBJECT_ID: lambda v: (v.binary,),
    Rank.BOOLEAN: lambda v: (v,),
    Rank.DATE: lambda v: (milliseconds(v),),
    Rank.TIMESTAMP: lambda v: (v.time, v.inc),
    Rank.REGEX: _regex_key,
    Rank.CODE: lambda v: (str(v),),
    Rank.CODE_WITH_SCOPE: lambda v: (str(v), _document_key(v.scope)),
    Rank.MIN_KEY: lambda _: (),
    Rank.MAX_KEY: lambda _: (),
}


@functools.cache
def _order_of(place: Rank) -> tuple[int, Callable[[Any], OrderKey]]:
    return place.value, _ORDER[place]


def sort_key(value: Any, descending: bool = False) -> OrderKey:
    """What a sort compares: absent as null; of an array its least element, or its greatest when
    descending; an empty array below null."""
    if value is ABSENT:
        return order_key(None)
    if isinstance(value, list):
        if not value:
            return (Rank.UNDEFINED.value,)
        keys = [order_key(item) for item in value]
        return max(keys) if descending else min(keys)
    return order_key(value)


def distinct(values: Iterable[Any]) -> list[Any]:
    """One of each of the values, in the order of first sight."""
    seen: dict[OrderKey, Any] = {}
    for value in values:
        seen.setdefault(order_key(value), value)
    return list(seen.values())


def any_of(values: Iterable[Any]) -> Any:
    """The only value there is, or `AnyOf` them."""
    found = distinct(values)
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


def at(value: Any, path: str) -> Any:
    """The value of the expression `"$path"`; arrays on the way yield an array of what their
    documents hold there."""
    return _descend(value, path.split("."))


def _descend(value: Any, names: list[str]) -> Any:
    if not names:
        return value
    if isinstance(value, AnyOf):
        raise NotEvaluable("a member of a value that is undefined")
    if isinstance(value, list):
        inner = [_descend(item, names) for item in value if isinstance(item, Mapping)]
        return type(value)(item for item in inner if item is not ABSENT)
    if isinstance(value, Mapping) and names[0] in value:
        return _descend(value[names[0]], names[1:])
    return ABSENT


def crosses_array(document: Document, path: str) -> bool:
    """Whether an array lies on the way to the last name of the path."""
    parents = path.split(".")[:-1]
    return any(
        isinstance(at(document, ".".join(parents[: n + 1])), list) for n in range(len(parents))
    )


def with_value(document: Document, path: str, value: Any) -> dict[str, Any]:
    """A copy of the document whose member at the path is the value, or is gone if `ABSENT`."""
    name, _, rest = path.partition(".")
    copy = dict(document)
    if rest:
        copy[name] = with_value(copy[name], rest, value)
    elif value is ABSENT:
        copy.pop(name, None)
    else:
        copy[name] = value
    return copy


def iso_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as every answer writes a date."""
    return moment.isoformat(timespec="milliseconds") + "Z"


def plain(value: Any) -> Any:
    """The value as it reads after conversion to a protobuf Struct."""
    if isinstance(value, AnyOf):
        return AnyOf(tuple(v if v is ABSENT else plain(v) for v in value.candidates))
    return _PLAIN.get(rank(value), lambda v: v)(value)


def _plain_number(value: Any) -> float | str:
    number = float(as_number(value))
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


_PLAIN: Final[Mapping[Rank, Callable[[Any], Any]]] = {
    Rank.NUMBER: _plain_number,
    Rank.DOCUMENT: lambda v: {
        k: plain(member) for k, member in (v.as_doc() if isinstance(v, DBRef) else v).items()
    },
    Rank.ARRAY: lambda v: type(v)(plain(item) for item in v),
    Rank.BINARY: lambda v: base64.b64encode(v).decode(),
    Rank.OBJECT_ID: str,
    Rank.DATE: lambda v: iso_text(v) if isinstance(v, datetime) else SomeText(),
    **dict.fromkeys(
        (
            Rank.TIMESTAMP,
            Rank.REGEX,
            Rank.CODE,
            Rank.CODE_WITH_SCOPE,
            Rank.MIN_KEY,
            Rank.MAX_KEY,
        ),
        lambda _: SomeText(),
    ),
}
