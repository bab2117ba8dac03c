"""Stored values as what a Struct can hold: every BSON type, whatever is in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS
from google.protobuf import json_format

from inventory_job.wire.encode import struct
from inventory_job.wire.values import MAX_DEPTH, plain, text

OBJECT_ID = ObjectId("0123456789abcdef01234567")

VALUES: list[tuple[Any, Any, str]] = [
    (None, None, ""),
    (True, True, "true"),
    (False, False, "false"),
    ("text", "text", "text"),
    ("", "", ""),
    (12, 12, "12"),
    (-3, -3, "-3"),
    (Int64(2**53), 2**53, "9007199254740992"),
    (Int64(2**53 + 1), 2**53, "9007199254740993"),
    (Int64(2**63 - 1), 2**63, "9223372036854775807"),
    (2.5, 2.5, "2.5"),
    (7.0, 7, "7"),
    (1e300, 1e300, str(int(1e300))),
    (float("nan"), "NaN", "NaN"),
    (float("inf"), "Infinity", "Infinity"),
    (float("-inf"), "-Infinity", "-Infinity"),
    (Decimal128("2.5"), 2.5, "2.5"),
    (Decimal128("3"), 3, "3"),
    (Decimal128("NaN"), "NaN", "NaN"),
    (Decimal128("-NaN"), "NaN", "NaN"),
    (Decimal128("sNaN"), "NaN", "NaN"),
    (Decimal128("Infinity"), "Infinity", "Infinity"),
    (Decimal128("-Infinity"), "-Infinity", "-Infinity"),
    (Decimal128("1E+6000"), "1E+6000", "1E+6000"),
    (Decimal128("-1E+6000"), "-1E+6000", "-1E+6000"),
    (Decimal128("1E-6000"), 0, "0"),
    (datetime(2026, 3, 4, 1, 2, 3, 456000), "2026-03-04T01:02:03.456Z", "2026-03-04T01:02:03.456Z"),
    (datetime(1, 1, 1), "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
    (DatetimeMS(253402300800000), "+010000-01-01T00:00:00.000Z", "+010000-01-01T00:00:00.000Z"),
    (DatetimeMS(-62135596800001), "+000000-12-31T23:59:59.999Z", "+000000-12-31T23:59:59.999Z"),
    (DatetimeMS(2**63 - 1), "+292278994-08-17T07:12:55.807Z", "+292278994-08-17T07:12:55.807Z"),
    (DatetimeMS(-(2**63)), "-292275055-05-16T16:47:04.192Z", "-292275055-05-16T16:47:04.192Z"),
    (Timestamp(1772586123, 1), "2026-03-04T01:02:03.000Z", "2026-03-04T01:02:03.000Z"),
    (Timestamp(2**32 - 1, 0), "2106-02-07T06:28:15.000Z", "2106-02-07T06:28:15.000Z"),
    (OBJECT_ID, "0123456789abcdef01234567", "0123456789abcdef01234567"),
    (b"\x00\xff", "AP8=", "AP8="),
    (Binary(b"\x00\xff", 128), "AP8=", "AP8="),
    (Binary(b"\x00\xff", 4), "AP8=", "AP8="),
    (Regex("^a", "i"), "^a", "^a"),
    (Regex(b"\xff"), "/w==", "/w=="),
    (Code("f()"), "f()", "f()"),
    (MinKey(), "MinKey()", "MinKey()"),
    (MaxKey(), "MaxKey()", "MaxKey()"),
    ([1, None, OBJECT_ID], [1, None, str(OBJECT_ID)], f'[1.0, null, "{OBJECT_ID}"]'),
    ({"a": {"b": float("nan")}}, {"a": {"b": "NaN"}}, '{"a": {"b": "NaN"}}'),
    ({"$": 1, "a.b": 2, "": 3}, {"$": 1, "a.b": 2, "": 3}, '{"$": 1.0, "a.b": 2.0, "": 3.0}'),
    ({}, {}, "{}"),
    ([], [], "[]"),
    (
        DBRef("job", OBJECT_ID),
        {"$ref": "job", "$id": str(OBJECT_ID)},
        f'{{"$ref": "job", "$id": "{OBJECT_ID}"}}',
    ),
]


def members_of(value: Any) -> Any:
    """The value on the far side of a Struct."""
    sent = type(message := struct({"x": value})).FromString(message.SerializeToString())
    return json_format.MessageToDict(sent)["x"]


@pytest.mark.parametrize(("stored", "shown", "as_text"), VALUES, ids=lambda value: repr(value)[:40])
def test_every_value_has_a_form(stored: Any, shown: Any, as_text: str) -> None:
    assert plain(stored) == shown
    assert members_of(stored) == shown
    assert members_of([{"a": stored}]) == [{"a": shown}]
    assert text(stored) == as_text


def nested(depth: int) -> Any:
    value: Any = OBJECT_ID
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 90])
def test_values_nested_too_deep_for_a_reader_are_text_below(depth: int) -> None:
    """Clients refuse messages of more than 100 levels."""
    value = members_of(nested(depth))

    levels = 0
    while isinstance(value, list | dict):
        value = value[0] if isinstance(value, list) else value["a"]
        levels += 1
    assert levels == min(depth, MAX_DEPTH)
    assert isinstance(value, str)
    assert str(OBJECT_ID) in value
