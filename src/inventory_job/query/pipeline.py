"""A pipeline under construction, which keeps track of what the rows look like on the way.

After a group its keys live in `_id`, so a later mention of one becomes `_id.<name>`. Rows that come
without a sort are put in order where it matters: the same question then gives the same answer,
and pages do not overlap (docs/differences.md, W12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inventory_job.query.accumulators import ORDERED
from inventory_job.query.operators import Document
from inventory_job.query.rewrites import MOST_SORT_KEYS


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows are at one point of a pipeline; to begin with, job documents."""

    keys: frozenset[str] = frozenset()
    """Names that live in `_id`."""
    identity: tuple[str, ...] = ("_id",)
    """Paths that together distinguish rows; empty where there is one row at most."""
    sets: frozenset[str] = frozenset()
    """Lists whose elements are in no order."""

    def path(self, key: str) -> str:
        """Where `key`, as a caller calls it, is in a row."""
        return f"_id.{key}" if key.split(".", 1)[0] in self.keys else key


class Pipeline:
    """A pipeline under construction: its `stages` so far, to which stages that keep shape and order
    of the rows may be appended, and the shape of its `rows`."""

    def __init__(self) -> None:
        self.stages: list[Document] = []
        self.rows = Rows()
        # What sorts the rows as they are now into the order they have or are to have, if anything
        # does; and where they were last made, in no order, and what sorts them there.
        self._order: dict[str, int] | None = dict.fromkeys(self.rows.identity, 1)
        self._unordered: tuple[int, dict[str, int]] | None = (0, self._order)
        # The stages that take `_id` from the rows as they are now.
        self._dropping: list[Document] = []

    def convert(self, stage: Document, rows: Rows) -> None:
        """Appends a stage that changes the shape of the rows, all but `_id`, and keeps their
        order."""
        if self._order and self._order.keys() != {"_id"}:
            self._order = None
        self.stages.append(stage)
        self.rows = rows

    def drop_id(self, members: Document, rows: Rows) -> None:
        """Appends a projection to `members` without `_id`, which still distinguishes the rows."""
        stage: Document = {"$project": {"_id": 0, **members}}
        self.convert(stage, rows)
        if rows.identity:
            self._order = None
            self._dropping.append(stage)

    def make(self, stage: Document, rows: Rows) -> None:
        """Appends a stage that makes other rows, in no order."""
        self._dropping = []
        self.convert(stage, rows)
        self._order = dict.fromkeys(rows.identity, 1)
        self._unordered = (len(self.stages), self._order) if self._order else None

    def group(self, keys: Mapping[str, Any], values: Mapping[str, Document]) -> None:
        """Appends a group by the expressions `keys`, with the accumulators `values`, both by
        name."""
        if any(value.keys() & ORDERED for value in values.values()):
            self.settle()
        identity: tuple[str, ...] = ("_id",) if keys else ()
        sets = frozenset(name for name, value in values.items() if "$addToSet" in value)
        rows = Rows(frozenset(keys), identity, sets)
        self.make({"$group": {"_id": dict(keys), **values}}, rows)

    def unwind(self, path: str) -> None:
        """Appends a stage that makes a row of each element of the list at `path`."""
        rows = self.rows
        order = self._order if rows.identity else {}  # One row is in every order.
        self.stages.append({"$unwind": f"${path}"})
        # Rows of one list differ in nothing but its element.
        self.rows = replace(rows, identity=(*rows.identity, path))
        self._order = None
        if order is not None and path in rows.sets and path not in order:
            # Each run has the elements in another order, which would make pages overlap.
            self._order = {**order, path: 1}
            self._unordered = (len(self.stages), self._order)

    def sort(self, keys: Sequence[tuple[str, bool]]) -> None:
        """Appends a sort by (path, descending), ties broken by what distinguishes rows; where they
        have lost `_id`, they keep it until they are sorted."""
        dropping, self._dropping = self._dropping, []
        for stage in dropping:
            del stage["$project"]["_id"]
        self.stages = [stage for stage in self.stages if stage != {"$project": {}}]
        order: dict[str, int] = {}
        for path, descending in keys:
            order.setdefault(path, -1 if descending else 1)
        # By all keys of a group, too: two that are lists may sort alike and differ.
        for path in self.rows.identity[: MOST_SORT_KEYS - len(order)]:
            order.setdefault(path, 1)
        self.stages.append({"$sort": order})
        self._order, self._unordered = order, None
        if dropping:
            self.drop_id({}, self.rows)

    def settle(self) -> None:
        """Sees to it that the rows have an order, sorting them where they were last made."""
        if self._unordered is not None:
            index, order = self._unordered
            self.stages.insert(index, {"$sort": dict([*order.items()][:MOST_SORT_KEYS])})
            self._unordered = None


def present(paths: Mapping[str, str]) -> dict[str, Any]:
    """Group keys by name from paths by name, an absent field being in the group of null."""
    if len(paths) == 1:  # MongoDB itself does so when there is one key.
        return {name: f"${path}" for name, path in paths.items()}
    return {name: {"$ifNull": [f"${path}", None]} for name, path in paths.items()}
