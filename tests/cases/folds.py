"""Analyses that fold groups into lists (field_group), with their pipelines and rows."""

from __future__ import annotations

from typing import Any

from tests.cases.analyses import AnalyzeCase
from tests.cases.stats import COUNT, IN_ORDER_OF_KEYS, Document

_BY_PLUGIN_AND_STATUS = {
    "plugin_id": {"$ifNull": ["$plugin_id", None]},
    "status": {"$ifNull": ["$status", None]},
}


def _folded(**totals: Document) -> list[Document]:
    """The second group, with `n` folded by status."""
    member = {"value": "$n", "status": "$_id.status"}
    return [
        {"$sort": {"_id": 1}},
        {"$group": {"_id": {"plugin_id": "$_id.plugin_id"}, "n": {"$push": member}, **totals}},
    ]


def _fold(operator: str, accumulator: str, x: list[Any], total_x: Any, y: Any) -> AnalyzeCase:
    """A field by plugin_id and status, the status folded: plugin-x has values `x` and their total,
    plugin-y has `y`."""
    counts = operator == "count"
    field = {"operator": operator} | ({} if counts else {"key": "total_tasks"})
    first = {accumulator: 1 if counts else "$total_tasks"}
    of_x = [
        {"value": value, "status": status}
        for value, status in zip(x, ("FAILURE", "IN_PROGRESS", "SUCCESS"), strict=True)
    ]
    return AnalyzeCase(
        f"field_group of {operator}",
        {
            "group_by": ["plugin_id", "status"],
            "field_group": ["status"],
            "fields": {"n": field},
        },
        [
            {"$group": {"_id": _BY_PLUGIN_AND_STATUS, "n": first}},
            *_folded(_total_n={accumulator: "$n"}),
            IN_ORDER_OF_KEYS,
        ],
        [
            {"plugin_id": "plugin-x", "n": of_x, "_total_n": total_x},
            {"plugin_id": "plugin-y", "n": [{"value": y, "status": "SUCCESS"}], "_total_n": y},
        ],
    )


CASES = [
    _fold("count", "$sum", [1, 1, 3], 5, 1),
    _fold("sum", "$sum", [2, 3, 10], 15, 6),
    _fold("average", "$avg", [2, 3, 10 / 3], (2 + 3 + 10 / 3) / 3, 6),
    _fold("max", "$max", [2, 3, 5], 5, 6),
    _fold("min", "$min", [2, 3, 1], 1, 6),
    AnalyzeCase(
        "field_group of a field that has no total",
        {
            "group_by": ["plugin_id", "status"],
            "field_group": ["status"],
            "fields": {"n": {"operator": "add_to_set", "key": "resource_group"}},
            "page": {"start": 2},
        },
        [
            {"$group": {"_id": _BY_PLUGIN_AND_STATUS, "n": {"$addToSet": "$resource_group"}}},
            *_folded(),
            IN_ORDER_OF_KEYS,
        ],
        [{"plugin_id": "plugin-y", "n": [{"value": ["WORKSPACE"], "status": "SUCCESS"}]}],
    ),
    AnalyzeCase(
        "a sort by a folded field means its total",
        {
            "group_by": ["plugin_id", "status"],
            "field_group": ["status"],
            "fields": {"n": COUNT},
            "sort": [{"key": "n"}, {"key": "plugin_id"}],
            "page": {"limit": 1},
        },
        [
            {"$group": {"_id": _BY_PLUGIN_AND_STATUS, "n": {"$sum": 1}}},
            *_folded(_total_n={"$sum": "$n"}),
            {"$sort": {"_total_n": 1, "_id.plugin_id": 1, "_id": 1}},
        ],
        [{"plugin_id": "plugin-y", "n": [{"value": 1, "status": "SUCCESS"}], "_total_n": 1}],
    ),
    AnalyzeCase(
        "a name in field_group that is not in group_by is ignored",
        {
            "group_by": ["plugin_id", "status"],
            "field_group": ["nothing", "status"],
            "fields": {"n": COUNT},
            "filter": [{"k": "plugin_id", "o": "eq", "v": "plugin-y"}],
        },
        [
            {"$group": {"_id": _BY_PLUGIN_AND_STATUS, "n": {"$sum": 1}}},
            *_folded(_total_n={"$sum": "$n"}),
            IN_ORDER_OF_KEYS,
        ],
        [{"plugin_id": "plugin-y", "n": [{"value": 1, "status": "SUCCESS"}], "_total_n": 1}],
    ),
    AnalyzeCase(
        "a field_group of nothing but such names folds all the same",
        {
            "group_by": ["plugin_id"],
            "field_group": ["nothing"],
            "fields": {"n": COUNT},
            "filter": [{"k": "plugin_id", "o": "eq", "v": "plugin-y"}],
        },
        [
            {"$group": {"_id": {"plugin_id": "$plugin_id"}, "n": {"$sum": 1}}},
            IN_ORDER_OF_KEYS,
            {
                "$group": {
                    "_id": {"plugin_id": "$_id.plugin_id"},
                    "n": {"$push": {"value": "$n"}},
                    "_total_n": {"$sum": "$n"},
                }
            },
            IN_ORDER_OF_KEYS,
        ],
        [{"plugin_id": "plugin-y", "n": [{"value": 1}], "_total_n": 1}],
    ),
]
