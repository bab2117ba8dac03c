"""Conditions: key, operator, value, checked against each other.

One condition of a filter becomes a `Condition` whose key is a known field, whose operator is a
row of the table and whose value has the type the query needs (docs/query-language.md#filters).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field as Member
from pydantic import PlainValidator, StrictStr, ValidationInfo, field_validator

from inventory_job.errors import Code
from inventory_job.query.fields import Field, FieldType, resolve
from inventory_job.query.names import Path, Spelled, Strict, checked_path, context_of, named
from inventory_job.query.operators import OPERATORS, UNWIND_OPERATORS, Document, Operator
from inventory_job.query.problems import fault

COMPARISONS = {"eq": "$eq", "not": "$ne", "gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
"""The operators of a group field's conditions, and the expressions they become."""

MAX_PAGE = 1000
"""Most rows of one answer, and how many there are when no limit is given."""


def _known_field(value: Any) -> Field:
    if not isinstance(value, str):
        raise fault("string", Code.INVALID_PARAMETER_TYPE)
    if not value:
        raise fault("a key is not empty")
    return resolve(value)


def _row_field(value: Any, info: ValidationInfo) -> Field:
    path = checked_path(value, info)
    return Field(path, path, FieldType.ANY)


KnownField = Annotated[Field, PlainValidator(_known_field)]
"""A field of a job, by its name."""


class Condition(Spelled):
    """One entry of `filter` or `filter_or`. An absent value is null: clients that pass a null
    through a dictionary leave the member out."""

    operators: ClassVar[Mapping[str, Operator]] = OPERATORS
    field_if_bad: ClassVar[Field | None] = None
    """What a value is checked against where the key is refused, if it can be."""

    key: KnownField
    operator: Operator = Member("", validate_default=True)
    value: Any = Member(None, validate_default=True)

    @field_validator("operator", mode="plain")
    @classmethod
    def _applies(cls, name: Any, info: ValidationInfo) -> Operator:
        operator, field = named(cls.operators, name), info.data.get("key")
        if field is not None and field.type not in operator.types:
            wanted = " or ".join(sorted({type_.name.lower() for type_ in operator.types} - {"any"}))
            raise fault(
                f"operator {operator.name} applies to {wanted} fields, "
                f"and {field.name} is {field.type.name.lower()}",
            )
        return operator

    @field_validator("value", mode="plain")
    @classmethod
    def _accept(cls, value: Any, info: ValidationInfo) -> Any:
        field, operator = info.data.get("key", cls.field_if_bad), info.data.get("operator")
        if field is None or operator is None:
            return value
        return operator.accept(field, value, context_of(info).now)

    def emit(self, path: Callable[[str], str] = str) -> Document:
        """The condition as MongoDB's $match takes it; `path` gives where a key is in a row."""
        return self.operator.emit(path(self.key.path), self.value)


class UnwindCondition(Condition):
    """One entry of an unwind's filter: the key is any path in the row, the value is raw."""

    operators = UNWIND_OPERATORS

    key: Annotated[Field, PlainValidator(_row_field)]


class Comparison(UnwindCondition):
    """One entry of a group field's `conditions`, evaluated within the $group."""

    operators: ClassVar[Mapping[str, Operator]] = {name: OPERATORS[name] for name in COMPARISONS}
    field_if_bad = Field("", "", FieldType.ANY)

    operator: Operator


class Sort(Spelled):
    """One key to sort by, most significant first in its list."""

    key: Path
    desc: bool = Member(False, strict=True)


class Page(Strict):
    """A page: `start` counts from 1, `limit` is at most 1000; 0 is the same as absent."""

    start: int = Member(0, strict=True, ge=0)
    limit: int = Member(0, strict=True, ge=0)

    @property
    def skip(self) -> int:
        """Rows before the page."""
        return max(self.start, 1) - 1

    @property
    def size(self) -> int:
        """Rows of the page, at most."""
        return min(self.limit or MAX_PAGE, MAX_PAGE)


class Filtered(Strict):
    """What every query has: which jobs it is about."""

    filter: tuple[Condition, ...] = ()
    filter_or: tuple[Condition, ...] = ()
    keyword: StrictStr = ""
