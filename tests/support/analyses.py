"""Analyses for hypothesis: every part beside every other, over fields that few values repeat in.

Beside those of `tests.support.strategies`, whose parts come as they fall.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.analyze_strategies import selects, with_names
from tests.support.chains import KINDS, queries
from tests.support.strategies import (
    Request,
    Strategy,
    chosen,
    numbers,
    several,
    spelled,
)

_GROUPED = [path for path, kind in KINDS.items() if kind in ("text", "number", "date")]
_UNWOUND = ["tags.key", "tags.value", "tags"]
_OPERATORS = ["count", "sum", "average", "max", "min", "add_to_set", "push"]
_OF_ELEMENTS = ["sum", "average", "max", "min"]
_NAMES = ["n", "x", "y", "status", "total"]
_FILTERS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["tags.key", "tags.value", "status", "plugin_id"]),
            "operator": st.sampled_from(["not", "not_contain"]),
            "value": st.sampled_from(["env", "prod", "a.b*", "SUCCESS", "team"]),
        }
    ),
    max_size=2,
)
_LITERALS = numbers | st.sampled_from(["SUCCESS", "late", "plugin-x"]) | st.none() | st.booleans()
_OPERANDS = st.sampled_from(
    ["$status", "$plugin_id", "$total_tasks", "$failure_tasks", "$finished_at", "$nothing"]
)


@st.composite
def _comparison(draw: st.DrawFn) -> Request:
    operator = draw(chosen(["__eq", "__ne", "__gt", "__gte", "__lt", "__lte"]))
    return {operator: [draw(_OPERANDS), draw(_OPERANDS | _LITERALS)]}


_CONDITIONS: Strategy[Any] = st.recursive(
    _comparison()
    | st.tuples(_OPERANDS, st.lists(_LITERALS, max_size=3)).map(lambda pair: {"__in": [*pair]}),
    lambda inner: (
        st.tuples(st.sampled_from(["__and", "__or"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        )
        | inner.map(lambda condition: {"__not": [condition]})
    ),
    max_leaves=4,
)
_ADDED: Strategy[Any] = st.recursive(
    _LITERALS | _OPERANDS,
    lambda inner: st.fixed_dictionaries({"if": _CONDITIONS, "then": inner, "else": inner}),
    max_leaves=3,
)
added_fields: Strategy[Request] = st.dictionaries(
    st.sampled_from(["late", "kind"]), _ADDED, min_size=1, max_size=2
)
"""What an analyze or a list may add: expressions by name."""


def _field(draw: st.DrawFn, paths: list[str]) -> Request:
    operator = draw(chosen(_OPERATORS))
    made: Request = {"operator": operator}
    if operator == "push" and draw(st.booleans()):
        return made | {"fields": {"x": draw(chosen(paths)), "job": "job_id"}}
    if operator in _OF_ELEMENTS and draw(st.integers(0, 3)) == 0:
        made |= {"data_type": "array", "key": draw(chosen(["durations", "total_tasks"]))}
    elif operator != "count":
        made["key"] = draw(chosen(paths))
    return made


@st.composite
def analyze_requests(draw: st.DrawFn) -> Request:
    """No to three keys, one to three fields, and any of unwind, added fields, a selection or a
    fold, a sort by several keys, a page."""
    query: Request = dict(draw(queries))
    paths = list(_GROUPED)
    if draw(st.integers(0, 3)) == 0:
        query["unwind"] = {"path": "tags", "filter": draw(_FILTERS)}
        paths += _UNWOUND * 3
    if draw(st.booleans()):
        query["add_fields"] = draw(added_fields)
        paths += [*query["add_fields"]] * 5
    keys = draw(several(paths, most=3))
    names = [f"k{number}" for number in range(len(keys))]
    query["group_by"] = [
        {draw(spelled("key", "k")): key, draw(spelled("name", "n")): name}
        for key, name in zip(keys, names, strict=True)
    ]
    for number, key in enumerate(keys):
        if draw(st.booleans()):
            query["group_by"][number] = key
            names[number] = key.rpartition(".")[2]
    named = draw(several(_NAMES, 1, 3))
    query["fields"] = {name: _field(draw, paths) for name in named if name not in names}
    query["fields"] = query["fields"] or {"n": {"operator": "count"}}
    columns = _shape(draw, query, names)
    if draw(st.booleans()) and columns:
        sorted_by = draw(several(columns, 1, 3))
        query["sort"] = [{"key": key, "desc": draw(st.booleans())} for key in sorted_by]
    return {"query": query}


def _shape(draw: st.DrawFn, query: Request, names: list[str]) -> list[str]:
    """Perhaps folds or selects; the columns that the rows then can be sorted by."""
    scalars = [
        name
        for name, made in query["fields"].items()
        if made["operator"] not in ("push", "add_to_set")
    ]
    shape = draw(chosen(["plain", "fold", "fold", "select"]))
    if shape == "fold" and names:
        folded = draw(several(names, 1))
        query["field_group"] = folded
        return [name for name in names if name not in folded] + scalars
    if shape == "select" and scalars:
        query["select"] = with_names(draw(selects), [*scalars, *names])
        return [*query["select"]]
    return [*names, *scalars]
