"""Parses bodies as JSON objects; checks the number of values before parsing."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import islice
from typing import Any, NoReturn

from inventory_job.errors import InvalidRequest, invalid, wrong_type

# A member of an object or an element of a list follows each match except the one at the end of the
# body. Possessive quantifiers prevent backtracking: the time is linear in the length of the body.
_ITEM = re.compile(
    rb'(?:[^",{\[]++|"(?:[^"\\]++|\\.)*+"?|[{\[](?=\s*+[}\]]))*+(?:[,{\[]|(\Z))', re.DOTALL
)


MOST_DEPTH = 100
"""Most levels of nested lists and objects."""
TOO_LARGE_A_NUMBER = "a number is beyond those of 64 bits"


def parsed(content: bytes | bytearray, most_values: int) -> dict[str, Any]:
    """Parses `content` as a JSON object. Raises InvalidRequest if it is not one, if an object has
    the same member twice, if it is nested too deeply, or if it has more than `most_values` members
    of objects and elements of lists, nested ones included."""
    if has_more_values(content, most_values):
        raise _refusal(f"more than {most_values} values in one request")
    try:
        members = _load(content)
    except RecursionError as error:
        raise _refusal(f"it is nested too deeply, more than {MOST_DEPTH} levels") from error
    except UnicodeDecodeError as error:
        reason = f"it is not Unicode: the byte at {error.start} is not of UTF-8"
        raise _refusal(reason) from error
    except UnicodeEncodeError as error:
        raise _refusal("it is not Unicode: there is half of a surrogate pair") from error
    except json.JSONDecodeError as error:
        said = error.msg[:1].lower() + error.msg[1:]
        where = f"line {error.lineno}, column {error.colno}"
        raise _refusal(f"it is not JSON: {said} ({where})") from error
    except ValueError as error:
        raise _refusal("it is not JSON: a number has too many digits") from error
    if not isinstance(members, dict):
        raise InvalidRequest(wrong_type("body", "dict"))
    return members


def has_more_values(content: bytes | bytearray, most: int) -> bool:
    """Whether `content`, if it is valid JSON, has more than `most` members and elements."""
    # Each follows one of these bytes, so that counting them is enough for most bodies.
    if sum(map(content.count, (b",", b"{", b"["))) <= most:
        return False
    items = (match for match in _ITEM.finditer(content) if match[1] is None)
    return next(islice(items, most, None), None) is not None


def _load(content: bytes | bytearray) -> Any:
    members = json.loads(
        content.decode(),
        object_pairs_hook=_without_duplicates,
        parse_constant=_no_constant,
        parse_float=_finite,
    )
    if content.count(b"{") + content.count(b"[") > MOST_DEPTH:
        _check_depth(members)
    if b"\\u" in content:
        # An escape may be half a surrogate pair, which cannot be encoded as UTF-8.
        json.dumps(members, ensure_ascii=False).encode()
    return members


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest(invalid("body", reason))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(repeated, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise _refusal(f"a member is there twice: {repeated[:60]!r}")
    return members


def _check_depth(value: Any, level: int = 0) -> None:
    if level > MOST_DEPTH:
        raise RecursionError
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, level + 1)


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise _refusal(TOO_LARGE_A_NUMBER)
    return value


def _no_constant(constant: str) -> NoReturn:
    raise _refusal(f"it is not JSON: it has no {constant}")
