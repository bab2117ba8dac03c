"""The query model of an analyze, and the pipeline that it compiles to.

The stages are [lookup…] [unwind] [add_fields] group [select] [field_group] [sort]; see
docs/query-language.md#analyze.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import Field as Member
from pydantic import PlainValidator, StrictStr, ValidationError, ValidationInfo, field_validator

from inventory_job.auth.scope import Scope
from inventory_job.query.accumulators import Accumulated, Accumulator, accumulated
from inventory_job.query.expressions import AddFields, select_expression
from inventory_job.query.filters import Filtered, Page, Sort
from inventory_job.query.names import Name, Path, checked_path, repeated
from inventory_job.query.operators import Document
from inventory_job.query.pipeline import Pipeline, RowShape, present
from inventory_job.query.problems import Location, fault, missing, problems_of, raise_any
from inventory_job.query.stages import GroupBy, Lookups, Unwind

_TOTAL_PREFIX = "_total_"
"""The prefix of the name of a folded field's total; the field's name follows."""

_FOLDED_VALUE = "value"
"""The name of the field's own value in the list of a folded field."""


def _group_by(value: Any, info: ValidationInfo) -> GroupBy:
    if isinstance(value, str):
        value = {"key": value, "name": checked_path(value, info).rsplit(".", 1)[-1]}
    try:
        return GroupBy.model_validate(value, context=info.context)
    except ValidationError as error:
        first = problems_of(error)[0]
        reason = f"an entry is a text or {{key, name}}; {first.path or 'it'} is not right there"
        raise fault(reason, key="group_by") from error


class AnalyzeField(Accumulated):
    """One computed value of an analyze."""

    named_within = "query.fields"

    operator: Accumulator = Member(None, validate_default=True)
    key: Path | None = Member(None, validate_default=True)
    fields: dict[Name, Path] = Member({}, validate_default=True)
    data_type: StrictStr = ""

    @field_validator("data_type")
    @classmethod
    def _applies(cls, data_type: str, info: ValidationInfo) -> str:
        chosen = info.data.get("operator")
        if data_type and data_type != "array":
            raise fault("a data type is array or absent")
        if data_type and chosen and not chosen.of_elements:
            raise fault(f"operator {chosen.name} does not look into arrays")
        return data_type

    def accumulation(self) -> Document:
        """The accumulator for the $group; with a data type, applied within each list first."""
        value = accumulated(self.operator, self.key, self.fields)
        if self.data_type:
            value = {self.operator.expression: value}
        return {self.operator.expression: value}


class AnalyzeQuery(Filtered):
    """core.v2.AnalyzeQuery. A member is declared after those that its validator looks at."""

    field_group: tuple[StrictStr, ...] = ()
    group_by: tuple[Annotated[GroupBy, PlainValidator(_group_by)], ...] = ()
    fields: dict[Name, AnalyzeField] = Member({}, validate_default=True)
    select: dict[Name, Annotated[Any, PlainValidator(select_expression)]] = Member({})
    sort: tuple[Sort, ...] = ()
    page: Page = Page()
    unwind: Unwind | None = None
    lookup: Lookups = ()
    add_fields: AddFields = Member({})

    @field_validator("field_group", "group_by", "fields", "select")
    @classmethod
    def _names_fit(cls, given: Any, info: ValidationInfo) -> Any:
        """Checks that the names differ and do not clash with those that folding uses."""
        member = info.field_name
        if member == "fields" and not given:
            raise missing("query.fields")
        names: list[tuple[Location, str]] = (
            [((name,), name) for name in given]
            if isinstance(given, dict)
            else [((index,), getattr(each, "name", each)) for index, each in enumerate(given)]
        )
        found = repeated(names) if member == "group_by" else []
        if member == "fields":
            keys = {key.name for key in info.data.get("group_by", ())}
            same = fault("a field and a group_by key have the same name")
            found += [(where, same) for where, name in names if name in keys]
        # A field_group that was refused is missing from `data`; assume that it folds.
        folded = info.data.get("field_group", (_TOTAL_PREFIX,))
        for where, name in names:
            if folded and name.startswith(_TOTAL_PREFIX):
                reason = f"with field_group, a name does not begin with {_TOTAL_PREFIX}"
                found.append((where, fault(reason)))
            elif member in {"group_by", "select"} and name == _FOLDED_VALUE and name in folded:
                reason = f"a name in field_group is not {name}, which the folded values are called"
                found.append((where, fault(reason)))
        raise_any(found)
        return given


def compile_analyze(query: AnalyzeQuery, scope: Scope) -> list[Document]:
    """The pipeline of an analyze over job documents, without scope, filter and page.

    `scope` restricts the tasks that lookups join.
    """
    pipeline = Pipeline()
    for lookup in query.lookup:
        pipeline.stages.append(lookup.stage(scope))
    if query.unwind:
        query.unwind.add_to(pipeline)
    if query.add_fields:
        pipeline.stages.append({"$addFields": dict(query.add_fields)})
    keys = present({key.name: key.key for key in query.group_by})
    pipeline.group(keys, {name: field.accumulation() for name, field in query.fields.items()})
    if query.select:
        # `_id` stays until after the sort, which needs it as tie-breaker.
        pipeline.project(dict(query.select), RowShape())
    folded = _fold(query, pipeline) if query.field_group else ()
    if query.sort:
        order = []
        for key in query.sort:
            total = _TOTAL_PREFIX + key.key
            order.append((pipeline.rows.path(total if total in folded else key.key), key.desc))
        pipeline.sort(order)
    pipeline.settle()
    if query.select and not query.field_group:
        pipeline.stages.append({"$project": {"_id": 0}})
    return pipeline.stages


def _fold(query: AnalyzeQuery, pipeline: Pipeline) -> Collection[str]:
    """Groups the rows by the keys outside `field_group`, and folds the other keys into lists.
    Returns the names of the new rows' values, without the keys."""
    keys = {key.name: f"$_id.{key.name}" for key in query.group_by}
    columns = query.select or keys | {name: f"${name}" for name in query.fields}
    copies = [*keys.values()]
    paths = {name: pipeline.rows.path(name) for name in columns if columns[name] in copies}
    folded = [name for name in paths if name in query.field_group]
    # Where the other keys are equal, `_id` sorts like the folded keys. A sort by the folded keys
    # themselves fails in MongoDB where two of them are lists.
    order = [paths[name] for name in folded] if query.select else ["_id"]
    pipeline.sort([(path, False) for path in order])
    totals = {f"${name}": field.operator.total for name, field in query.fields.items()}
    values: dict[str, Document] = {}
    for name, column in columns.items():
        if name in paths:
            continue
        member = {_FOLDED_VALUE: f"${name}"} | {key: f"${paths[key]}" for key in folded}
        values[name] = {"$push": member}
        if isinstance(column, str) and (total := totals.get(column)):
            values[_TOTAL_PREFIX + name] = {total: f"${name}"}
    kept = {name: path for name, path in paths.items() if name not in folded}
    pipeline.group(present(kept), values)
    return values.keys()
