"""Rows between the stages of a pipeline, with what is known of their order.

Rows are blocks, one after the other. Within a block nothing defines the order; `taken` below the
number of rows means that a limit or a skip left so many of them, whichever they are. Rows in a
defined order are blocks of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import Code

from .filters import Plain, Test, needed
from .values import (
    Bag,
    Document,
    NotEvaluable,
    OrderKey,
    at,
    crosses_array,
    sort_key,
    with_value,
)

MOST_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """Rows in no defined order, of which `taken` are there."""

    rows: tuple[Any, ...]
    taken: int

    @property
    def settled(self) -> bool:
        """Whether it is defined which rows are there and in which order."""
        return self.taken == len(self.rows) <= 1


Rows = tuple[Block, ...]


def unordered(rows: Iterable[Any]) -> Rows:
    """Rows in an order that nothing defines."""
    found = tuple(rows)
    return (Block(found, len(found)),) if found else ()


def in_order(rows: Iterable[Any]) -> Rows:
    """Rows in just this order."""
    return tuple(Block((row,), 1) for row in rows)


def total(rows: Rows) -> int:
    """How many rows there are."""
    return sum(block.taken for block in rows)


def runs(rows: Rows) -> list[list[Any]]:
    """The rows of each block, for a stage that has to know which rows there are."""
    if any(block.taken != len(block.rows) for block in rows):
        raise NotEvaluable("a limit or a skip cuts through rows whose order is undefined")
    return [list(block.rows) for block in rows]


def skip(rows: Rows, count: int) -> Rows:
    """The rows without the first so many."""
    left: list[Block] = []
    for block in rows:
        dropped = min(count, block.taken)
        count -= dropped
        if dropped < block.taken:
            left.append(Block(block.rows, block.taken - dropped))
    return tuple(left)


def limit(rows: Rows, count: int) -> Rows:
    """The first so many rows."""
    left: list[Block] = []
    for block in rows:
        taken = min(count, block.taken)
        count -= taken
        if taken:
            left.append(Block(block.rows, taken))
    return tuple(left)


def page_bounds(page: Plain) -> tuple[int, int]:
    """How many rows a page skips and how many it shows at most."""
    start, size = page.get("start", 0), page.get("limit", 0)
    return max(start, 1) - 1, min(size or MOST_ROWS, MOST_ROWS)


def one_page(rows: Rows, page: Plain) -> Rows:
    """The rows of the page."""
    before, size = page_bounds(page)
    return limit(skip(rows, before), size)


def mapped(rows: Rows, change: Callable[[Any], Any]) -> Rows:
    """Each row changed by itself."""
    return tuple(Block(tuple(change(row) for row in block.rows), block.taken) for block in rows)


def ordered_by(rows: Rows, keys: Sequence[tuple[str, bool]]) -> Rows:
    """The rows sorted by (field path, descending) pairs; ties are in no defined order."""
    found = [row for run in runs(rows) for row in run]
    places = [_sort_place(row, keys) for row in found]
    order = list(range(len(found)))
    for position, (_, down) in reversed(list(enumerate(keys))):
        order.sort(key=lambda n: places[n][position], reverse=down)
    blocks: list[list[int]] = []
    for index in order:
        if blocks and places[blocks[-1][0]] == places[index]:
            blocks[-1].append(index)
        else:
            blocks.append([index])
    return tuple(Block(tuple(found[n] for n in block), len(block)) for block in blocks)


def _sort_place(row: Document, keys: Sequence[tuple[str, bool]]) -> OrderKey:
    if any(crosses_array(row, path) for path, _ in keys):
        raise NotEvaluable("a sort by members of an array's documents")
    values = [at(row, path) for path, _ in keys]
    parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
    if any(isinstance(part, Code) for part in parts):
        raise NotEvaluable("MongoDB sorts code among the texts or behind dates, as its plan has it")
    return tuple(sort_key(value, down) for value, (_, down) in zip(values, keys, strict=True))


def sort_keys(specs: Iterable[Plain], path_of: Callable[[str], str]) -> list[tuple[str, bool]]:
    """(field path, descending) for each entry of a sort."""
    keys = [(path_of(needed(spec, "key", "k")), bool(spec.get("desc", False))) for spec in specs]
    if len({path for path, _ in keys}) < len(keys):
        raise NotEvaluable("a sort that names a key twice")
    return keys


def unwound(rows: Rows, spec: Plain, path_of: Callable[[str], str], passes: Test) -> Rows:
    """One row for each element of the array at the path, those that pass the stage's filter."""
    path = path_of(needed(spec, "path"))
    blocks: list[Block] = []
    for run in runs(rows):
        parts = [_unwound_row(row, path) for row in run]
        kept = [row for part in parts for row in part if passes(row)]
        settled = len(run) <= 1 and not isinstance(_array(run[0], path), Bag)
        blocks.extend(in_order(kept) if settled else unordered(kept))
    return tuple(blocks)


def _array(row: Document, path: str) -> Any:
    return None if crosses_array(row, path) else at(row, path)


def _unwound_row(row: Document, path: str) -> list[Document]:
    value = _array(row, path)
    if isinstance(value, list):
        return [with_value(row, path, item) for item in value]
    return [] if sort_key(value) == sort_key(None) else [row]


def names_of(specs: Iterable[Plain]) -> list[str]:
    """The names that the entries of a stage give, each fit for a member and given once."""
    names = [needed(spec, "name", "n") for spec in specs]
    if len(set(names)) < len(names):
        raise NotEvaluable("a name given twice in one stage")
    for name in names:
        member_name(name)
    return names


def member_name(name: str) -> str:
    """The name, if a row can have a member of that name that the specification speaks of."""
    if not name or name == "_id" or any(sign in name for sign in ".$\0"):
        raise NotEvaluable(f"not a name for a member: {name!r}")
    return name


def key_path(key: str) -> str:
    """The key, if it is a field path."""
    if "$" in key or "\0" in key or not all(key.split(".")):
        raise NotEvaluable(f"not a field path: {key!r}")
    return key
