"""The shape of a compiled query, for logs: its structure without the caller's values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from inventory_job.query.operators import Document
from inventory_job.query.plans import DistinctPlan, JobPlan, ListPlan, Plan

_VALUE = "?"
_REFERENCE = re.compile(r"\$\$?[A-Za-z_][A-Za-z0-9_.]*")
_LONGEST = 1000


def shape_of(plan: Plan) -> str:
    """The `shape` of the database query of a plan; lists and distinct queries appear as the stages
    that are equivalent to them."""
    return shape(plan.jobs.document, _stages(plan))


def _stages(plan: Plan) -> Sequence[Document]:
    match plan:
        case JobPlan():
            return ()
        case ListPlan(count_only=True):
            return ({"$count": _VALUE},)
        case ListPlan():
            return (*plan.computed, {"$sort": plan.order}, *plan.page.window(plan.page.size))
        case DistinctPlan():
            return ({"$distinct": f"${plan.path}"},)
        case _:
            return (*plan.stages, *plan.page.window(plan.page.size))


def shape(filter_: Mapping[str, Any], stages: Sequence[Mapping[str, Any]] = ()) -> str:
    """A filter and stages as JSON text with `?` in place of each value, at most 1 000 characters.

    Names of fields and operators stay; in stages, so do field paths and the directions of sorts. A
    list whose items all have the same shape shows only the first.
    """
    parts = [_shape(filter_, "$match"), *(_shape(stage) for stage in stages)]
    text = json.dumps(parts, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _shape(value: Any, within: str = "") -> Any:
    """The shape of a value; `within` is "$match" or "$sort" inside one of these, else empty."""
    if isinstance(value, Mapping):
        # In a stage a caller's string is always a $literal, so what looks like a path is one.
        if value.keys() == {"$literal"}:
            return _VALUE
        return {
            str(name): _shape(member, within or (name if name in {"$match", "$sort"} else ""))
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        shapes = [_shape(item, within) for item in value]
        return shapes[:1] if shapes and all(item == shapes[0] for item in shapes) else shapes
    if within == "$sort":
        return value if value in (1, -1) else _VALUE
    if isinstance(value, str) and not within and _REFERENCE.fullmatch(value):
        return value
    return _VALUE
