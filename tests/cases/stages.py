"""Stages of a stat other than groups, and what names mean from one stage to the next."""

from __future__ import annotations

import re
from typing import Any

from bson import Regex

from tests.cases.stats import (
    BY_STATUS,
    COUNT,
    GROUPED_BY_STATUS,
    IN_ORDER_OF_KEYS,
    Document,
    StatCase,
    by,
    group,
)

_BY_ID = {"$sort": {"_id": 1}}


def _project(*fields: Document, exclude_keys: bool = False) -> Document:
    return {"project": {"fields": [*fields], "exclude_keys": exclude_keys}}


_TAGS_ALONE = _project(by("tags.key", "k"), by("tags.value", "v"), exclude_keys=True)
_PROJECTED_TAGS = {"$project": {"_id": 0, "k": "$tags.key", "v": "$tags.value"}}
_PROD, _CORE, _DEV = (
    {"k": "env", "v": "prod"},
    {"k": "team", "v": "Core (a)"},
    {"k": "env", "v": "dev"},
)
_SCALAR: Document = {}


def _unwound(operator: str, value: Any, condition: Any, *rows: Document) -> StatCase:
    """The tags, one row each, that meet a condition on their value."""
    of_value = {"key": "tags.value", "operator": operator, "value": value}
    return StatCase(
        f"unwind where {operator} {value}",
        [{"unwind": {"path": "tags", "filter": [of_value]}}, _TAGS_ALONE],
        [
            _BY_ID,
            {"$unwind": "$tags"},
            {"$match": {"$and": [{"tags.value": condition}]}},
            _PROJECTED_TAGS,
        ],
        [*rows],
        nested=True,
    )


def _text(escaped: str) -> Regex[str]:
    return Regex(escaped, int(re.IGNORECASE))


UNWIND = [
    StatCase(
        "unwind: a list by its elements, a scalar as it is, nothing where the field is absent",
        [{"unwind": {"path": "tags"}}, _TAGS_ALONE],
        [_BY_ID, {"$unwind": "$tags"}, _PROJECTED_TAGS],
        [_PROD, _CORE, _DEV, _SCALAR],
        nested=True,
    ),
    _unwound("eq", "prod", "prod", _PROD),
    _unwound("not", "prod", {"$ne": "prod"}, _CORE, _DEV, _SCALAR),
    _unwound("in", ["prod", "dev"], {"$in": ["prod", "dev"]}, _PROD, _DEV),
    _unwound("not_in", ["prod", "dev"], {"$nin": ["prod", "dev"]}, _CORE, _SCALAR),
    _unwound("contain", "E (A", _text("E\\ \\(A"), _CORE),
    _unwound("contain", "C.re", _text("C\\.re")),
    _unwound("not_contain", "O", {"$not": _text("O")}, _DEV, _SCALAR),
    _unwound("contain_in", ["PRO", "ev"], {"$in": [_text("PRO"), _text("ev")]}, _PROD, _DEV),
    _unwound("contain_in", [], {"$in": []}),
    _unwound(
        "not_contain_in", ["PRO", "ev"], {"$nin": [_text("PRO"), _text("ev")]}, _CORE, _SCALAR
    ),
    _unwound("not_contain_in", [], {"$nin": []}, _PROD, _CORE, _DEV, _SCALAR),
]

SLICES = [
    StatCase("count", [{"count": {"name": "n"}}], [{"$count": "n"}], [{"n": 6}]),
    StatCase(
        "count of groups",
        [BY_STATUS, {"count": {"name": "states"}}],
        [GROUPED_BY_STATUS, {"$count": "states"}],
        [{"states": 3}],
    ),
    StatCase(
        "count of nothing has no row",
        [{"skip": 6}, {"count": {"name": "n"}}],
        [_BY_ID, {"$skip": 6}, {"$count": "n"}],
        [],
    ),
    StatCase(
        "sort in the given order of keys",
        [
            {"sort": [{"key": "collector_id", "desc": True}, {"key": "total_tasks"}]},
            {"limit": 3},
            _project(by("total_tasks", "n"), exclude_keys=True),
        ],
        [
            {"$sort": {"collector_id": -1, "total_tasks": 1, "_id": 1}},
            {"$limit": 3},
            {"$project": {"_id": 0, "n": "$total_tasks"}},
        ],
        [{"n": 2}, {"n": 4}, {"n": 1}],
    ),
    StatCase(
        "sort with nulls first",
        [{"sort": [{"key": "finished_at"}]}, {"limit": 1}, _project(by("total_tasks", "n"))],
        [
            {"$sort": {"finished_at": 1, "_id": 1}},
            {"$limit": 1},
            {"$project": {"n": "$total_tasks"}},
        ],
        [{"_id": f"{3:024x}", "n": 3}],
    ),
    StatCase(
        "limit and skip without a sort go by the keys",
        [BY_STATUS, {"skip": 1}, {"limit": 1}],
        [GROUPED_BY_STATUS, IN_ORDER_OF_KEYS, {"$skip": 1}, {"$limit": 1}],
        [{"status": "IN_PROGRESS", "n": 1}],
    ),
    StatCase(
        "skip 0 leaves out nothing",
        [BY_STATUS, {"skip": 0}, {"count": {"name": "n"}}],
        [GROUPED_BY_STATUS, IN_ORDER_OF_KEYS, {"$skip": 0}, {"$count": "n"}],
        [{"n": 3}],
    ),
]


