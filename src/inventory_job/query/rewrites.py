"""Pipelines that MongoDB answers wrongly or refuses, as others that it answers: groups kept apart,
and sorts by several keys where a row has lists in more than one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from inventory_job.query.operators import Document

_GROUPS = frozenset({"$group", "$count"})
_MANY = 2**62
"""Rows; more than there can be, and still so after a skip is added to it."""

MOST_SORT_KEYS = 32
"""MongoDB's own limit."""

_ROW, _KEYS = "row", "keys"


def separate_groups(stages: Sequence[Document]) -> list[Document]:
    """The same stages, with a limit that leaves out nothing between the first group (`$group` or
    `$count`) and the next.

    MongoDB 6.0 runs groups at the beginning of a pipeline in another engine than the rest, up to
    the first stage that this engine does not have, and answers three on end wrongly. A limit is
    such a stage, and the cheapest: it neither holds rows nor compares them.
    """
    groups = [number for number, stage in enumerate(stages) if stage.keys() & _GROUPS]
    if len(groups) < 2:
        return list(stages)
    after_first = groups[0] + 1
    return [*stages[:after_first], {"$limit": _MANY}, *stages[after_first:]]


def by_one_of_each_list(stages: Iterable[Document]) -> list[Document]:
    """The same stages, a sort by several keys having one value instead of each list: what
    MongoDB itself takes in a sort by a single key, the least, or the greatest for descending."""
    return [other for stage in stages for other in _spread(stage)]


def _spread(stage: Document) -> Iterator[Document]:
    order = stage.get("$sort", {})
    if len(order) < 2:
        yield stage
        return
    names = {path: f"k{number}" for number, path in enumerate(order)}
    keys = {name: _place(f"${path}", order[path]) for path, name in names.items()}
    yield {"$replaceRoot": {"newRoot": {_ROW: "$$ROOT", _KEYS: keys}}}
    by = {f"{_KEYS}.{name}": order[path] for path, name in names.items()}
    if len(by) < MOST_SORT_KEYS:
        # Lists that are not equal may sort alike.
        by[f"{_ROW}._id"] = 1
    yield {"$sort": by}
    yield {"$replaceRoot": {"newRoot": f"${_ROW}"}}


def _place(value: str, direction: int) -> Document:
    """Where a value sorts: MinKey, then an empty list, then all others by their value."""
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
