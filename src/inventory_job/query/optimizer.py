"""What MongoDB needs beside a pipeline to answer it rightly and at little cost: groups kept apart,
and the index that holds all it reads.

Pure: says what to run and which index to hint, given the indexes that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory_job.query.operators import Document

# Scope and time: an index read for these reads little else. Other conditions may have an index of
# their own that leads to far fewer jobs, which the database knows better.
_PLAIN_CONDITIONS = frozenset({"domain_id", "created_at"})
# What these give is the same whether a field is absent or null.
_BLIND_TO_NULL = frozenset({"$sum", "$min", "$max"})
_GROUPS = frozenset({"$group", "$count"})
_MANY = 2**62
"""Rows; more than there can be, and still so after a skip is added to it."""


@dataclass(frozen=True, slots=True)
class CoveringIndex:
    """An index that there is: its name, the fields in its keys, the domain first, and their
    directions, 1 or -1."""

    name: str
    fields: tuple[str, ...]
    directions: tuple[Any, ...] = ()


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


def covering(
    filter_: Mapping[str, Any], stages: Sequence[Document], indexes: Iterable[CoveringIndex]
) -> str | None:
    """The index to hint for `stages` over the jobs of a filter: when a group at the beginning
    reads nothing but what is in its keys, the one with the fewest."""
    if not stages or stages[0].keys() != {"$group"}:
        return None
    group = stages[0]["$group"]
    conditions = set(_conditions(filter_))
    values = [value for name, value in group.items() if name != "_id"]
    # An index does not tell null from absent, and some accumulators do.
    if not conditions <= _PLAIN_CONDITIONS or not all(map(_is_blind_to_null, values)):
        return None
    fields = conditions | {reference.partition(".")[0] for reference in _references(group)}
    fitting = [index for index in indexes if fields <= set(index.fields)]
    return min(fitting, key=lambda index: len(index.fields)).name if fitting else None


def in_order(
    filter_: Mapping[str, Any], order: Mapping[str, int], indexes: Iterable[CoveringIndex]
) -> str | None:
    """The index to hint that has the jobs of a filter in `order` and holds all that it reads.

    Pages are skipped inside it. The database would choose it as well, but to do so has others
    compete with it until one comes to the page, which takes long when that is deep.
    """
    read = set(_conditions(filter_))
    for index in indexes:
        first = len(index.fields) - len(order)
        is_ordered = (
            index.fields[first:] == tuple(order)
            and index.directions[first:] == tuple(order.values())
            # At the top there is the scope alone, which names single values.
            and filter_.keys() >= set(index.fields[:first])
        )
        if is_ordered and read <= set(index.fields):
            return index.name
    return None


def _is_blind_to_null(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= _BLIND_TO_NULL


def _conditions(filter_: Mapping[str, Any]) -> Iterator[str]:
    """The fields that a filter names; operators that are no field's by their own name."""
    for name, condition in filter_.items():
        if name in {"$and", "$or", "$nor"}:
            for member in condition:
                yield from _conditions(member)
        else:
            yield name


def _references(value: Any) -> Iterator[str]:
    """The paths that an expression reads; what is no path of a job by its whole text."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name != "$literal":
                yield from _references(member)
    elif isinstance(value, list):
        for member in value:
            yield from _references(member)
    elif isinstance(value, str) and value.startswith("$"):
        yield value[1:]
