"""Converts every stored BSON value to what a message can hold, so that none can fail a call.

See docs/data-model.md#values-of-a-job and docs/data-model.md#values-in-rows.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from bson import Binary, DBRef, Decimal128, Regex, Timestamp, json_util
from bson.datetime_ms import DatetimeMS

Plain = None | bool | float | str | list[Any] | dict[str, Any]
"""What a google.protobuf.Value can hold."""

# Readers refuse a Struct nested deeper than about 30: protobuf's limit is 100 nested messages.
MAX_DEPTH = 24

_EPOCH = datetime(1970, 1, 1)
_CYCLE = timedelta(days=146_097)  # 400 years, after which the calendar repeats


def plain(value: Any, depth: int = MAX_DEPTH) -> Plain:
    """Any BSON value as JSON-like data; what is deeper than `depth` becomes extended JSON text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(float(value))
    if isinstance(value, DBRef):
        value = value.as_doc()
    if not isinstance(value, dict | list):
        # str() reduces a bson.Code, which is a str with a scope, to its text.
        return _CONVERSIONS.get(type(value), str)(value)
    if depth <= 0:
        return json_util.dumps(value, json_options=json_util.RELAXED_JSON_OPTIONS)
    if isinstance(value, dict):
        return {name: plain(member, depth - 1) for name, member in value.items()}
    return [plain(item, depth - 1) for item in value]


def text(value: Any) -> str:
    """Any BSON value as text; null is empty, a whole number has no fraction."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    shown = plain(value)
    if isinstance(shown, str):
        return shown
    if isinstance(shown, float) and shown.is_integer():
        return str(int(shown))
    return json.dumps(shown, ensure_ascii=False)


@lru_cache(4096)  # Repeated lists show the same times.
def iso(time: datetime) -> str:
    """A naive UTC time as ISO 8601 text with milliseconds and `Z`."""
    return time.isoformat("T", "milliseconds") + "Z"


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _far_date(value: DatetimeMS) -> str:
    """A date outside the range of datetime, in the expanded form of ISO 8601."""
    days, milliseconds = divmod(int(value), 86_400_000)
    cycles, days = divmod(days, _CYCLE.days)
    time = _EPOCH + timedelta(days=days, milliseconds=milliseconds)
    year = time.year + 400 * cycles
    return f"{year:+07d}{iso(time)[4:]}"


def decimal(value: Decimal128) -> Decimal:
    """`value` as a Decimal; a signaling NaN, unfit to compare or convert, becomes a quiet one."""
    number = value.to_decimal()
    return Decimal("NaN") if number.is_nan() else number


def _decimal(value: Decimal128) -> float | str:
    exact = decimal(value)
    number = float(exact)
    # A finite decimal may lie beyond what a double can hold.
    return str(value) if math.isinf(number) and exact.is_finite() else _number(number)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


_CONVERSIONS: Mapping[type, Callable[[Any], Plain]] = {
    bytes: _base64,
    Binary: _base64,
    datetime: iso,
    DatetimeMS: _far_date,
    Decimal128: _decimal,
    Timestamp: lambda moment: iso(moment.as_datetime().replace(tzinfo=None)),
    Regex: lambda regex: text(regex.pattern),
}
