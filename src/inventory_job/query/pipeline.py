"""Builds an aggregation pipeline stage by stage, and tracks the shape and order of its rows.

After a group its keys are members of `_id`, so a later use of one becomes `_id.<name>`. Where the
order of rows matters and no stage defines it, a sort is inserted: the same request then gets the
same response, and pages do not overlap (docs/differences.md, W12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inventory_job.query.accumulators import ORDERED
from inventory_job.query.operators import Document
from inventory_job.query.rewrites import MOST_SORT_KEYS


@dataclass(frozen=True, slots=True)
class RowShape:
    """The shape of the rows at one point of a pipeline; at its start, that of job documents."""

    keys: frozenset[str] = frozenset()
    """The names of the group keys, which are members of `_id`."""
    identity: tuple[str, ...] = ("_id",)
    """Paths whose values together identify a row; empty if there is at most one row."""
    sets: frozenset[str] = frozenset()
    """Paths of lists made by $addToSet, whose elements have no defined order."""

    def path(self, key: str) -> str:
        """The path in a row of the value that callers name `key`."""
        return f"_id.{key}" if key.split(".", 1)[0] in self.keys else key


class Pipeline:
    """A pipeline under construction: its `stages` so far, and the shape of its `rows`. Callers may
    append to `stages` any stage that keeps the order of the rows and the paths in `rows`."""

    def __init__(self) -> None:
        self.stages: list[Document] = []
        self.rows = RowShape()
        # The current rows are in this order of their paths, or will be once the pending sort is
        # inserted; None if their order cannot be expressed so.
        self._order: dict[str, int] | None = dict.fromkeys(self.rows.identity, 1)
        # The index in `stages` where a sort is missing, and that sort; None if none is missing.
        self._pending_sort: tuple[int, dict[str, int]] | None = (0, self._order)
        # The projections that removed `_id` from the current rows.
        self._id_removals: list[Document] = []

    def project(self, members: Document, rows: RowShape, *, drops_id: bool = False) -> None:
        """Appends a projection to `members` and to `_id`, unless it `drops_id`, which a later
        `sort` can use even so; `rows` is the new shape."""
        stage = {"$project": {"_id": 0, **members} if drops_id else members}
        if drops_id and rows.identity:
            self._id_removals.append(stage)
        if drops_id or (self._order and self._order.keys() != {"_id"}):
            self._order = None
        self.stages.append(stage)
        self.rows = rows

    def make(self, stage: Document, rows: RowShape) -> None:
        """Appends a stage that outputs new rows of the shape `rows`, in no defined order."""
        self._id_removals = []
        self.stages.append(stage)
        self.rows = rows
        self._order = dict.fromkeys(rows.identity, 1)
        self._pending_sort = (len(self.stages), self._order) if self._order else None

    def group(self, keys: Mapping[str, Any], values: Mapping[str, Document]) -> None:
        """Appends a $group; `keys` maps names to expressions, `values` names to accumulators."""
        if any(value.keys() & ORDERED for value in values.values()):
            self.settle()
        identity: tuple[str, ...] = ("_id",) if keys else ()
        sets = frozenset(name for name, value in values.items() if "$addToSet" in value)
        rows = RowShape(frozenset(keys), identity, sets)
        self.make({"$group": {"_id": dict(keys), **values}}, rows)

    def unwind(self, path: str) -> None:
        """Appends a stage that outputs one row for each element of the list at `path`."""
        rows = self.rows
        order = self._order if rows.identity else {}  # A single row needs no sort.
        self.stages.append({"$unwind": f"${path}"})
        # Rows from the same list differ only in the element.
        self.rows = replace(rows, identity=(*rows.identity, path))
        self._order = None
        if order is not None and path in rows.sets and path not in order:
            # The order of the elements differs from run to run, so pages would overlap.
            self._order = {**order, path: 1}
            self._pending_sort = (len(self.stages), self._order)

    def sort(self, keys: Sequence[tuple[str, bool]]) -> None:
        """Appends a sort by (path, descending) pairs, with the identity of the rows as tie-breaker.
        Where `_id` was removed before, it is removed after the sort instead."""
        removals, self._id_removals = self._id_removals, []
        for stage in removals:
            del stage["$project"]["_id"]
        self.stages = [stage for stage in self.stages if stage != {"$project": {}}]
        order: dict[str, int] = {}
        for path, descending in keys:
            order.setdefault(path, -1 if descending else 1)
        # Even a sort by all group keys needs a tie-breaker: different lists may sort as equal.
        for path in self.rows.identity[: MOST_SORT_KEYS - len(order)]:
            order.setdefault(path, 1)
        self.stages.append({"$sort": order})
        self._order, self._pending_sort = order, None
        if removals:
            self.project({}, self.rows, drops_id=True)

    def settle(self) -> None:
        """Inserts the pending sort, if any, right after the stage that left the rows unordered."""
        if self._pending_sort is not None:
            index, order = self._pending_sort
            self.stages.insert(index, {"$sort": dict([*order.items()][:MOST_SORT_KEYS])})
            self._pending_sort = None


def present(paths: Mapping[str, str]) -> dict[str, Any]:
    """The `_id` of a $group by the fields at `paths`, by name; absent fields count as null."""
    if len(paths) == 1:  # For a single key, MongoDB itself treats an absent field as null.
        return {name: f"${path}" for name, path in paths.items()}
    return {name: {"$ifNull": [f"${path}", None]} for name, path in paths.items()}
