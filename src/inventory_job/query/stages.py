"""The query model of a stat, and the models of stages with what each adds to a pipeline.

See docs/query-language.md#stages and, for Lookup, docs/query-language.md#lookup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field as Member
from pydantic import (
    StrictStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from inventory_job.auth.scope import Scope
from inventory_job.errors import PermissionDenied
from inventory_job.query.accumulators import GroupField, when_formattable
from inventory_job.query.filters import Filtered, Page, Sort, UnwindCondition, scope_conditions
from inventory_job.query.names import KeyName, Name, Path, Spelled, Strict, named, repeated
from inventory_job.query.operators import Document
from inventory_job.query.pipeline import Pipeline, RowShape, present
from inventory_job.query.problems import fault, missing, path_of, raise_any

PROJECTIONS: Mapping[str, str] = {
    "size": "$size",
    "sum": "$sum",
    "array_to_object": "$arrayToObject",
    "object_to_array": "$objectToArray",
}
"""The operators of a project field, and the MongoDB expressions they become."""

_NEED_NESTED_FIELDS = frozenset({"add", "subtract", "multiply", "divide"})
_DATE_PARTS = {"year": "$year", "month": "$month", "day": "$dayOfMonth"}
# The formats that $dateToString supports in MongoDB 4.4 to 6.0.
_DATE_FORMAT = re.compile(r"(?:[^%\0]|%[dGHjLmMSwuUVYzZ%])+")


class Lookup(Strict):
    """The tasks of each job as a list, joined by equality of two plain fields."""

    from_: Annotated[str, Member(alias="from", pattern="^job_task$")]
    local_field: Path = Member(alias="localField")
    foreign_field: Path = Member(alias="foreignField")
    as_: Name = Member(alias="as")

    def stage(self, scope: Scope) -> Document:
        """The stage; it joins only tasks in the caller's scope."""
        return {
            "$lookup": {
                "from": self.from_,
                "localField": self.local_field,
                "foreignField": self.foreign_field,
                "pipeline": [{"$match": scope_conditions(scope)}],
                "as": self.as_,
            }
        }


