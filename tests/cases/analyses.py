"""Analyses, the pipeline each becomes behind the $match, and the rows it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.cases.stats import COUNT, IN_ORDER_OF_KEYS, Document, date_as_text

_BY_STATUS = {"status": "$status"}

_TASKS: Document = {"operator": "sum", "key": "total_tasks"}


@dataclass(frozen=True, slots=True)
class AnalyzeCase:
    """An analyze over the six jobs or, where `nested`, over those of cases.stats.NESTED."""

    name: str
    query: Document
    pipeline: list[Document]
    rows: list[Document]
    nested: bool = False


def _selected(name: str, source: Any, expression: Any, value: Any) -> AnalyzeCase:
    """What a select makes of the only row: 6 jobs, 21 tasks, 1 of them remaining."""
    return AnalyzeCase(
        f"select {name}",
        {
            "fields": {
                "n": COUNT,
                "tasks": _TASKS,
                "list": {"operator": "push", "key": "remained_tasks"},
            },
            "select": {"x": source},
        },
        [
            IN_ORDER_OF_KEYS,  # for the list
            {
                "$group": {
                    "_id": {},
                    "n": {"$sum": 1},
                    "tasks": {"$sum": "$total_tasks"},
                    "list": {"$push": "$remained_tasks"},
                }
            },
            {"$project": {"x": expression}},
            {"$project": {"_id": 0}},
        ],
        [{"x": value}],
    )


def _quotient(dividend: Any, divisor: Any) -> Document:
    zero = {"$eq": ["$$divisor", 0]}
    return {
        "$let": {
            "vars": {"dividend": dividend, "divisor": divisor},
            "in": {"$cond": [zero, None, {"$divide": ["$$dividend", "$$divisor"]}]},
        }
    }


def _two(operator: str, *members: Any) -> Document:
    return {"operator": operator, "fields": [*members]}


SELECT = [
    _selected("a copy", "n", "$n", 6),
    _selected("size", {"operator": "size", "key": "list"}, {"$size": "$list"}, 6),
    _selected("sum", {"operator": "sum", "key": "list"}, {"$sum": "$list"}, 1),
    _selected(
        "add", _two("add", "n", "tasks", 0.5), {"$add": ["$n", "$tasks", {"$literal": 0.5}]}, 27.5
    ),
    _selected("subtract", _two("subtract", "tasks", "n"), {"$subtract": ["$tasks", "$n"]}, 15),
    _selected(
        "multiply", _two("multiply", "tasks", 2), {"$multiply": ["$tasks", {"$literal": 2}]}, 42
    ),
    _selected("divide", _two("divide", "tasks", "n"), _quotient("$tasks", "$n"), 3.5),
    _selected(
        "divide by a computed zero",
        _two("divide", "tasks", _two("subtract", "n", 6)),
        _quotient("$tasks", {"$subtract": ["$n", {"$literal": 6}]}),
        None,
    ),
    _selected(
        "divide by the number 0",
        _two("divide", 1, 0),
        _quotient({"$literal": 1}, {"$literal": 0}),
        None,
    ),
    _selected(
        "nested operators",
        _two("multiply", _two("divide", "tasks", "n"), 100),
        {"$multiply": [_quotient("$tasks", "$n"), {"$literal": 100}]},
        350,
    ),
    AnalyzeCase(
        "select leaves the selected names alone in the row",
        {
            "group_by": ["status"],
            "fields": {"n": COUNT, "tasks": _TASKS},
            "select": {"state": "status", "tasks": "tasks"},
            "sort": [{"key": "tasks", "desc": True}],
            "page": {"limit": 2},
        },
        [
            {
                "$group": {
                    "_id": _BY_STATUS,
                    "n": {"$sum": 1},
                    "tasks": {"$sum": "$total_tasks"},
                }
            },
            {"$project": {"state": "$_id.status", "tasks": "$tasks"}},
            {"$sort": {"tasks": -1, "_id": 1}},
            {"$project": {"_id": 0}},
        ],
        [{"state": "SUCCESS", "tasks": 16}, {"state": "IN_PROGRESS", "tasks": 3}],
    ),
]

GROUP_BY = [
    AnalyzeCase(
        "group_by a text and a dictionary",
        {
            "group_by": ["plugin_id", {"key": "status", "name": "st"}],
            "fields": {"n": COUNT},
            "filter": [{"k": "collector_id", "o": "eq", "v": None}],
        },
        [
            {
                "$group": {
                    "_id": {
                        "plugin_id": {"$ifNull": ["$plugin_id", None]},
                        "st": {"$ifNull": ["$status", None]},
                    },
                    "n": {"$sum": 1},
                }
            },
            IN_ORDER_OF_KEYS,
        ],
        [{"plugin_id": "plugin-y", "st": "SUCCESS", "n": 1}],
    ),
    AnalyzeCase(
        "group_by a path has the name of its last part; an absent field is null",
        {"group_by": ["info.region"], "fields": {"n": COUNT}},
        [
            {"$group": {"_id": {"region": "$info.region"}, "n": {"$sum": 1}}},
            IN_ORDER_OF_KEYS,
        ],
        [{"region": None, "n": 2}, {"region": "kr", "n": 1}, {"region": "us", "n": 1}],
        nested=True,
    ),
]


def _of_elements(operator: str, expression: str, value: Any) -> AnalyzeCase:
    """An accumulator over the lists [1, 2, 3] and [4] of the jobs of plugin-x."""
    return AnalyzeCase(
        f"{operator} of the elements of a list",
        {
            "fields": {"x": {"operator": operator, "key": "durations", "data_type": "array"}},
            "filter": [{"k": "plugin_id", "o": "eq", "v": "plugin-x"}],
            "sort": [{"key": "x"}],
        },
        [
            *([IN_ORDER_OF_KEYS] if operator in ("first", "last") else []),
            {"$group": {"_id": {}, "x": {expression: {expression: "$durations"}}}},
            {"$sort": {"x": 1}},
        ],
        [{"x": value}],
        nested=True,
    )


FIELDS = [
    _of_elements("sum", "$sum", 10),
    _of_elements("average", "$avg", 3),
    _of_elements("max", "$max", 4),
    _of_elements("min", "$min", 1),
    _of_elements("first", "$first", 1),
    _of_elements("last", "$last", 4),
    AnalyzeCase(
        "every accumulator",
        {
            "group_by": ["plugin_id"],
            "filter": [{"k": "total_tasks", "o": "eq", "v": 6}],
            "fields": {
                "count": COUNT,
                "sum": _TASKS,
                "average": {"operator": "average", "key": "total_tasks"},
                "max": {"operator": "max", "key": "created_at"},
                "min": {"operator": "min", "key": "created_at"},
                "first": {"operator": "first", "key": "status"},
                "last": {"operator": "last", "key": "status"},
                "push": {"operator": "push", "key": "total_tasks"},
                "documents": {"operator": "push", "fields": {"at": "created_at", "n": "job_id"}},
                "add_to_set": {"operator": "add_to_set", "key": "status"},
            },
        },
        [
            IN_ORDER_OF_KEYS,  # for first, last and push
            {
                "$group": {
                    "_id": {"plugin_id": "$plugin_id"},
                    "count": {"$sum": 1},
                    "sum": {"$sum": "$total_tasks"},
                    "average": {"$avg": "$total_tasks"},
                    "max": {"$max": "$created_at"},
                    "min": {"$min": "$created_at"},
                    "first": {"$first": "$status"},
                    "last": {"$last": "$status"},
                    "push": {"$push": "$total_tasks"},
                    "documents": {
                        "$push": {
                            name: date_as_text(path)
                            for name, path in {"at": "created_at", "n": "job_id"}.items()
                        }
                    },
                    "add_to_set": {"$addToSet": "$status"},
                }
            },
            IN_ORDER_OF_KEYS,
        ],
        [
            {
                "plugin_id": "plugin-y",
                "count": 1,
                "sum": 6,
                "average": 6,
                "max": "2026-03-06T06:00:00.000Z",
                "min": "2026-03-06T06:00:00.000Z",
                "first": "SUCCESS",
                "last": "SUCCESS",
                "push": [6],
                "documents": [{"at": "2026-03-06T06:00:00Z", "n": "job-000000000006"}],
                "add_to_set": ["SUCCESS"],
            }
        ],
    ),
    AnalyzeCase(
        "merge_objects",
        {
            "fields": {"x": {"operator": "merge_objects", "key": "info"}},
            "filter": [{"k": "job_id", "o": "eq", "v": "job-000000000001"}],
        },
        [IN_ORDER_OF_KEYS, {"$group": {"_id": {}, "x": {"$mergeObjects": "$info"}}}],
        [{"x": {"region": "kr", "tier": 1}}],
        nested=True,
    ),
]

CASES = [*GROUP_BY, *FIELDS, *SELECT]
