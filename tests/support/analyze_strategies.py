"""Requests of analyze for hypothesis, whose parts come as they fall."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.strategies import (
    PATHS,
    Request,
    chosen,
    filtered,
    group_field,
    numbers,
    pages,
    several,
    unwinds,
)

_analyze_base = filtered({"page": pages, "unwind": unwinds})
_group_paths = st.lists(st.sampled_from(PATHS[:12]), max_size=3, unique=True)


@st.composite
def analyze_requests(draw: st.DrawFn) -> Request:
    """Group, then perhaps select or field_group, sort and page."""
    query: Request = draw(_analyze_base)
    keys = draw(_group_paths)
    query["group_by"] = [
        key if draw(st.booleans()) else {"key": key, "name": f"k{number}"}
        for number, key in enumerate(keys)
    ]
    names = [key if isinstance(key, str) else key["name"] for key in query["group_by"]]
    fields: dict[str, Request] = {}
    for name in draw(several(["n", "x", "y"], 1, 3)):
        fields[name] = group_field(draw, name, PATHS)
        del fields[name]["name"]
        fields[name].pop("conditions", None)
        if "fields" in fields[name]:
            fields[name]["fields"] = {sub["name"]: sub["key"] for sub in fields[name]["fields"]}
    query["fields"] = fields
    if draw(st.integers(0, 3)) == 0:
        query["add_fields"] = {"added": draw(_added)}
        if query["group_by"]:
            query["group_by"][-1] = {"key": "added", "name": names[-1]}
    shape = draw(chosen(["plain", "plain", "fold", "select"]))
    if shape == "fold" and names:
        query["field_group"] = draw(several(names, 1))
    if shape == "select":
        query["select"] = with_names(draw(selects), [*names, *fields])
        names, fields = list(query["select"]), {}
    if draw(st.booleans()):
        query["sort"] = [{"key": draw(chosen([*names, *fields])), "desc": draw(st.booleans())}]
    return {"query": query}


_operands = numbers | st.sampled_from(["$status", "$total_tasks", "SUCCESS"]) | st.none()
_simple_condition = st.tuples(
    st.sampled_from(["__eq", "__ne", "__gt", "__gte", "__lt", "__lte"]),
    st.lists(_operands, min_size=2, max_size=2),
).map(lambda pair: {pair[0]: pair[1]})
_condition = st.one_of(
    _simple_condition,
    st.tuples(
        st.sampled_from(["__and", "__or"]), st.lists(_simple_condition, min_size=1, max_size=2)
    ).map(lambda pair: {pair[0]: pair[1]}),
    _simple_condition.map(lambda inner: {"__not": [inner]}),
    st.tuples(_operands, st.lists(_operands, max_size=3)).map(lambda pair: {"__in": [*pair]}),
)
_added = st.recursive(
    _operands,
    lambda inner: st.fixed_dictionaries({"if": _condition, "then": inner, "else": inner}),
    max_leaves=4,
)


_slots = st.integers(0, 5).map(lambda slot: f"slot {slot}")
_computed = st.recursive(
    _slots | numbers,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "operator": st.sampled_from(["add", "multiply"]),
                "fields": st.lists(inner, min_size=1, max_size=3),
            }
        ),
        st.fixed_dictionaries(
            {
                "operator": st.sampled_from(["subtract", "divide"]),
                "fields": st.lists(inner, min_size=2, max_size=2),
            }
        ),
    ),
    max_leaves=4,
).filter(lambda source: not isinstance(source, int))
selects = st.dictionaries(st.sampled_from(["p", "q", "r"]), _computed, min_size=1, max_size=3)
"""Selects over slots, which `with_names` fills."""


def with_names(value: Any, names: list[str]) -> Any:
    """The select with its slots taken by names."""
    if isinstance(value, dict):
        return {name: with_names(member, names) for name, member in value.items()}
    if isinstance(value, list):
        return [with_names(item, names) for item in value]
    if isinstance(value, str) and value.startswith("slot "):
        return names[int(value[-1]) % len(names)]
    return value
