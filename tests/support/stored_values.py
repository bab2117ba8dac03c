"""What a field of a job may hold: values of every BSON type, those among them that only older
drivers wrote, and jobs that hold them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
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
from bson.raw_bson import RawBSONDocument


@dataclass(frozen=True, slots=True)
class Deprecated:
    """A value of a type that drivers no longer write: the number of the type and the bytes."""

    number: int
    content: bytes = b""

    def element(self, name: str) -> bytes:
        """The value as a member of a document."""
        return bytes([self.number]) + name.encode() + b"\0" + self.content


def _string(text: bytes) -> bytes:
    return struct.pack("<i", len(text) + 1) + text + b"\0"


def nested(depth: int) -> Any:
    """A value so many documents and arrays deep."""
    value: Any = OBJECT_ID
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


OBJECT_ID = ObjectId("0123456789abcdef01234567")

DATES: Mapping[str, Any] = {
    "date": datetime(2026, 3, 4, 1, 2, 3, 456000),
    "first year": datetime(1, 1, 1),
    "last year": datetime(9999, 12, 31, 23, 59, 59, 999000),
    "year 0": DatetimeMS(-62_167_219_200_000),
    "before year 0": DatetimeMS(-62_167_219_200_001),
    "year 10000": DatetimeMS(253_402_300_800_000),
    "last date": DatetimeMS(2**63 - 1),
    "first date": DatetimeMS(-(2**63)),
}

VALUES: Mapping[str, Any] = {
    **DATES,
    "null": None,
    "true": True,
    "false": False,
    "text": "text",
    "empty text": "",
    "text of a date": "2026-03-04T01:02:03Z",
    "status": "SUCCESS",
    "NUL": "a\0b",
    "long text": "ü" * 1000,
    "broken text": Deprecated(0x02, _string(b"a\xff\xed\xa0\x80")),
    "int": 12,
    "negative": -3,
    "int64": Int64(2**63 - 1),
    "least int64": Int64(-(2**63)),
    "fraction": 2.5,
    "large double": 1e300,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "-infinity": float("-inf"),
    "-0": -0.0,
    "decimal": Decimal128("2.50"),
    "decimal NaN": Decimal128("NaN"),
    "decimal sNaN": Decimal128("sNaN"),
    "decimal infinity": Decimal128("-Infinity"),
    "large decimal": Decimal128("9.999999999999999999999999999999999E+6144"),
    "small decimal": Decimal128("1E-6176"),
    "timestamp": Timestamp(1_772_586_123, 1),
    "last timestamp": Timestamp(2**32 - 1, 2**32 - 1),
    "first timestamp": Timestamp(0, 1),
    "ObjectId": OBJECT_ID,
    "binary": b"\x00\xff",
    "empty binary": b"",
    "old binary": Binary(b"\x00\xff", 2),
    "UUID": Binary(uuid.UUID(int=1).bytes, 4),
    "short UUID": Binary(b"\x01", 4),
    "long old UUID": Binary(b"\x01" * 20, 3),
    "vector": Binary(b"\x03\x00\x01", 9),
    "own binary": Binary(b"\x00", 128),
    "regex": Regex("^a", "i"),
    "broken regex": Regex("(", "imsx"),
    "code": Code("function() {}"),
    "code with scope": Code("f", {"x": 1, "y": [Code("g")]}),
    "code like a status": Code("SUCCESS"),
    "code like a workspace": Code("*"),
    "MinKey": MinKey(),
    "MaxKey": MaxKey(),
    "DBRef": DBRef("job", OBJECT_ID, "database"),
    "document": {"a": {"b": [1, Code("x"), float("nan")]}, "": None},
    "document with signs": {"a.b": 1, "$c": 2},
    "empty document": {},
    "array": [1, "x", None, [2], {"k": Code("y")}],
    "empty array": [],
    "array of dates": [datetime(2026, 1, 1), DatetimeMS(2**62)],
    "array of codes": [Code("SUCCESS")],
    "deeply nested": nested(90),
    "undefined": Deprecated(0x06),
    "DBPointer": Deprecated(0x0C, _string(b"job") + OBJECT_ID.binary),
    "symbol": Deprecated(0x0E, _string(b"SUCCESS")),
}
"""By a name of its own, at least one of every BSON type, and the ends of each type."""


def as_stored(job: Mapping[str, Any]) -> RawBSONDocument:
    """The job as it can be inserted: with values of deprecated types as well."""
    plain = {name: value for name, value in job.items() if not isinstance(value, Deprecated)}
    members = bson.encode(plain)[4:-1] + b"".join(
        value.element(name) for name, value in job.items() if isinstance(value, Deprecated)
    )
    return RawBSONDocument(struct.pack("<i", len(members) + 5) + members + b"\0")