def _of_list(operator: str, expression: Document, key: str, value: Any) -> StatCase:
    """A project operator on a field of the first of the jobs with nested fields."""
    return StatCase(
        f"project {operator}",
        [
            {"limit": 1},
            _project({"name": "x", "key": key, "operator": operator}, exclude_keys=True),
        ],
        [_BY_ID, {"$limit": 1}, {"$project": {"_id": 0, "x": expression}}],
        [{"x": value}],
        nested=True,
    )


PROJECT = [
    StatCase(
        "project keeps the group's keys in the row",
        [BY_STATUS, _project(by("status", "st"), by("n", "cnt")), {"limit": 1}],
        [
            GROUPED_BY_STATUS,
            IN_ORDER_OF_KEYS,
            {"$project": {"st": "$_id.status", "cnt": "$n"}},
            {"$limit": 1},
        ],
        [{"status": "FAILURE", "st": "FAILURE", "cnt": 1}],
    ),
    StatCase(
        "project without the group's keys",
        [BY_STATUS, _project(by("status", "st"), by("n", "cnt"), exclude_keys=True), {"limit": 1}],
        [
            GROUPED_BY_STATUS,
            IN_ORDER_OF_KEYS,
            {"$project": {"_id": 0, "st": "$_id.status", "cnt": "$n"}},
            {"$limit": 1},
        ],
        [{"st": "FAILURE", "cnt": 1}],
    ),
    StatCase(
        "project of jobs keeps _id as text",
        [_project({"k": "job_id", "n": "job"}), {"limit": 1}],
        [_BY_ID, {"$project": {"job": "$job_id"}}, {"$limit": 1}],
        [{"_id": f"{1:024x}", "job": "job-000000000001"}],
    ),
    StatCase(
        "a field wins over a key of the same name",
        [BY_STATUS, _project(by("n", "status")), {"limit": 1}],
        [GROUPED_BY_STATUS, IN_ORDER_OF_KEYS, {"$project": {"status": "$n"}}, {"$limit": 1}],
        [{"status": 1}],
    ),
    _of_list("size", {"$size": "$durations"}, "durations", 3),
    _of_list("sum", {"$sum": "$durations"}, "durations", 6),
    _of_list("array_to_object", {"$arrayToObject": "$pairs"}, "pairs", {"a": 1, "b": 2}),
    _of_list(
        "object_to_array",
        {"$objectToArray": "$info"},
        "info",
        [{"k": "region", "v": "kr"}, {"k": "tier", "v": 1}],
    ),
]

SCOPE_OF_KEYS = [
    StatCase(
        "a group of groups by a key of the first",
        [
            group([by("status", "s"), by("plugin_id", "p")], n=COUNT),
            group(
                [by("p", "plugin")],
                states={"operator": "count"},
                jobs={"operator": "sum", "key": "n"},
            ),
        ],
        [
            {
                "$group": {
                    "_id": {
                        "s": {"$ifNull": ["$status", None]},
                        "p": {"$ifNull": ["$plugin_id", None]},
                    },
                    "n": {"$sum": 1},
                }
            },
            {
                "$group": {
                    "_id": {"plugin": "$_id.p"},
                    "states": {"$sum": 1},
                    "jobs": {"$sum": "$n"},
                }
            },
            IN_ORDER_OF_KEYS,
        ],
        [
            {"plugin": "plugin-x", "states": 3, "jobs": 5},
            {"plugin": "plugin-y", "states": 1, "jobs": 1},
        ],
    ),
    StatCase(
        "a key in conditions, unwind and sort after a group",
        [
            group(
                [by("status", "s")],
                plugins={"operator": "add_to_set", "key": "plugin_id"},
                n=COUNT,
            ),
            {"unwind": {"path": "plugins", "filter": [{"k": "s", "o": "eq", "v": "SUCCESS"}]}},
            {"sort": [{"key": "s"}, {"key": "plugins", "desc": True}]},
        ],
        [
            {
                "$group": {
                    "_id": {"s": "$status"},
                    "plugins": {"$addToSet": "$plugin_id"},
                    "n": {"$sum": 1},
                }
            },
            {"$unwind": "$plugins"},
            {"$match": {"$and": [{"_id.s": "SUCCESS"}]}},
            {"$sort": {"_id.s": 1, "plugins": -1, "_id": 1}},
        ],
        [
            {"s": "SUCCESS", "plugins": "plugin-y", "n": 4},
            {"s": "SUCCESS", "plugins": "plugin-x", "n": 4},
        ],
    ),
    StatCase(
        "names are plain again after a project without the keys",
        [
            BY_STATUS,
            _project(by("n", "status"), exclude_keys=True),
            {"sort": [{"key": "status", "desc": True}]},
        ],
        [
            GROUPED_BY_STATUS,
            {"$project": {"status": "$n"}},
            {"$sort": {"status": -1, "_id": 1}},
            {"$project": {"_id": 0}},
        ],
        [{"status": 4}, {"status": 1}, {"status": 1}],
    ),
    StatCase(
        "a name that is not a key is a plain field",
        [BY_STATUS, {"sort": [{"key": "total_tasks"}]}, {"limit": 1}],
        [GROUPED_BY_STATUS, {"$sort": {"total_tasks": 1, "_id": 1}}, {"$limit": 1}],
        [{"status": "FAILURE", "n": 1}],
    ),
    StatCase(
        "a sort key may be called k",
        [BY_STATUS, {"sort": [{"k": "status", "desc": True}]}, {"limit": 1}],
        [GROUPED_BY_STATUS, {"$sort": {"_id.status": -1, "_id": 1}}, {"$limit": 1}],
        [{"status": "SUCCESS", "n": 4}],
    ),
]

CASES = [*UNWIND, *SLICES, *PROJECT, *SCOPE_OF_KEYS]
