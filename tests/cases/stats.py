"""Groups of a stat: the pipeline they become behind the $match, and the rows they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bson.datetime_ms import DatetimeMS

Document = dict[str, Any]

NESTED: list[Document] = [
    {
        "plugin_id": "plugin-x",
        "tags": [{"key": "env", "value": "prod"}, {"key": "team", "value": "Core (a)"}],
        "durations": [1, 2, 3],
        "info": {"region": "kr", "tier": 1},
        "pairs": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
    },
    {
        "plugin_id": "plugin-x",
        "tags": [{"key": "env", "value": "dev"}],
        "durations": [4],
        "info": {"region": "us"},
        "pairs": [],
    },
    {"plugin_id": "plugin-y", "tags": "plain", "durations": []},
    {"plugin_id": "plugin-y"},
]
"""Jobs with fields that are lists and documents; the third has text for a list."""


@dataclass(frozen=True, slots=True)
class StatCase:
    """An aggregate over the six jobs or, where `nested`, over those of NESTED."""

    name: str
    aggregate: list[Document]
    pipeline: list[Document]
    rows: list[Document]
    nested: bool = False


def by(key: str, name: str, **more: str) -> Document:
    return {"key": key, "name": name, **more}


def group(keys: list[Document], **fields: Document) -> Document:
    named = [{"name": name, **field} for name, field in fields.items()]
    return {"group": {"keys": keys, "fields": named}}


COUNT = {"operator": "count"}
BY_STATUS = group([by("status", "status")], n=COUNT)
GROUPED_BY_STATUS = {"$group": {"_id": {"status": "$status"}, "n": {"$sum": 1}}}
IN_ORDER_OF_KEYS = {"$sort": {"_id": 1}}

WORKED = StatCase(
    "worked example",
    [
        {"group": {"keys": [{"k": "status", "n": "status"}], "fields": [{"o": "count", "n": "n"}]}},
        {"sort": [{"key": "n", "desc": True}, {"key": "status"}]},
    ],
    [GROUPED_BY_STATUS, {"$sort": {"n": -1, "_id.status": 1, "_id": 1}}],
    [
        {"status": "SUCCESS", "n": 4},
        {"status": "FAILURE", "n": 1},
        {"status": "IN_PROGRESS", "n": 1},
    ],
)
"""The example that the specification works out."""


def _over_all(name: str, operator: str, accumulator: Document, value: Any) -> StatCase:
    """One accumulator over total_tasks of all six jobs."""
    field = {"operator": operator} | ({} if operator == "count" else {"key": "total_tasks"})
    return StatCase(
        name, [group([], x=field)], [{"$group": {"_id": {}, "x": accumulator}}], [{"x": value}]
    )


def _sorted_first(operator: str, value: int) -> StatCase:
    return StatCase(
        f"{operator} in the order of a sort before",
        [
            {"sort": [{"key": "created_at", "desc": True}]},
            group([], x={"operator": operator, "key": "total_tasks"}),
        ],
        [
            {"$sort": {"created_at": -1, "_id": 1}},
            {"$group": {"_id": {}, "x": {f"${operator}": "$total_tasks"}}},
        ],
        [{"x": value}],
    )


ACCUMULATORS = [
    _over_all("count", "count", {"$sum": 1}, 6),
    _over_all("sum", "sum", {"$sum": "$total_tasks"}, 21),
    _over_all("average", "average", {"$avg": "$total_tasks"}, 3.5),
    _over_all("max", "max", {"$max": "$total_tasks"}, 6),
    _over_all("min", "min", {"$min": "$total_tasks"}, 1),
    _sorted_first("first", 6),
    _sorted_first("last", 1),
    StatCase(
        "push of a key",
        [
            {"sort": [{"key": "total_tasks"}]},
            group([by("collector_id", "c")], x={"operator": "push", "key": "total_tasks"}),
        ],
        [
            {"$sort": {"total_tasks": 1, "_id": 1}},
            {"$group": {"_id": {"c": "$collector_id"}, "x": {"$push": "$total_tasks"}}},
            IN_ORDER_OF_KEYS,
        ],
        [
            {"c": None, "x": [6]},
            {"c": "collector-a", "x": [1, 3, 5]},
            {"c": "collector-b", "x": [2, 4]},
        ],
    ),
    StatCase(
        "add_to_set",
        [group([by("plugin_id", "p")], x={"operator": "add_to_set", "key": "workspace_id"})],
        [
            {"$group": {"_id": {"p": "$plugin_id"}, "x": {"$addToSet": "$workspace_id"}}},
            IN_ORDER_OF_KEYS,
        ],
        [{"p": "plugin-x", "x": ["workspace-1"]}, {"p": "plugin-y", "x": ["workspace-1"]}],
    ),
    StatCase(
        "merge_objects",
        [
            {"sort": [{"key": "job_id"}]},
            group([], x={"operator": "merge_objects", "key": "info"}),
        ],
        [
            {"$sort": {"job_id": 1, "_id": 1}},
            {"$group": {"_id": {}, "x": {"$mergeObjects": "$info"}}},
        ],
        [{"x": {"region": "us", "tier": 1}}],
        nested=True,
    ),
]


def formattable(path: str, then: Document) -> Document:
    """`then`, of a date that can be formatted; else null."""
    date = f"${path}"
    within = [
        {"$gte": [date, DatetimeMS(-62_167_219_200_000)]},
        {"$lt": [date, DatetimeMS(253_402_300_800_000)]},
    ]
    has_date = {"$in": [{"$type": date}, ["objectId", "timestamp"]]}
    return {"$cond": [{"$or": [{"$and": within}, has_date]}, then, None]}


def date_as_text(path: str) -> Document:
    """What push makes of a value."""
    text = {"$dateToString": {"format": "%Y-%m-%dT%H:%M:%SZ", "date": f"${path}"}}
    is_date = {"$eq": [{"$type": f"${path}"}, "date"]}
    return {"$cond": [is_date, formattable(path, text), {"$ifNull": [f"${path}", None]}]}


ACCUMULATORS.append(
    StatCase(
        "push of documents, their dates as text",
        [
            {"sort": [{"key": "job_id"}]},
            group(
                [by("collector_id", "c")],
                x={
                    "operator": "push",
                    "fields": [
                        {"key": "total_tasks", "name": "n"},
                        {"k": "finished_at", "n": "at"},
                    ],
                },
            ),
            {"skip": 1},
            {"limit": 1},
        ],
        [
            {"$sort": {"job_id": 1, "_id": 1}},
            {
                "$group": {
                    "_id": {"c": "$collector_id"},
                    "x": {
                        "$push": {
                            "n": date_as_text("total_tasks"),
                            "at": date_as_text("finished_at"),
                        }
                    },
                }
            },
            IN_ORDER_OF_KEYS,
            {"$skip": 1},
            {"$limit": 1},
        ],
        [
            {
                "c": "collector-a",
                "x": [
                    {"n": 1, "at": "2026-03-01T02:00:00Z"},
                    {"n": 3, "at": None},
                    {"n": 5, "at": "2026-03-05T06:00:00Z"},
                ],
            }
        ],
    )
)


def _matching(operator: str, symbol: str, value: Any, count: int) -> StatCase:
    """The number of jobs whose collector_id compares so with `value`."""
    condition = {"key": "collector_id", "operator": operator, "value": value}
    path: Any = {"$ifNull": ["$collector_id", None]} if value is None else "$collector_id"
    compared = {symbol: [path, {"$literal": value}]}
    return StatCase(
        f"count where {operator} {value}",
        [group([], x={"operator": "count", "conditions": [condition]})],
        [{"$group": {"_id": {}, "x": {"$sum": {"$cond": [{"$and": [compared]}, 1, 0]}}}}],
        [{"x": count}],
    )


_WHERE_SUCCESS = [{"k": "status", "v": "SUCCESS", "o": "eq"}]
_IF_SUCCESS = {"$and": [{"$eq": ["$status", {"$literal": "SUCCESS"}]}]}

CONDITIONS = [
    _matching("eq", "$eq", "collector-a", 3),
    _matching("eq", "$eq", None, 1),
    _matching("not", "$ne", "collector-a", 3),
    _matching("not", "$ne", None, 5),
    _matching("gt", "$gt", "collector-a", 2),
    _matching("gte", "$gte", "collector-a", 5),
    _matching("lt", "$lt", "collector-b", 4),
    _matching("lte", "$lte", "collector-b", 6),
    _matching("eq", "$eq", "$collector_id", 0),
    StatCase(
        "all conditions must hold",
        [
            group(
                [],
                x={
                    "operator": "count",
                    "conditions": [*_WHERE_SUCCESS, {"k": "total_tasks", "o": "gte", "v": 4}],
                },
            )
        ],
        [
            {
                "$group": {
                    "_id": {},
                    "x": {
                        "$sum": {
                            "$cond": [
                                {
                                    "$and": [
                                        {"$eq": ["$status", {"$literal": "SUCCESS"}]},
                                        {"$gte": ["$total_tasks", {"$literal": 4}]},
                                    ]
                                },
                                1,
                                0,
                            ]
                        }
                    },
                }
            }
        ],
        [{"x": 3}],
    ),
    StatCase(
        "sum of the rows that meet the conditions",
        [group([], x={"operator": "sum", "key": "total_tasks", "conditions": _WHERE_SUCCESS})],
        [{"$group": {"_id": {}, "x": {"$sum": {"$cond": [_IF_SUCCESS, "$total_tasks", 0]}}}}],
        [{"x": 16}],
    ),
    StatCase(
        "average counts rows that do not meet the conditions as 0",
        [group([], x={"operator": "average", "key": "total_tasks", "conditions": _WHERE_SUCCESS})],
        [{"$group": {"_id": {}, "x": {"$avg": {"$cond": [_IF_SUCCESS, "$total_tasks", 0]}}}}],
        [{"x": 16 / 6}],
    ),
]


def _per_date(date_format: str, expression: Document, values: list[Any]) -> StatCase:
    """Jobs counted by their day of creation, written in one of the formats."""
    return StatCase(
        f"date format {date_format}",
        [group([by("created_at", "at", date_format=date_format)], n=COUNT)],
        [{"$group": {"_id": {"at": expression}, "n": {"$sum": 1}}}, IN_ORDER_OF_KEYS],
        [{"at": value, "n": 6 // len(values)} for value in values],
    )


def _written(date_format: Any) -> Document:
    return _guarded({"$dateToString": {"format": date_format, "date": "$created_at"}})


def _guarded(expression: Document) -> Document:
    return formattable("created_at", expression)


_DAYS = [f"2026-03-0{n}" for n in range(1, 7)]

DATE_FORMATS = [
    _per_date("year", _guarded({"$year": "$created_at"}), [2026]),
    _per_date("month", _guarded({"$month": "$created_at"}), [3]),
    _per_date("day", _guarded({"$dayOfMonth": "$created_at"}), [1, 2, 3, 4, 5, 6]),
    _per_date("%Y-%m-%d", _written("%Y-%m-%d"), _DAYS),
    _per_date("%Y-%m", _written("%Y-%m"), ["2026-03"]),
    _per_date("%H:%M:%S.%L", _written("%H:%M:%S.%L"), [f"0{n}:00:00.000" for n in range(1, 7)]),
    _per_date("%j", _written("%j"), [f"06{n}" for n in range(6)]),
    _per_date("100%%", _written("100%%"), ["100%"]),
    _per_date("$Y", _written({"$literal": "$Y"}), ["$Y"]),
]

CASES = [WORKED, *ACCUMULATORS, *CONDITIONS, *DATE_FORMATS]
