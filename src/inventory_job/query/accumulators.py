"""The table of accumulators, which stat and analyze share, and the group fields of a stat.

See docs/query-language.md#accumulators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bson.datetime_ms import DatetimeMS
from pydantic import Field as Member
from pydantic import ValidationInfo, field_validator

from inventory_job.query.filters import Comparison
from inventory_job.query.names import Name, Path, Spelled, Strict, named, repeated
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, missing, raise_any

_PUSHED_DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

# The first date and the end of the years 0 to 9999, which MongoDB's date operators support.
_FIRST = DatetimeMS(-62_167_219_200_000)
_END = DatetimeMS(253_402_300_800_000)
# %G shows the year of the ISO week, and January 1 and 2 of year 0 are in a week of year -1.
_FIRST_WEEK = DatetimeMS(int(_FIRST) + 2 * 24 * 60 * 60 * 1000)


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One accumulator: the MongoDB operator that it becomes, and the parameters it accepts."""

    name: str
    expression: str
    needs_key: bool = True
    takes_fields: bool = False
    """Whether it accepts `fields` in place of a key, and then collects documents of these."""
    conditional: bool = False
    """Whether it accepts conditions; rows that do not meet them count as 0."""
    of_elements: bool = False
    """Whether it can first be applied to the elements of each list (`data_type: array`)."""
    ordered: bool = False
    """Whether its value depends on the order of the rows."""
    total: str | None = None
    """The accumulator that makes the total of a folded field from its values, if there is one."""


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
    """Base class of the computed values of a group, which have `operator`, `key` and `fields`."""

    named_within: ClassVar[str] = ""
    """The prefix of its members' names in error messages, where the API fixes those names."""

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
    """One member of the documents that push collects."""

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
        """The accumulator for the $group, where rows that fail a condition count as 0. `path` maps
        a key to its path in a row."""
        members = {sub.name: path(sub.key) for sub in self.fields}
        value = accumulated(self.operator, self.key and path(self.key), members)
        if self.conditions:
            comparisons = [_compare(each, path(each.key.path)) for each in self.conditions]
            value = {"$cond": [{"$and": comparisons}, value, 0]}
        return {self.operator.expression: value}


def accumulated(chosen: Accumulator, key: str | None, members: Mapping[str, str]) -> Any:
    """The operand of an accumulator: a document of `members`, the value at `key`, or 1 (count).

    `key` and the values of `members` (name → path) are paths into the row, without `$`.
    """
    if members:
        return {name: _dates_as_text(f"${path}") for name, path in members.items()}
    return f"${key}" if chosen.needs_key else 1


def when_formattable(date: str, then: Any, date_format: str = "") -> Document:
    """The expression `then` if the field `date` (a path with `$`) holds a date of the years 0 to
    9999, an ObjectId or a timestamp; else null. `date_format` is the format in `then`, if any.

    For any other value `then` would fail the whole query, so null takes its place
    (docs/differences.md, W16).
    """
    first = _FIRST_WEEK if "%G" in date_format.replace("%%", "") else _FIRST
    # MongoDB orders values by type first, so only dates lie between two dates.
    is_within = {"$and": [{"$gte": [date, first]}, {"$lt": [date, _END]}]}
    has_date = {"$in": [{"$type": date}, ["objectId", "timestamp"]]}
    return {"$cond": [{"$or": [is_within, has_date]}, then, None]}


def _compare(comparison: Comparison, path: str) -> Document:
    # Treat an absent field as null. MongoDB's indexes do not distinguish the two, so otherwise
    # the result would depend on which indexes exist.
    compared: Any = {"$ifNull": [f"${path}", None]} if comparison.value is None else f"${path}"
    return {comparison.operator.symbol or "$eq": [compared, {"$literal": comparison.value}]}


def _dates_as_text(value: str) -> Document:
    text = {"$dateToString": {"format": _PUSHED_DATE_FORMAT, "date": value}}
    is_date = {"$eq": [{"$type": value}, "date"]}
    return {"$cond": [is_date, when_formattable(value, text), {"$ifNull": [value, None]}]}