def _only_allowed(given: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    try:
        return parse(given)
    except ValidationError as error:
        [refused, *_] = error.errors(include_url=False, include_input=False)
    raise PermissionDenied(
        "A lookup is allowed in this form alone: {from: job_task, localField, foreignField, as}, "
        "between plain fields.",
        path_of(("query", "lookup", *refused["loc"][:1])),
    )


Lookups = Annotated[tuple[Lookup, ...], WrapValidator(_only_allowed)]
"""The lookups of a query; no other join is allowed."""


class Unwind(Strict):
    """One row for each element of the list at `path`, without the rows that fail the filter."""

    path: Path
    filter: tuple[UnwindCondition, ...] = ()

    def add_to(self, pipeline: Pipeline) -> None:
        """Adds the stages."""
        pipeline.unwind(pipeline.rows.path(self.path))
        if self.filter:
            conditions = [condition.emit(pipeline.rows.path) for condition in self.filter]
            pipeline.stages.append({"$match": {"$and": conditions}})


class GroupBy(Spelled):
    """A key to group by, and its name in the response."""

    key: Path
    name: KeyName


class GroupKey(GroupBy):
    """One key of a group: a field of the row, or a part or text of a date."""

    date_format: StrictStr = ""
    """`year`, `month`, `day` or a format of $dateToString; empty for the value as it is."""

    @field_validator("date_format")
    @classmethod
    def _understood(cls, written: str) -> str:
        if written in _DATE_PARTS or not written or _DATE_FORMAT.fullmatch(written):
            return written
        raise fault(
            "a date format is year, month, day or made of %d %G %H %j %L %m %M %S %u %U %V %w %Y "
            "%z %Z %% and other text"
        )

    def of_date(self, rows: RowShape) -> Document:
        """The expression for the part or text of the date."""
        date = f"${rows.path(self.key)}"
        if self.date_format in _DATE_PARTS:
            return when_formattable(date, {_DATE_PARTS[self.date_format]: date})
        written: Any = self.date_format
        if self.date_format.startswith("$"):  # MongoDB would read it as a field path.
            written = {"$literal": written}
        text = {"$dateToString": {"format": written, "date": date}}
        return when_formattable(date, text, self.date_format)


class Group(Strict):
    """One row for each combination of keys; without keys, one row for all rows together."""

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

    def add_to(self, pipeline: Pipeline) -> None:
        """Adds the stage."""
        rows = pipeline.rows
        keys = present({key.name: rows.path(key.key) for key in self.keys})
        keys |= {key.name: key.of_date(rows) for key in self.keys if key.date_format}
        pipeline.group(keys, {field.name: field.accumulation(rows.path) for field in self.fields})


class Count(Strict):
    """One row with the number of rows; no row if that is 0."""

    name: Name

    def add_to(self, pipeline: Pipeline) -> None:
        """Adds the stage."""
        pipeline.make({"$count": self.name}, RowShape(identity=()))


class ProjectField(Spelled):
    """One member of the projected rows: a copy of a value, or computed from a list or document."""

    name: Name
    key: Path
    operator: StrictStr = ""
    """Once validated, the MongoDB expression; empty for a copy."""

    @field_validator("operator")
    @classmethod
    def _known(cls, operator: str) -> str:
        if operator in _NEED_NESTED_FIELDS:
            raise fault(f"operator {operator} needs fields, which a project has not; use analyze")
        return named(PROJECTIONS, operator) if operator else ""


class Project(Strict):
    """Rows with these fields only, and with their group keys unless `exclude_keys` is set."""

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

    def add_to(self, pipeline: Pipeline) -> None:
        """Adds the stage."""
        rows = pipeline.rows
        members: Document = {}
        identity = [path for path in rows.identity if path == "_id"]
        unwound = tuple(f"{path}." for path in rows.identity if path != "_id")
        sets = set()
        for field in self.fields:
            path = rows.path(field.key)
            members[field.name] = {field.operator: f"${path}"} if field.operator else f"${path}"
            if f"{path}.".startswith(unwound):
                identity.append(field.name)
            if path in rows.sets and not field.operator:
                sets.add(field.name)
        keys = frozenset[str]() if self.exclude_keys else rows.keys
        projected = RowShape(keys, tuple(identity), frozenset(sets))
        pipeline.project(members, projected, drops_id=self.exclude_keys)


class Stage(Strict):
    """One entry of `aggregate`: exactly one of its members is given."""

    unwind: Unwind | None = None
    group: Group | None = None
    count: Count | None = None
    sort: tuple[Sort, ...] | None = None
    project: Project | None = None
    limit: int | None = Member(None, strict=True, gt=0)
    skip: int | None = Member(None, strict=True, ge=0)

    @model_validator(mode="after")
    def _is_one_stage(self) -> Self:
        if len(self.model_fields_set) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise fault(f"a stage is exactly one of {kinds}")
        if self.sort == ():
            raise_any([(("sort",), missing("aggregate.sort"))])
        return self

    def add_to(self, pipeline: Pipeline) -> None:
        """Adds the stage."""
        [kind] = self.model_fields_set
        value = getattr(self, kind)
        if kind == "sort":
            pipeline.sort([(pipeline.rows.path(key.key), key.desc) for key in value])
        elif kind in {"limit", "skip"}:
            pipeline.settle()
            pipeline.stages.append({f"${kind}": value})
        else:
            value.add_to(pipeline)


class StatQuery(Filtered):
    """core.v2.StatisticsQuery. If both are given, `aggregate` takes precedence over `distinct`."""

    distinct: Path | None = None
    aggregate: tuple[Stage, ...] = Member((), validate_default=True)
    page: Page = Page()

    @field_validator("aggregate")
    @classmethod
    def _distinct_or_stages(
        cls, aggregate: tuple[Stage, ...], info: ValidationInfo
    ) -> tuple[Stage, ...]:
        if not aggregate and info.data.get("distinct", "") is None:
            raise missing("aggregate")
        return aggregate


def compile_stages(stages: Sequence[Stage]) -> list[Document]:
    """The stages of a stat as a pipeline over job documents, without scope, filter and page."""
    pipeline = Pipeline()
    for stage in stages:
        stage.add_to(pipeline)
    pipeline.settle()
    return pipeline.stages
