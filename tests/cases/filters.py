"""Conditions, what each becomes in MongoDB's language, and which of the six jobs meet it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId, Regex

ALL = {1, 2, 3, 4, 5, 6}
NONE: set[int] = set()

_NOTHING: dict[str, Any] = {"$in": []}


@dataclass(frozen=True, slots=True)
class FilterCase:
    """One condition, alone in `filter`."""

    name: str
    key: str
    operator: str
    value: Any
    match: dict[str, Any]
    jobs: set[int]


def _literal(escaped: str) -> Regex[str]:
    return Regex(escaped, "i")


def _day(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute)


EQUALITY = [
    FilterCase("eq text", "status", "eq", "FAILURE", {"status": "FAILURE"}, {2}),
    FilterCase("eq is exact", "status", "eq", "failure", {"status": "failure"}, NONE),
    FilterCase("eq text of digits stays text", "plugin_id", "eq", "3", {"plugin_id": "3"}, NONE),
    FilterCase("eq int", "total_tasks", "eq", 3, {"total_tasks": 3}, {3}),
    FilterCase("eq whole double on an int", "total_tasks", "eq", 3.0, {"total_tasks": 3}, {3}),
    FilterCase("eq text on an int", "total_tasks", "eq", "3", {"total_tasks": 3}, {3}),
    FilterCase(
        "eq ISO text on a date",
        "created_at",
        "eq",
        "2026-03-02T11:00:00+09:00",
        {"created_at": _day(2, 2)},
        {2},
    ),
    FilterCase("eq ObjectId", "id", "eq", f"{5:024x}", {"_id": ObjectId(f"{5:024x}")}, {5}),
    FilterCase("eq null", "collector_id", "eq", None, {"collector_id": None}, {6}),
    FilterCase("not text", "status", "not", "SUCCESS", {"status": {"$ne": "SUCCESS"}}, {2, 3}),
    FilterCase(
        "not text finds null",
        "collector_id",
        "not",
        "collector-a",
        {"collector_id": {"$ne": "collector-a"}},
        {2, 4, 6},
    ),
    FilterCase(
        "not null", "collector_id", "not", None, {"collector_id": {"$ne": None}}, {1, 2, 3, 4, 5}
    ),
    FilterCase(
        "not ISO text on a date",
        "finished_at",
        "not",
        "2026-03-01T02:00:00Z",
        {"finished_at": {"$ne": _day(1, 2)}},
        {2, 3, 4, 5, 6},
    ),
    FilterCase(
        "in",
        "status",
        "in",
        ["FAILURE", "CANCELED"],
        {"status": {"$in": ["FAILURE", "CANCELED"]}},
        {2},
    ),
    FilterCase(
        "in converts each",
        "total_tasks",
        "in",
        [1, 2.0, "3"],
        {"total_tasks": {"$in": [1, 2, 3]}},
        {1, 2, 3},
    ),
    FilterCase(
        "in with null",
        "collector_id",
        "in",
        ["collector-a", None],
        {"collector_id": {"$in": ["collector-a", None]}},
        {1, 3, 5, 6},
    ),
    FilterCase(
        "in on a date",
        "created_at",
        "in",
        ["2026-03-01T01:00:00Z", "2026-03-02"],
        {"created_at": {"$in": [_day(1, 1), _day(2)]}},
        {1},
    ),
    FilterCase("in nothing", "status", "in", [], {"status": {"$in": []}}, NONE),
    FilterCase(
        "not_in",
        "total_tasks",
        "not_in",
        [1, "2"],
        {"total_tasks": {"$nin": [1, 2]}},
        {3, 4, 5, 6},
    ),
    FilterCase(
        "not_in on a date",
        "finished_at",
        "not_in",
        ["2026-03-01T02:00:00Z", None],
        {"finished_at": {"$nin": [_day(1, 2), None]}},
        {2, 4, 5, 6},
    ),
    FilterCase(
        "not_in with null",
        "collector_id",
        "not_in",
        ["collector-a", None],
        {"collector_id": {"$nin": ["collector-a", None]}},
        {2, 4},
    ),
    FilterCase("not_in nothing", "status", "not_in", [], {"status": {"$nin": []}}, ALL),
]

COMPARISON = [
    FilterCase("lt int", "total_tasks", "lt", 3, {"total_tasks": {"$lt": 3}}, {1, 2}),
    FilterCase("lte int", "total_tasks", "lte", 3, {"total_tasks": {"$lte": 3}}, {1, 2, 3}),
    FilterCase("gt int", "total_tasks", "gt", "3", {"total_tasks": {"$gt": 3}}, {4, 5, 6}),
    FilterCase("gte int", "total_tasks", "gte", 3.0, {"total_tasks": {"$gte": 3}}, {3, 4, 5, 6}),
    FilterCase("lt text", "status", "lt", "IN_PROGRESS", {"status": {"$lt": "IN_PROGRESS"}}, {2}),
    FilterCase(
        "gte text", "plugin_id", "gte", "plugin-y", {"plugin_id": {"$gte": "plugin-y"}}, {6}
    ),
    FilterCase(
        "lt date",
        "created_at",
        "lt",
        "2026-03-03",
        {"created_at": {"$lt": _day(3)}},
        {1, 2},
    ),
    FilterCase(
        "lte date",
        "created_at",
        "lte",
        "2026-03-03T03:00:00Z",
        {"created_at": {"$lte": _day(3, 3)}},
        {1, 2, 3},
    ),
    FilterCase(
        "gt date",
        "created_at",
        "gt",
        "2026-03-03T03:00:00.000Z",
        {"created_at": {"$gt": _day(3, 3)}},
        {4, 5, 6},
    ),
    FilterCase(
        "gte date",
        "finished_at",
        "gte",
        "2026-03-05 06:00:00",
        {"finished_at": {"$gte": _day(5, 6)}},
        {5, 6},
    ),
    *(
        FilterCase(
            f"{operator} null",
            "collector_id",
            operator,
            None,
            {"collector_id": _NOTHING},
            NONE,
        )
        for operator in ("lt", "lte", "gt", "gte")
    ),
]

TEXT = [
    FilterCase(
        "contain ignores case",
        "plugin_id",
        "contain",
        "IN-Y",
        {"plugin_id": _literal("IN\\-Y")},
        {6},
    ),
    FilterCase(
        "contain is literal",
        "plugin_id",
        "contain",
        "p.*",
        {"plugin_id": _literal("p\\.\\*")},
        NONE,
    ),
    FilterCase(
        "contain the empty text",
        "collector_id",
        "contain",
        "",
        {"collector_id": _literal("")},
        {1, 2, 3, 4, 5},
    ),
    FilterCase(
        "contain NUL",
        "plugin_id",
        "contain",
        "a\0b",
        {"plugin_id": _literal("a\\x00b")},
        NONE,
    ),
    FilterCase(
        "not_contain finds null",
        "collector_id",
        "not_contain",
        "-A",
        {"collector_id": {"$not": _literal("\\-A")}},
        {2, 4, 6},
    ),
    FilterCase(
        "contain_in",
        "collector_id",
        "contain_in",
        ["-a", "-B"],
        {"collector_id": {"$in": [_literal("\\-a"), _literal("\\-B")]}},
        {1, 2, 3, 4, 5},
    ),
    FilterCase(
        "contain_in nothing",
        "collector_id",
        "contain_in",
        [],
        {"collector_id": {"$in": []}},
        NONE,
    ),
    FilterCase(
        "not_contain_in one word",
        "collector_id",
        "not_contain_in",
        ["-a"],
        {"collector_id": {"$nin": [_literal("\\-a")]}},
        {2, 4, 6},
    ),
    FilterCase(
        "not_contain_in means none of the words",
        "collector_id",
        "not_contain_in",
        ["-a", "-b"],
        {"collector_id": {"$nin": [_literal("\\-a"), _literal("\\-b")]}},
        {6},
    ),
    FilterCase(
        "not_contain_in nothing",
        "collector_id",
        "not_contain_in",
        [],
        {"collector_id": {"$nin": []}},
        ALL,
    ),
    FilterCase(
        "regex",
        "collector_id",
        "regex",
        "^c.*-[ac]$",
        {"collector_id": Regex("^c.*-[ac]$", "i")},
        {1, 3, 5},
    ),
    FilterCase(
        "regex ignores case and is not anchored",
        "collector_id",
        "regex",
        "TOR-B",
        {"collector_id": Regex("TOR-B", "i")},
        {2, 4},
    ),
    FilterCase(
        "regex is PCRE",
        "status",
        "regex",
        r"^(?!success)(?<first>[fi])\w+$",
        {"status": Regex(r"^(?!success)(?<first>[fi])\w+$", "i")},
        {2, 3},
    ),
    FilterCase(
        "regex_in",
        "status",
        "regex_in",
        ["^fail", "gress$"],
        {"status": {"$in": [Regex("^fail", "i"), Regex("gress$", "i")]}},
        {2, 3},
    ),
    FilterCase("regex_in nothing", "status", "regex_in", [], {"status": {"$in": []}}, NONE),
]

OTHER = [
    FilterCase(
        "exists finds a stored null",
        "finished_at",
        "exists",
        True,
        {"finished_at": {"$exists": True}},
        ALL,
    ),
    FilterCase(
        "exists not",
        "finished_at",
        "exists",
        False,
        {"finished_at": {"$exists": False}},
        NONE,
    ),
    FilterCase("match", "status", "match", {"name": "SUCCESS"}, {"status": _NOTHING}, NONE),
]

CASES = [*EQUALITY, *COMPARISON, *TEXT, *OTHER]
