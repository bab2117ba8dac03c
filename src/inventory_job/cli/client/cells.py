"""Values as text that is safe for a terminal, a spreadsheet or a pipe; pure functions.

Stored text may hold anything: control characters, which terminals execute, and marks that
change the writing direction are escaped.
"""

from __future__ import annotations

import json
import re
from typing import Any

_BEYOND_ASCII = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
_UNSAFE = re.compile(f"[\x00-\x1f{_BEYOND_ASCII}]")
_UNSAFE_IN_JSON = re.compile(f"[{_BEYOND_ASCII}]")
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d+)?Z", re.ASCII)
# Text that spreadsheets treat as a formula: some skip leading blanks, and accept full-width signs,
# too.
_FORMULA = re.compile(r"[\t\r]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def visible(text: str) -> str:
    """Escapes, as Python does, the characters in `text` that a terminal would execute."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escaped(text: str) -> str:
    """Escapes unsafe characters in JSON, or in YAML that has such text in double quotes."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def encodable(text: str, encoding: str) -> str:
    """Escapes, as Python does, the characters in `text` that the encoding lacks."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def cell(value: Any) -> str:
    """The text of one value: empty for null, JSON for lists and dictionaries."""
    if value is None:
        return ""
    if isinstance(value, str):
        return visible(value)
    return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def short_cell(value: Any) -> str:
    """Like `cell`, with timestamps shortened to the second: `2026-03-04 01:02:03`."""
    text = cell(value)
    match = _TIMESTAMP.fullmatch(text)
    return f"{match[1]} {match[2]}" if match else text


def csv_cell(value: Any) -> str:
    """Like `cell`, with a quote before text that a spreadsheet would treat as a formula."""
    text = cell(value)
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(value) else text
