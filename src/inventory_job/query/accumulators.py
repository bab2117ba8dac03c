"""The accumulators of a group, as rows of a table, and the group fields that use them.

See docs/query-language.md#accumulators; stat and analyze share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field as Member
from pydantic import PlainValidator, ValidationInfo, field_validator

from inventory_job.query.conditions import COMPARISONS, Comparison, choice
from inventory_job.query.dates import when_formattable
from inventory_job.query.names import Name, Path, Strict, alias, repeated
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, missing, raise_any

_PUSHED_DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


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


def accumulator(name: Any) -> Accumulator:
    """Validator: the name of an accumulator → the Accumulator."""
    return ACCUMULATORS[choice(name, ACCUMULATORS)]


def check_key(chosen: Accumulator | None, key: str | None, path: str | None = None) -> None:
    """Validator: whether an accumulator, if a good one was chosen, may have this key.

    `path` is what the sentence calls the key when the interface fixes that. Raises a fault.
    """
    if key is None and chosen and chosen.needs_key and not chosen.takes_fields:
        raise missing(path)


def check_fields(
    chosen: Accumulator | None, key: str | None, names: list[str], path: str | None = None
) -> None:
    """Validator: whether it may gather documents with these member `names`. Raises faults."""
    if chosen is None:
        return
    if not chosen.takes_fields and names:
        raise fault(f"operator {chosen.name} takes a key, not fields")
    if chosen.takes_fields and key is None and not names:
        raise missing(path)
    raise_any(repeated(((index,), name) for index, name in enumerate(names)))


class SubField(Strict):
    """One member of the documents that push gathers."""

    key: Path = Member(validation_alias=alias("key", "k"))
    name: Name = Member(validation_alias=alias("name", "n"))


class GroupField(Strict):
    """One computed value of a group."""

    name: Name = Member(validation_alias=alias("name", "n"))
    operator: Annotated[Accumulator, PlainValidator(accumulator)] = Member(
        validation_alias=alias("operator", "o")
    )
    key: Path | None = Member(None, validation_alias=alias("key", "k"), validate_default=True)
    fields: tuple[SubField, ...] = Member((), validate_default=True)
    conditions: tuple[Comparison, ...] = ()

    @field_validator("key")
    @classmethod
    def _key_given(cls, key: str | None, info: ValidationInfo) -> str | None:
        check_key(info.data.get("operator"), key)
        return key

    @field_validator("fields")
    @classmethod
    def _fields_fit(
        cls, fields: tuple[SubField, ...], info: ValidationInfo
    ) -> tuple[SubField, ...]:
        names = [sub.name for sub in fields]
        check_fields(info.data.get("operator"), info.data.get("key", ""), names)
        return fields

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


def accumulation(
    chosen: Accumulator,
    key: str | None,
    members: Mapping[str, str],
    *,
    of_elements: bool = False,
    comparisons: Sequence[Document] = (),
) -> Document:
    """The accumulator over what is accumulated for each row: 1, a value, a list's own accumulation
    (`of_elements`) or a document; rows that fail any of `comparisons` count as 0.

    `key` and the values of `members` (name → path) are paths into the row, without `$`.
    """
    value: Any = f"${key}" if chosen.needs_key else 1
    if members:
        value = {name: _dates_as_text(f"${path}") for name, path in members.items()}
    elif of_elements:
        value = {chosen.expression: value}
    if comparisons:
        value = {"$cond": [{"$and": [*comparisons]}, value, 0]}
    return {chosen.expression: value}


def compare(comparison: Comparison, path: str) -> Document:
    """The comparison as an expression over the row; its value stays a literal. An absent field is
    null: an index does not distinguish them, so the answer would depend on those there are.
    """
    compared: Any = {"$ifNull": [f"${path}", None]} if comparison.value is None else f"${path}"
    return {COMPARISONS[comparison.operator]: [compared, {"$literal": comparison.value}]}


def _dates_as_text(value: str) -> Document:
    text = {"$dateToString": {"format": _PUSHED_DATE_FORMAT, "date": value}}
    is_date = {"$eq": [{"$type": value}, "date"]}
    return {"$cond": [is_date, when_formattable(value, text), {"$ifNull": [value, None]}]}
