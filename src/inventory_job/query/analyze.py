"""Analyze → pipeline: [lookup…] [unwind] [add_fields] group [select] [field_group] [sort].

See docs/query-language.md#analyze.
"""

from __future__ import annotations

from collections.abc import Sequence

from inventory_job.auth.scope import Scope
from inventory_job.query.accumulators import accumulation
from inventory_job.query.analyses import (
    FOLDED_VALUE,
    TOTAL_PREFIX,
    AnalyzeField,
    AnalyzeQuery,
)
from inventory_job.query.lookups import join
from inventory_job.query.operators import Document
from inventory_job.query.pipeline import Pipeline, Rows, group, present, unwind


def compile_analyze(query: AnalyzeQuery, scope: Scope) -> list[Document]:
    """The pipeline of an analyze over job documents, without scope, filter and page.

    `scope` also confines what lookups join.
    """
    pipeline = Pipeline()
    for lookup in query.lookup:
        pipeline.add(join(lookup, scope))
    if query.unwind:
        unwind(query.unwind, pipeline)
    if query.add_fields:
        pipeline.add({"$addFields": dict(query.add_fields)})
    keys = present({key.name: key.key for key in query.group_by})
    group(keys, {name: _value(field) for name, field in query.fields.items()}, pipeline)
    if query.select:
        # `_id` stays for now: it distinguishes rows when they are put in order.
        pipeline.convert({"$project": dict(query.select)}, Rows())
    totals: dict[str, str] = {}
    folded = [name for name in _key_columns(query) if name in query.field_group]
    if query.field_group:
        _fold(query, folded, pipeline)
        totals = _totals(query)
    if query.sort:
        names = [TOTAL_PREFIX + key.key if key.key in totals else key.key for key in query.sort]
        paths = [pipeline.rows.path(name) for name in names]
        pipeline.sort([(path, key.desc) for path, key in zip(paths, query.sort, strict=True)])
    pipeline.settle()
    if query.select and not query.field_group:
        pipeline.add({"$project": {"_id": 0}})
    return pipeline.stages


def _value(field: AnalyzeField) -> Document:
    of_elements = bool(field.data_type)
    return accumulation(field.operator, field.key, field.fields, of_elements=of_elements)


def _fold(query: AnalyzeQuery, folded: Sequence[str], pipeline: Pipeline) -> None:
    keys = _key_columns(query)
    paths = {name: pipeline.rows.path(name) for name in keys}
    # The other keys being equal, whole keys are in the order of the folded ones. Sorting by those
    # alone fails where two are lists.
    order = [paths[name] for name in folded] if query.select else ["_id"]
    pipeline.sort([(path, False) for path in order])
    totals = _totals(query)
    values: dict[str, Document] = {}
    for name in query.columns:
        if name in keys:
            continue
        member = {FOLDED_VALUE: f"${name}"} | {key: f"${paths[key]}" for key in folded}
        values[name] = {"$push": member}
        if name in totals:
            values[TOTAL_PREFIX + name] = {totals[name]: f"${name}"}
    group(present({name: paths[name] for name in keys if name not in folded}), values, pipeline)


def _key_columns(query: AnalyzeQuery) -> list[str]:
    """The names that hold group keys once select, if any, has renamed them."""
    keys = [key.name for key in query.group_by]
    if not query.select:
        return keys
    copies = [f"$_id.{key}" for key in keys]
    return [name for name, selected in query.select.items() if selected in copies]


def _totals(query: AnalyzeQuery) -> dict[str, str]:
    """By name, what makes the totals of the fields that have one once they are folded."""
    columns = query.select or {name: f"${name}" for name in query.fields}
    totals = {f"${name}": field.operator.total for name, field in query.fields.items()}
    return {
        name: total
        for name, selected in columns.items()
        if isinstance(selected, str) and (total := totals.get(selected))
    }
