"""Values as text that a terminal, a spreadsheet or a pipe can take; pure.

Stored text may hold anything: control characters, which terminals obey, and marks that turn
the direction of writing are shown as escapes.
"""

from __future__ import annotations

import json
import re
from typing import Any

_BEYOND_ASCII = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
_UNSAFE = re.compile(f"[\x00-\x1f{_BEYOND_ASCII}]")
_UNSAFE_IN_JSON = re.compile(f"[{_BEYOND_ASCII}]")
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d+)?Z", re.ASCII)
# What spreadsheets take for the beginning of a formula: some leave out blanks before it, and take
# the full-width signs, too.
_FORMULA = re.compile(r"[\t\r]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def visible(text: str) -> str:
    """`text` with what a terminal would obey as Python's escapes."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def has_unsafe(text: str) -> bool:
    """Whether `visible` would change it."""
    return _UNSAFE.search(text) is not None


def escaped(text: str) -> str:
    """JSON, or YAML with such text in double quotes, with the same characters as their escapes."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def encodable(text: str, encoding: str) -> str:
    """`text` with what the encoding has no character for as Python's escapes."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def cell(value: Any) -> str:
    """One value of a row: nothing for null, JSON for lists and dictionaries."""
    if value is None:
        return ""
    if isinstance(value, str):
        return visible(value)
    return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def short_cell(value: Any) -> str:
    """As `cell`, with a timestamp as people read it, to the second: `2026-03-04 01:02:03`."""
    text = cell(value)
    match = _TIMESTAMP.fullmatch(text)
    return f"{match[1]} {match[2]}" if match else text


def csv_cell(value: Any) -> str:
    """As `cell`, with a quote before text that a spreadsheet would take for a formula."""
    text = cell(value)
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(value) else text
