"""Rewrites pipelines that MongoDB answers wrongly (several groups in a row) or refuses (a sort
where more than one key of a row is a list) to equivalent ones that it answers correctly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from inventory_job.query.operators import Document

_GROUPS = frozenset({"$group", "$count"})
_MANY = 2**62
"""A limit above any number of rows, low enough that MongoDB can add a skip to it."""

MOST_SORT_KEYS = 32
"""MongoDB's limit on the number of keys in one sort."""


def separate_groups(stages: Sequence[Document]) -> list[Document]:
    """`stages`, with a `$limit` that no number of rows reaches inserted after the first group
    (`$group` or `$count`) if another group follows.

    MongoDB 6.0 runs the leading groups of a pipeline in its slot-based execution engine, up to the
    first stage that this engine does not support, and answers three groups in a row wrongly.
    `$limit` is such a stage, and the cheapest: it neither buffers nor compares rows.
    """
    groups = [number for number, stage in enumerate(stages) if stage.keys() & _GROUPS]
    if len(groups) < 2:
        return list(stages)
    after_first = groups[0] + 1
    return [*stages[:after_first], {"$limit": _MANY}, *stages[after_first:]]


def by_one_of_each_list(stages: Iterable[Document]) -> list[Document]:
    """`stages`, where each sort by several keys compares one element in place of a list: the least,
    or the greatest if descending, as MongoDB itself does in a sort by a single key."""
    rewritten: list[Document] = []
    for stage in stages:
        order = stage.get("$sort", {})
        if len(order) < 2:
            rewritten.append(stage)
            continue
        names = {path: f"k{number}" for number, path in enumerate(order)}
        keys = {name: _sort_key(f"${path}", order[path]) for path, name in names.items()}
        by = {f"keys.{name}": order[path] for path, name in names.items()}
        if len(by) < MOST_SORT_KEYS:
            # The tie-breaker: different lists may sort as equal.
            by["row._id"] = 1
        rewritten += [
            {"$replaceRoot": {"newRoot": {"row": "$$ROOT", "keys": keys}}},
            {"$sort": by},
            {"$replaceRoot": {"newRoot": "$row"}},
        ]
    return rewritten


def _sort_key(value: str, direction: int) -> Document:
    """The sort key of `value`: a rank (0: MinKey, 1: an empty list, 2: all else), then a value."""
    better = {"$lt" if direction > 0 else "$gt": ["$$this", "$$value"]}
    best = {
        "$reduce": {
            "input": "$$stored",
            "initialValue": {"$first": "$$stored"},
            "in": {"$cond": [better, "$$this", "$$value"]},
        }
    }
    one: Any = {"$ifNull": [{"$cond": [{"$isArray": "$$stored"}, best, "$$stored"]}, None]}
    rank = {
        "$switch": {
            "branches": [
                {"case": {"$eq": ["$$stored", []]}, "then": 1},
                {"case": {"$lt": ["$$one", None]}, "then": 0},
            ],
            "default": 2,
        }
    }
    ranked = {"$let": {"vars": {"one": one}, "in": {"rank": rank, "value": "$$one"}}}
    return {"$let": {"vars": {"stored": value}, "in": ranked}}
