"""The expressions of add_fields: what each becomes, and what it is for each of the six jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExpressionCase:
    """One entry of add_fields and its value for the jobs 1 to 6."""

    name: str
    written: Any
    compiled: Any
    values: list[Any]


def _where(name: str, condition: Any, compiled: Any, jobs: set[int]) -> ExpressionCase:
    """A condition, as a choice between 1 and 0."""
    return ExpressionCase(
        name,
        {"if": condition, "then": 1, "else": 0},
        {"$cond": [compiled, {"$literal": 1}, {"$literal": 0}]},
        [int(n in jobs) for n in range(1, 7)],
    )


def _constant(value: Any) -> ExpressionCase:
    return ExpressionCase(f"literal {value!r}", value, {"$literal": value}, [value] * 6)


_STATUS_IS_FAILURE = {"$eq": ["$status", {"$literal": "FAILURE"}]}
_TASKS_ABOVE_4 = {"$gt": ["$total_tasks", {"$literal": 4}]}

CASES = [
    _constant(2.5),
    _constant("text"),
    _constant(value=True),
    _constant(None),
    ExpressionCase("path", "$total_tasks", "$total_tasks", [1, 2, 3, 4, 5, 6]),
    _where("__eq", {"__eq": ["$status", "FAILURE"]}, _STATUS_IS_FAILURE, {2}),
    _where(
        "__eq null", {"__eq": ["$collector_id", None]},
        {"$eq": ["$collector_id", {"$literal": None}]}, {6},
    ),
    _where(
        "__ne", {"__ne": ["$status", "SUCCESS"]},
        {"$ne": ["$status", {"$literal": "SUCCESS"}]}, {2, 3},
    ),
    _where("__gt", {"__gt": ["$total_tasks", 4]}, _TASKS_ABOVE_4, {5, 6}),
    _where(
        "__gte", {"__gte": ["$total_tasks", 4]},
        {"$gte": ["$total_tasks", {"$literal": 4}]}, {4, 5, 6},
    ),
    _where(
        "__lt of two paths", {"__lt": ["$success_tasks", "$total_tasks"]},
        {"$lt": ["$success_tasks", "$total_tasks"]}, {1, 2, 3, 4, 5, 6},
    ),
    _where(
        "__lte", {"__lte": ["$total_tasks", 2]},
        {"$lte": ["$total_tasks", {"$literal": 2}]}, {1, 2},
    ),
    _where(
        "__in", {"__in": ["$collector_id", ["collector-a", None]]},
        {"$in": ["$collector_id", [{"$literal": "collector-a"}, {"$literal": None}]]},
        {1, 3, 5, 6},
    ),
    _where(
        "__and", {"__and": [{"__gt": ["$total_tasks", 4]}, {"__lt": ["$total_tasks", 6]}]},
        {"$and": [_TASKS_ABOVE_4, {"$lt": ["$total_tasks", {"$literal": 6}]}]}, {5},
    ),
    _where(
        "__or", {"__or": [{"__eq": ["$status", "FAILURE"]}, {"__gt": ["$total_tasks", 4]}]},
        {"$or": [_STATUS_IS_FAILURE, _TASKS_ABOVE_4]}, {2, 5, 6},
    ),
    _where(
        "__not", {"__not": [{"__gt": ["$total_tasks", 4]}]}, {"$not": [_TASKS_ABOVE_4]},
        {1, 2, 3, 4},
    ),
    ExpressionCase(
        "choices nest",
        {
            "if": {"__eq": ["$status", "FAILURE"]},
            "then": "$status",
            "else": {"if": {"__gt": ["$total_tasks", 4]}, "then": "big", "else": None},
        },
        {
            "$cond": [
                _STATUS_IS_FAILURE,
                "$status",
                {"$cond": [_TASKS_ABOVE_4, {"$literal": "big"}, {"$literal": None}]},
            ]
        },
        [None, "FAILURE", None, None, "big", "big"],
    ),
]  # fmt: skip
