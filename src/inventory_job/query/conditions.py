"""Conditions: key, operator, value, checked against each other.

One condition of a filter becomes a `Condition` whose key is a known field, whose operator is a
row of the table and whose value has the type the query needs (docs/query-language.md#filters).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field as Member
from pydantic import PlainValidator, StrictStr, field_validator
from pydantic_core.core_schema import ValidationInfo

from inventory_job.errors import Code
from inventory_job.query.fields import Field, resolve, untyped
from inventory_job.query.names import Path, Strict, alias, checked_path, context_of
from inventory_job.query.operators import OPERATORS, UNWIND_OPERATORS, Document, Operator
from inventory_job.query.problems import fault

COMPARISONS = {
    "eq": "$eq",
    "not": "$ne",
    "gt": "$gt",
    "gte": "$gte",
    "lt": "$lt",
    "lte": "$lte",
}
"""The operators of a group field's conditions, and the expressions they become."""


def known_field(value: Any) -> Field:
    """Validator: the name of a job's field → the Field."""
    if not isinstance(value, str):
        raise fault("string", Code.INVALID_PARAMETER_TYPE)
    if not value:
        raise fault("a key is not empty")
    try:
        return resolve(value)
    except LookupError as error:
        raise fault(str(error.args[0])) from None


KnownField = Annotated[Field, PlainValidator(known_field)]


def _row_field(value: Any, info: ValidationInfo) -> Field:
    return untyped(checked_path(value, info))


def choice(name: Any, supported: Any) -> str:
    """Validator: one of the `supported` names; raises a fault that lists them."""
    if not isinstance(name, str):
        raise fault("string", Code.INVALID_PARAMETER_TYPE)
    if name not in supported:
        what = f"unknown operator {name[:40]!r}" if name else "an operator is required"
        raise fault(f"{what}; supported: {', '.join(supported)}")
    return name


def _operator(value: Any) -> Operator:
    return OPERATORS[choice(value, OPERATORS)]


def _unwind_operator(value: Any) -> Operator:
    return OPERATORS[choice(value, UNWIND_OPERATORS)]


class Condition(Strict):
    """One entry of `filter` or `filter_or`. An absent value is null: clients that pass a null
    through a dictionary leave the member out."""

    key: KnownField = Member(validation_alias=alias("key", "k"))
    operator: Annotated[Operator, PlainValidator(_operator)] = Member(
        "", validation_alias=alias("operator", "o"), validate_default=True
    )
    value: Any = Member(None, validation_alias=alias("value", "v"), validate_default=True)

    @field_validator("operator", mode="after")
    @classmethod
    def _applies(cls, operator: Operator, info: ValidationInfo) -> Operator:
        field = info.data.get("key")
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
        field, operator = info.data.get("key"), info.data.get("operator")
        if field is None or operator is None:
            return value
        return operator.accept(field, value, context_of(info).now)

    def emit(self) -> Document:
        """The condition as MongoDB's $match takes it."""
        return self.operator.emit(self.key.path, self.value)


class UnwindCondition(Condition):
    """One entry of an unwind's filter: the key is any path in the row, the value is raw."""

    key: Annotated[Field, PlainValidator(_row_field)] = Member(validation_alias=alias("key", "k"))
    operator: Annotated[Operator, PlainValidator(_unwind_operator)] = Member(
        "", validation_alias=alias("operator", "o"), validate_default=True
    )


class Comparison(Strict):
    """One entry of a group field's `conditions`, evaluated within the $group."""

    key: Path = Member(validation_alias=alias("key", "k"))
    operator: StrictStr = Member(validation_alias=alias("operator", "o"))
    value: Any = Member(None, validation_alias=alias("value", "v"), validate_default=True)

    @field_validator("operator")
    @classmethod
    def _supported(cls, operator: str) -> str:
        return choice(operator, COMPARISONS)

    @field_validator("value", mode="plain")
    @classmethod
    def _single(cls, value: Any, info: ValidationInfo) -> Any:
        operator = info.data.get("operator")
        if operator is None:
            return value
        return OPERATORS[operator].accept(untyped(""), value, context_of(info).now)


class Sort(Strict):
    """One key to sort by, most significant first in its list."""

    key: Path = Member(validation_alias=alias("key", "k"))
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


MAX_PAGE = 1000
"""Most rows of one answer, and how many there are when no limit is given."""


class Unwind(Strict):
    """One row for each element of the list at `path`, then only rows that meet the filter."""

    path: Path
    filter: tuple[UnwindCondition, ...] = ()


class Filtered(Strict):
    """What every query has: which jobs it is about."""

    filter: tuple[Condition, ...] = ()
    filter_or: tuple[Condition, ...] = ()
    keyword: StrictStr = ""
