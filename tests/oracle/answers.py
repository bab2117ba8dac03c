"""What the oracle answers, and whether an actual answer is one that the specification allows."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .rows import Block, Rows, mapped, total
from .values import ABSENT, AnyOf, Bag, SomeText, plain

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """The answer to a list: plain dictionaries of all JobInfo fields, in just this order."""

    total_count: int
    jobs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _RowsAnswer:
    """`rows` are as they read in a Struct; see `results` and `mismatch`."""

    rows: Rows

    @property
    def results(self) -> list[Any]:
        """One list of rows that the specification allows."""
        return [_settled(row) for block in self.rows for row in block.rows[: block.taken]]

    @property
    def ordered(self) -> bool:
        """Whether the order of the rows is defined throughout."""
        return all(block.settled for block in self.rows)


@dataclass(frozen=True, slots=True)
class StatAnswer(_RowsAnswer):
    """The answer to a stat."""

    total_count: int

    def plain(self) -> dict[str, Any]:
        """One allowed answer, in the shape of the response."""
        return {"results": self.results, "total_count": self.total_count}

    def mismatch(self, actual: Mapping[str, Any]) -> str | None:
        """What is wrong with an actual response, or None when it is allowed."""
        return _rest_mismatch(actual, "total_count", self.total_count) or rows_mismatch(
            self.rows, actual.get("results", [])
        )


@dataclass(frozen=True, slots=True)
class AnalyzeAnswer(_RowsAnswer):
    """The answer to an analyze."""

    more: bool

    def plain(self) -> dict[str, Any]:
        """One allowed answer, in the shape of the response."""
        return {"results": self.results, "more": self.more}

    def mismatch(self, actual: Mapping[str, Any]) -> str | None:
        """What is wrong with an actual response, or None when it is allowed."""
        return _rest_mismatch(actual, "more", self.more) or rows_mismatch(
            self.rows, actual.get("results", [])
        )


def shown(rows: Rows) -> Rows:
    """The rows as they read in a Struct, the members of a document `_id` beside the fields."""
    return mapped(rows, lambda row: plain(_flattened(row)))


def _flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    row_id = row.get("_id")
    if not isinstance(row_id, Mapping):
        return dict(row)
    return {**row_id, **{name: value for name, value in row.items() if name != "_id"}}


def same_rows(expected: _RowsAnswer, actual: Sequence[Any]) -> bool:
    """Whether the rows are ones that the answer allows, in an order that it allows."""
    return rows_mismatch(expected.rows, actual) is None


def rows_mismatch(expected: Rows, actual: Sequence[Any]) -> str | None:
    """The first difference that the specification does not leave open, or None."""
    if total(expected) != len(actual):
        return f"{len(actual)} rows instead of {total(expected)}: {list(actual)!r}"
    start = 0
    for block in expected:
        found = actual[start : start + block.taken]
        if not _matched(block.rows, found):
            return f"from row {start}: {list(found)!r}, expected {_described(block)}"
        start += block.taken
    return None


def accepts(expected: Any, actual: Any) -> bool:
    """Whether an actual value is one that the expected one allows."""
    if isinstance(expected, AnyOf):
        return any(accepts(one, actual) for one in expected.candidates if one is not ABSENT)
    if isinstance(expected, SomeText):
        return isinstance(actual, str)
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and _members_accept(expected, actual)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(expected) != len(actual):
            return False
        if isinstance(expected, Bag):
            return _matched(expected, actual)
        return all(accepts(e, a) for e, a in zip(expected, actual, strict=True))
    if isinstance(expected, float):
        is_number = isinstance(actual, (int, float)) and not isinstance(actual, bool)
        return is_number and math.isclose(expected, actual, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return type(expected) is type(actual) and bool(expected == actual)


def _members_accept(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> bool:
    needed = {name for name, value in expected.items() if not _may_be_absent(value)}
    return needed <= set(actual) <= set(expected) and all(
        accepts(expected[name], value) for name, value in actual.items()
    )


def _may_be_absent(value: Any) -> bool:
    return isinstance(value, AnyOf) and ABSENT in value.candidates


def _matched(expected: Sequence[Any], actual: Sequence[Any]) -> bool:
    """Whether each actual value can be paired with an expected one of its own."""
    expected, actual = _unpaired(expected, actual)
    owner: dict[int, int] = {}

    def pair(number: int, tried: set[int]) -> bool:
        for index, candidate in enumerate(expected):
            if index in tried or not accepts(candidate, actual[number]):
                continue
            tried.add(index)
            if index not in owner or pair(owner[index], tried):
                owner[index] = number
                return True
        return False

    return all(pair(number, set()) for number in range(len(actual)))


def _unpaired(expected: Sequence[Any], actual: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Both without what is the same to the letter, which is nearly all."""
    left, right = ([_letters(value) for value in values] for values in (expected, actual))
    same = Counter(left) & Counter(right)
    return _without(expected, left, same), _without(actual, right, same)


def _without(values: Sequence[Any], letters: list[str], same: Counter[str]) -> list[Any]:
    spare = Counter(same)
    kept = []
    for value, text in zip(values, letters, strict=True):
        if spare[text] > 0:
            spare[text] -= 1
        else:
            kept.append(value)
    return kept


def _letters(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _settled(value: Any) -> Any:
    """The value with one of each choice made."""
    if isinstance(value, AnyOf):
        return _settled(value.candidates[0])
    if isinstance(value, Mapping):
        settled = {name: _settled(member) for name, member in value.items()}
        return {name: member for name, member in settled.items() if member is not ABSENT}
    if isinstance(value, list):
        return [_settled(item) for item in value]
    return value


def _rest_mismatch(actual: Mapping[str, Any], name: str, expected: Any) -> str | None:
    if set(actual) <= {"results", name} and actual.get(name) == expected:
        return None
    return f"{name} should be {expected!r}: {dict(actual)!r}"


def _described(block: Block) -> str:
    rows = list(block.rows)
    return repr(rows) if block.settled else f"{block.taken} in any order out of {rows!r}"
