"""The stages of a stat's aggregate, as a caller writes them (docs/query-language.md#stages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field as Member
from pydantic import StrictStr, field_validator, model_validator

from inventory_job.query.accumulators import GroupField
from inventory_job.query.conditions import Sort, Unwind
from inventory_job.query.names import DateFormat, KeyName, Name, Path, Strict, alias, repeated
from inventory_job.query.problems import fault, missing, raise_any

PROJECTIONS: Mapping[str, str] = {
    "size": "$size",
    "sum": "$sum",
    "array_to_object": "$arrayToObject",
    "object_to_array": "$objectToArray",
}
"""The operators of a project field, and the expressions they become."""

_NEED_NESTED_FIELDS = frozenset({"add", "subtract", "multiply", "divide"})


class GroupKey(Strict):
    """One key of a group: a field of the row, or a part or text of a date."""

    key: Path = Member(validation_alias=alias("key", "k"))
    name: KeyName = Member(validation_alias=alias("name", "n"))
    date_format: DateFormat = ""


class Group(Strict):
    """One row for each combination of keys; without keys, one row over all."""

    keys: tuple[GroupKey, ...] = ()
    fields: tuple[GroupField, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if not self.keys and not self.fields:
            raise missing("aggregate.group.keys or fields")
        raise_any(
            repeated(
                [(("keys", index), key.name) for index, key in enumerate(self.keys)]
                + [(("fields", index), field.name) for index, field in enumerate(self.fields)]
            )
        )
        return self


class Count(Strict):
    """One row with the number of rows; none when there are none."""

    name: Name


class ProjectField(Strict):
    """One member of the projected rows: a copy, or one computed from a list or document."""

    name: Name = Member(validation_alias=alias("name", "n"))
    key: Path = Member(validation_alias=alias("key", "k"))
    operator: StrictStr = Member("", validation_alias=alias("operator", "o"))

    @field_validator("operator")
    @classmethod
    def _known(cls, operator: str) -> str:
        if not operator or operator in PROJECTIONS:
            return operator
        reason = f"unknown operator {operator[:40]!r}; supported: {', '.join(PROJECTIONS)}"
        if operator in _NEED_NESTED_FIELDS:
            reason = f"operator {operator} needs fields, which a project has not; use analyze"
        raise fault(reason)


class Project(Strict):
    """Rows with only these fields and, unless excluded, their group keys."""

    fields: tuple[ProjectField, ...] = ()
    exclude_keys: bool = Member(False, strict=True)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if not self.fields and not self.exclude_keys:
            raise missing("aggregate.project.fields")
        raise_any(
            repeated((("fields", index), field.name) for index, field in enumerate(self.fields))
        )
        return self


class Stage(Strict):
    """One entry of `aggregate`: exactly one of its members is given."""

    unwind: Unwind | None = None
    group: Group | None = None
    count: Count | None = None
    sort: tuple[Sort, ...] | None = None
    project: Project | None = None
    limit: int | None = Member(None, strict=True, gt=0)
    skip: int | None = Member(None, strict=True, ge=0)

    @field_validator("sort")
    @classmethod
    def _sorted_by_something(cls, sort: tuple[Sort, ...] | None) -> tuple[Sort, ...] | None:
        if sort is not None and not sort:
            raise missing("aggregate.sort")
        return sort

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise fault(f"a stage is exactly one of {kinds}")
        return self
