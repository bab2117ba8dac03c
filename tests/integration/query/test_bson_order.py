"""The order of distinct values is that of the server's own sort."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

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

from inventory_job.auth.scope import Scope
from inventory_job.deadline import Deadline
from inventory_job.model.client import Database
from inventory_job.model.reading import Reader
from inventory_job.query.filters import Page, ScopedFilter
from inventory_job.query.plans import DistinctPlan
from tests.support.running import in_database
from tests.support.store import Store

# Between any two of these MongoDB has an order.
VALUES: list[Any] = [
    MinKey(),
    None,
    float("nan"),
    float("-inf"),
    Decimal128("-1E+6000"),
    -(2.0**63) * 2,
    Int64(-(2**63)),
    -1,
    Decimal128("-0.5"),
    0,
    Decimal128("1E-6000"),
    0.1,
    Decimal128("0.1"),
    Decimal128("0.5"),
    1,
    1.5,
    Int64(2**53),
    Int64(2**53 + 1),
    2.0**53 + 2,
    Int64(2**63 - 1),
    2.0**63,
    1e300,
    Decimal128("1E+6000"),
    float("inf"),
    "",
    "\0",
    " ",
    "10",
    "9",
    "A",
    "a",
    "a\0",
    "aa",
    "b",
    "é",
    "\uffff",
    "\U0001f600",
    {},
    {"a": None},
    {"a": 1},
    {"a": 1, "b": 0},
    {"a": 2},
    {"b": 1},
    {"": 3},
    {"a": "x"},
    {"a": {"b": 1}},
    {"a": [1]},
    [],
    [None],
    [1],
    [1, 1],
    [2],
    ["a"],
    [[1]],
    [{"a": 1}],
    b"",
    b"\x00",
    b"\xff",
    Binary(b"\x00", 2),
    b"abcde",
    b"abcdef",
    Binary(b"\x00", 128),
    b"ab",
    Binary(bytes([0] * 15 + [1]), 4),
    Binary(bytes(16), 3),
    bytes(16),
    ObjectId("000000000000000000000001"),
    ObjectId("ffffffffffffffffffffffff"),
    False,
    True,
    DatetimeMS(-(2**63)),
    datetime(1, 1, 1),
    datetime(2026, 3, 4, 1, 2, 3, 456000),
    datetime(2026, 3, 4, 1, 2, 3, 457000),
    DatetimeMS(2**63 - 1),
    Timestamp(0, 1),
    Timestamp(1, 0),
    Timestamp(1, 1),
    Timestamp(2**32 - 1, 0),
    Regex("a"),
    Regex("a", "i"),
    Regex("a", "im"),
    Regex("a", "m"),
    Regex("b"),
    DBRef("a", 1),
    Code("f()"),
    Code("g()"),
    Code("f()", {"x": 1}),
    MaxKey(),
]


def test_distinct_values_are_in_the_order_of_the_server(database: Store) -> None:
    """Inside a document, where MongoDB compares lists as a whole, as distinct values are."""
    shuffled = random.Random(5).sample(VALUES, len(VALUES))
    jobs = database.jobs
    # Of a list the elements are distinct values.
    jobs.insert_many({"domain_id": "domain-1", "x": {"v": v}, "tags": [v]} for v in shuffled)
    plan = DistinctPlan(ScopedFilter(Scope("domain-1")), "tags", Page(), 1000)

    async def distinct(opened: Database) -> list[Any]:
        rows, total = await Reader(opened, 2**20).distinct(plan, Deadline.after(20.0))
        assert total == len(VALUES)
        [row] = rows.decoded()
        values: list[Any] = row["values"]
        return values

    found = in_database(database, distinct)

    by_server = [job["x"]["v"] for job in jobs.find(sort=[("x", 1)])]
    assert [*map(repr, found)] == [*map(repr, by_server)]
    assert len(found) == len(VALUES)
