"""The same answers at less cost: cheaper forms of pipelines, and indexes that hold all they read.

Pure: says what to run and which index to hint, given the indexes that there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory_job.query.operators import Document

# Scope and time: an index read for these reads little else. Other conditions may have an index of
# their own that leads to far fewer jobs, which the database knows better.
_PLAIN_CONDITIONS = frozenset({"domain_id", "created_at"})
# What these give is the same from parts, and the same whether a field is absent or null.
_MERGED_BY = {"$sum": "$sum", "$min": "$min", "$max": "$max"}
_REFERENCE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_.]*")
_NEARLY_UNIQUE = frozenset({"$job_id", "$_id", "$created_at", "$updated_at", "$finished_at"})


@dataclass(frozen=True, slots=True)
class CoveringIndex:
    """An index that there is: its name, the fields in its keys, the domain first, and their
    directions, 1 or -1."""

    name: str
    fields: tuple[str, ...]
    directions: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuned:
    """A pipeline after its filter, and the name of the index to read, if one is to be hinted."""

    stages: tuple[Document, ...]
    hint: str | None = None


def tune(
    filter_: Mapping[str, Any], stages: Sequence[Document], indexes: Iterable[CoveringIndex] = ()
) -> Tuned:
    """What to run in the place of `stages` over the jobs of a filter: its answers are the same.

    An index is hinted when a group at the beginning reads nothing but what is in its keys.
    """
    if not stages or stages[0].keys() != {"$group"}:
        return Tuned(tuple(stages))
    group = stages[0]["$group"]
    hint = _covering(filter_, group, indexes)
    return Tuned((*_in_two_steps(group), *stages[1:]), hint)


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


def _in_two_steps(group: Document) -> tuple[Document, ...]:
    """A group whose keys take absent for null, as one that does not and one that merges the few
    groups which then are one too many: asking of every job whether a field is there is dear."""
    keys = group["_id"]
    plain = {name: _unwrapped(key) for name, key in keys.items()} if isinstance(keys, dict) else {}
    if None in plain.values() or not plain or _NEARLY_UNIQUE & set(plain.values()):
        return ({"$group": group},)
    fields = {name: value for name, value in group.items() if name != "_id"}
    if not all(_is_mergeable(value) for value in fields.values()):
        return ({"$group": group},)
    merged = {
        name: {_MERGED_BY[operator]: f"${name}"}
        for name, value in fields.items()
        for operator in value
    }
    again = {name: {"$ifNull": [f"$_id.{name}", None]} for name in keys}
    return ({"$group": {"_id": plain, **fields}}, {"$group": {"_id": again, **merged}})


def _unwrapped(key: Any) -> str | None:
    """The field of a key that takes absent for null; None for any other key."""
    if isinstance(key, dict) and key.keys() == {"$ifNull"}:
        field, instead = key["$ifNull"]
        if instead is None and isinstance(field, str) and _REFERENCE.fullmatch(field):
            return field
    return None


def _is_mergeable(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= _MERGED_BY.keys()


def _covering(
    filter_: Mapping[str, Any], group: Document, indexes: Iterable[CoveringIndex]
) -> str | None:
    """The index with the fewest fields that holds all that is read."""
    conditions = set(_conditions(filter_))
    values = [value for name, value in group.items() if name != "_id"]
    # An index does not tell null from absent, and some accumulators do.
    if not conditions <= _PLAIN_CONDITIONS or not all(map(_is_mergeable, values)):
        return None
    fields = conditions | {reference.partition(".")[0] for reference in _references(group)}
    fitting = [index for index in indexes if fields <= set(index.fields)]
    return min(fitting, key=lambda index: len(index.fields)).name if fitting else None


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
