"""The accumulators of a group, as rows of a table, and the group fields that use them.

See docs/query-language.md#accumulators; stat and analyze share them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bson.datetime_ms import DatetimeMS
from pydantic import Field as Member
from pydantic import ValidationInfo, field_validator

from inventory_job.query.conditions import COMPARISONS, Comparison
from inventory_job.query.names import Name, Path, Spelled, Strict, named, repeated
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, missing, raise_any

_PUSHED_DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

# The years 0 to 9999, whose dates MongoDB takes apart and formats.
_FIRST = DatetimeMS(-62_167_219_200_000)
_END = DatetimeMS(253_402_300_800_000)
# The two days before it are in a week of the year before, which %G would show.
_FIRST_WEEK = DatetimeMS(int(_FIRST) + 2 * 24 * 60 * 60 * 1000)


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One accumulator: the MongoDB operator it becomes and what may go with it."""

    name: str
    expression: str
    needs_key: bool = True
    takes_fields: bool = False
    """Whether it may gather documents made of several keys."""
    conditional: bool = False
    """Whether it may look at matching rows only; the others count as 0."""
    of_elements: bool = False
    """Whether it may be applied to the elements of a list first (`data_type: array`)."""
    ordered: bool = False
    """Whether its value depends on the order of the rows."""
    total: str | None = None
    """What makes the total of folded groups from their values, if anything does."""


_TABLE = [
    Accumulator("count", "$sum", needs_key=False, conditional=True, total="$sum"),
    Accumulator("sum", "$sum", conditional=True, of_elements=True, total="$sum"),
    Accumulator("average", "$avg", conditional=True, of_elements=True, total="$avg"),
    Accumulator("max", "$max", of_elements=True, total="$max"),
    Accumulator("min", "$min", of_elements=True, total="$min"),
    Accumulator("first", "$first", of_elements=True, ordered=True),
    Accumulator("last", "$last", of_elements=True, ordered=True),
    Accumulator("push", "$push", takes_fields=True, ordered=True),
    Accumulator("add_to_set", "$addToSet"),
    Accumulator("merge_objects", "$mergeObjects", ordered=True),
]

ACCUMULATORS: Mapping[str, Accumulator] = {row.name: row for row in _TABLE}
"""Every accumulator by name."""

ORDERED = frozenset(row.expression for row in _TABLE if row.ordered)
"""The MongoDB accumulators whose value depends on the order of the rows."""


class Accumulated(Strict):
    """Base of the computed values of a group, which have an `operator`, a `key` and `fields`."""

    named_within: ClassVar[str] = ""
    """What comes before the names of its members in sentences, if the interface fixes them."""

    @field_validator("operator", mode="plain", check_fields=False)
    @classmethod
    def _known(cls, name: Any) -> Accumulator:
        if cls.named_within and not name:
            raise missing(f"{cls.named_within}.operator")
        return named(ACCUMULATORS, name)

    @field_validator("key", check_fields=False)
    @classmethod
    def _key_given(cls, key: str | None, info: ValidationInfo) -> str | None:
        chosen = info.data.get("operator")
        if key is None and chosen and chosen.needs_key and not chosen.takes_fields:
            raise missing(cls.named_within and f"{cls.named_within}.key")
        return key

    @field_validator("fields", check_fields=False)
    @classmethod
    def _fields_fit(cls, fields: Any, info: ValidationInfo) -> Any:
        chosen = info.data.get("operator")
        if chosen is None:
            return fields
        if fields and not chosen.takes_fields:
            raise fault(f"operator {chosen.name} takes a key, not fields")
        if not fields and chosen.takes_fields and info.data.get("key", "") is None:
            raise missing(cls.named_within and f"{cls.named_within}.fields")
        if isinstance(fields, tuple):
            raise_any(repeated(((index,), sub.name) for index, sub in enumerate(fields)))
        return fields


class SubField(Spelled):
    """One member of the documents that push gathers."""

    key: Path
    name: Name


class GroupField(Accumulated, Spelled):
    """One computed value of a group."""

    name: Name
    operator: Accumulator
    key: Path | None = Member(None, validate_default=True)
    fields: tuple[SubField, ...] = Member((), validate_default=True)
    conditions: tuple[Comparison, ...] = ()

    @field_validator("conditions")
    @classmethod
    def _conditions_fit(
        cls, conditions: tuple[Comparison, ...], info: ValidationInfo
    ) -> tuple[Comparison, ...]:
        chosen = info.data.get("operator")
        if conditions and chosen and not chosen.conditional:
            able = ", ".join(row.name for row in _TABLE if row.conditional)
            raise fault(f"operator {chosen.name} takes no conditions; only {able} do")
        return conditions

    def accumulation(self, path: Callable[[str], str]) -> Document:
        """The accumulator, in which rows that fail any of the conditions count as 0; `path` gives
        where a key is in a row."""
        members = {sub.name: path(sub.key) for sub in self.fields}
        value = accumulated(self.operator, self.key and path(self.key), members)
        if self.conditions:
            comparisons = [_compare(each, path(each.key.path)) for each in self.conditions]
            value = {"$cond": [{"$and": comparisons}, value, 0]}
        return {self.operator.expression: value}


def accumulated(chosen: Accumulator, key: str | None, members: Mapping[str, str]) -> Any:
    """What of each row is accumulated: a document of `members`, if there are any, or a value, or 1.

    `key` and the values of `members` (name → path) are paths into the row, without `$`.
    """
    if members:
        return {name: _dates_as_text(f"${path}") for name, path in members.items()}
    return f"${key}" if chosen.needs_key else 1


def when_formattable(date: str, then: Any, date_format: str = "") -> Document:
    """The expression `then` where `date`, a field path with its `$`, is a date of the years 0 to
    9999, or of a type that has one; else null. `date_format`: what `then` writes it in.

    Any other value would end the whole query: it counts under null instead
    (docs/differences.md, W16).
    """
    first = _FIRST_WEEK if "%G" in date_format.replace("%%", "") else _FIRST
    # In MongoDB's order of types only dates lie between two dates.
    is_within = {"$and": [{"$gte": [date, first]}, {"$lt": [date, _END]}]}
    has_date = {"$in": [{"$type": date}, ["objectId", "timestamp"]]}
    return {"$cond": [{"$or": [is_within, has_date]}, then, None]}


def _compare(comparison: Comparison, path: str) -> Document:
    # An absent field is null: an index does not distinguish them, so the answer would depend on
    # those there are.
    compared: Any = {"$ifNull": [f"${path}", None]} if comparison.value is None else f"${path}"
    return {COMPARISONS[comparison.operator.name]: [compared, {"$literal": comparison.value}]}


def _dates_as_text(value: str) -> Document:
    text = {"$dateToString": {"format": _PUSHED_DATE_FORMAT, "date": value}}
    is_date = {"$eq": [{"$type": value}, "date"]}
    return {"$cond": [is_date, when_formattable(value, text), {"$ifNull": [value, None]}]}
