"""Parses filters of the command line into conditions of the query language. Pure functions.

A filter is `FIELD OPERATOR VALUE`, or `FIELD` or `!FIELD` for a field that exists or does not.
Commas separate several values; quotes make a value literal: `plugin_id="a,b"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from inventory_job.query.fields import FIELDS, FieldType

Condition = dict[str, Any]
"""A filter condition, with the fields of the message core.v2.Filter."""


class InvalidFilter(ValueError):
    """A filter, sort or list of names that is invalid; the message quotes it."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """The operators of a symbol for one value, several, or a relative time; None: not allowed."""

    one: str
    several: str | None = None
    relative: str | None = None
    takes_null: bool = False
    literal: bool = False
    """Whether the value is taken as it is, with commas and quotes."""


SYMBOLS: Mapping[str, Symbol] = MappingProxyType(
    {
        "=": Symbol("eq", "in", takes_null=True),
        "!=": Symbol("not", "not_in", takes_null=True),
        "~": Symbol("contain", "contain_in"),
        "!~": Symbol("not_contain", "not_contain_in"),
        "=~": Symbol("regex", literal=True),
        "<": Symbol("lt", relative="timediff_lt"),
        "<=": Symbol("lte", relative="timediff_lte"),
        ">": Symbol("gt", relative="timediff_gt"),
        ">=": Symbol("gte", relative="timediff_gte"),
    }
)
"""The operators of the command line by symbol."""

_KEY = r"[A-Za-z_][A-Za-z0-9_.]*"
_FILTER = re.compile(
    rf"\s*(?P<absent>!)?\s*(?P<key>{_KEY})\s*"
    r"(?:(?P<symbol>!=|!~|=~|<=|>=|=|~|<|>)(?P<value>.*))?",
    re.ASCII | re.DOTALL,
)
_ITEM = re.compile(
    r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")\s*|(?P<bare>(?:[^",][^,]*)?))(?P<comma>,|\Z)', re.DOTALL
)
_RELATIVE = re.compile(r"now(?![A-Za-z0-9_])")
_NULL = "null"
_DAYS: Mapping[str, str] = MappingProxyType(
    {"today": "now/d", "yesterday": "now-1d", "tomorrow": "now+1d"}
)
_AGE = re.compile(r"(?P<count>\d+) ?(?P<unit>[smhdw])(?: ago)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    quoted: bool


def parse_filter(text: str) -> Condition:
    """Parses a filter into a condition; raises InvalidFilter, which quotes `text`."""
    if not _is_unicode(text):
        raise InvalidFilter(f"{text!r} is not Unicode text")
    match = _FILTER.fullmatch(text)
    if not match:
        raise InvalidFilter(
            f"{text!r} is no filter; filters are FIELD, !FIELD or FIELD, one of "
            f"{' '.join(SYMBOLS)} and a value, such as status=FAILURE or created_at>=now-7d"
        )
    key, symbol = match["key"], match["symbol"]
    if symbol is None:
        return {"key": key, "value": match["absent"] is None, "operator": "exists"}
    if match["absent"]:
        raise InvalidFilter(f"{text!r}: '!' goes before a field alone; not equal is FIELD!=VALUE")
    operator, value = _meaning(text, symbol, match["value"])
    if SYMBOLS[symbol].relative and (relative := _suggestion(key, value)):
        raise InvalidFilter(
            f"{text!r}: {value} is no time; did you mean {key}{symbol}{relative}? Times are "
            "relative, as now-7d or now/d, or ISO 8601, as 2026-03-04"
        )
    return {"key": key, "value": value, "operator": operator}


def parse_sort(text: str) -> list[dict[str, Any]]:
    """Parses `-created_at,status` into sort keys, most significant first; '-' means descending.

    Raises InvalidFilter.
    """
    return [
        {"key": name.removeprefix("-"), "desc": name.startswith("-")} for name in parse_names(text)
    ]


def parse_names(text: str) -> list[str]:
    """Parses `a,b` into names; raises InvalidFilter for an empty name."""
    names = [name.strip() for name in text.split(",")]
    if not all(name.removeprefix("-") for name in names) or not _is_unicode(text):
        raise InvalidFilter(f"{text!r} is no list of names, such as job_id,status")
    return names


def _meaning(text: str, written: str, value: str) -> tuple[str, Any]:
    symbol = SYMBOLS[written]
    if symbol.literal:
        return symbol.one, value.strip()
    items = _items(text, value)
    if len(items) > 1:
        if symbol.several is None:
            raise InvalidFilter(f"{text!r}: {written} takes one value; quote a comma within it")
        return symbol.several, [_value(symbol, item) for item in items]
    [item] = items
    if symbol.relative and not item.quoted and _RELATIVE.match(item.text):
        return symbol.relative, item.text
    return symbol.one, _value(symbol, item)


def _suggestion(key: str, value: str) -> str | None:
    """The relative time to suggest for `value`, if `key` is a date field."""
    if key not in FIELDS or FIELDS[key].type is not FieldType.DATE:
        return None
    if age := _AGE.fullmatch(value):
        return f"now-{age['count']}{age['unit']}"
    return _DAYS.get(value.lower())


def _value(symbol: Symbol, item: _Item) -> str | None:
    is_null = symbol.takes_null and not item.quoted and item.text == _NULL
    return None if is_null else item.text


def _items(text: str, value: str) -> list[_Item]:
    """Splits `value` at its commas, except those within quotes."""
    items: list[_Item] = []
    position, more = 0, True
    while more:
        match = _ITEM.match(value, position)
        if not match:
            raise InvalidFilter(f"{text!r}: a quoted value ends with a quote and then a comma")
        items.append(_item(text, match))
        position, more = match.end(), bool(match["comma"])
    return items


def _item(text: str, match: re.Match[str]) -> _Item:
    if match["quoted"] is None:
        return _Item(match["bare"].strip(), quoted=False)
    try:
        literal = json.loads(match["quoted"], strict=False)
    except ValueError as error:
        raise InvalidFilter(f"{text!r}: within quotes, backslashes are as in JSON") from error
    if not _is_unicode(literal):
        raise InvalidFilter(f"{text!r}: half a surrogate pair is no character")
    return _Item(literal, quoted=True)


def _is_unicode(text: str) -> bool:
    # Python decodes bytes of a command line that are not UTF-8 to lone surrogates.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
