"""Chains of stages for hypothesis: two to five, in every order, each speaking of what the rows have
by then, so that most chains have an answer.

Beside those of `tests.support.strategies`, whose stages come as they fall.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.support.strategies import (
    Request,
    Strategy,
    chosen,
    comparisons,
    condition,
    numbers,
    pages,
    several,
    spelled,
)

KINDS = {
    **dict.fromkeys(
        ["status", "plugin_id", "collector_id", "workspace_id", "resource_group"], "text"
    ),
    **dict.fromkeys(["total_tasks", "remained_tasks", "success_tasks", "failure_tasks"], "number"),
    **dict.fromkeys(["created_at", "finished_at"], "date"),
    "request_secret_id": "text",
    "collector_info.provider.name": "text",
    "collector_info.provider": "document",
    "tags": "list",
    "durations": "list",
    "nothing": "absent",
}
"""What is in the fields of a job, as chains speak of them."""

_NAMES = ["a", "b", "c", "m", "n", "status", "plugin_id", "at"]
_SHUFFLED = st.permutations(_NAMES)
_VALUES = numbers | st.sampled_from(["SUCCESS", "FAILURE", "plugin-x", "collector-a", "$status"])
_VALUES_OR_NONE = _VALUES | st.none()
_FORMATS = ["year", "month", "day", "%Y-%m", "%Y-%m-%d", "%H:%M"]
_EASY = ["count", "sum", "average", "max", "min", "add_to_set"]
"""Operators whose answer does not depend on the order of the rows."""
_ORDERED = ["first", "last", "push"]


@dataclass(frozen=True)
class Rows:
    """What the rows have: columns by name with the kind of what is in them, those among them that
    are keys of a group, and whether their order is defined."""

    columns: dict[str, str] = field(default_factory=lambda: dict(KINDS))
    keys: tuple[str, ...] = ()
    raw: bool = True
    in_order: bool = False

    def named(self, *kinds: str) -> list[str]:
        """The columns of these kinds; all where there is none."""
        return [name for name, kind in self.columns.items() if kind in kinds] or [*self.columns]


@st.composite
def chains(draw: st.DrawFn) -> list[Request]:
    """Two to five stages; half of the chains begin with a group, and half of the groups are
    followed by a group or a count."""
    rows = Rows()
    stages: list[Request] = []
    kind = draw(chosen(["group", _ANY]))
    count = draw(chosen([2, 3, 3, 4, 4, 5, 5]))
    while len(stages) < count:
        if kind == _ANY:
            kind = draw(chosen(_likely(rows)))
        stage, rows = _STAGES[kind](draw, rows)
        stages.append(stage)
        kind = draw(chosen(["group", "count", _ANY, _ANY])) if kind == "group" else _ANY
    return stages


_ANY = "any"


def _likely(rows: Rows) -> list[str]:
    """The kinds of stages, those more often that have an answer on such rows."""
    cuts = ["limit", "skip"] if rows.in_order or not rows.raw else []
    unwinds = ["unwind"] if {"list", "set"} & {*rows.columns.values()} else []
    return ["group", "group", "count", "sort", "sort", "project", "unwind", *unwinds, *cuts]


def _group(draw: st.DrawFn, rows: Rows) -> tuple[Request, Rows]:
    names = draw(_SHUFFLED)
    key_names = names[: draw(chosen([0, 1, 1, 2, 2, 2, 3, 3]))]
    left = names[len(key_names) :]
    field_names = left[: draw(st.integers(0 if key_names else 1, 2))]
    columns: dict[str, str] = {}
    keys = [_group_key(draw, name, rows, columns) for name in key_names]
    fields = [group_field(draw, name, rows, columns) for name in field_names]
    empty = draw(st.booleans())  # An empty list is the same as none.
    members = {"keys": keys, "fields": fields}
    stage = {"group": {name: made for name, made in members.items() if made or empty}}
    return stage, Rows(columns, tuple(key_names), raw=False, in_order=True)


def _group_key(draw: st.DrawFn, name: str, rows: Rows, columns: dict[str, str]) -> Request:
    path = draw(chosen(rows.named("text", "number", "date", "absent", "element")))
    key = {draw(spelled("name", "n")): name, draw(spelled("key", "k")): path}
    columns[name] = rows.columns[path]
    if rows.columns[path] == "date" and draw(st.booleans()):
        key["date_format"] = draw(chosen(_FORMATS))
        columns[name] = "text" if "%" in key["date_format"] else "number"
    return key


def group_field(draw: st.DrawFn, name: str, rows: Rows, columns: dict[str, str]) -> Request:
    """A computed field of a group of such rows; its kind is put down in `columns`."""
    operators = _EASY + (_ORDERED if rows.in_order or draw(st.integers(0, 3)) == 0 else [])
    operator = draw(chosen(operators))
    made: Request = {
        draw(spelled("name", "n")): name,
        draw(spelled("operator", "o")): operator,
    }
    path = draw(chosen(rows.named(*(("number", "list") if operator == "sum" else KEYS))))
    columns[name] = rows.columns[path]
    if operator in ("push", "add_to_set"):
        columns[name] = "set" if operator == "add_to_set" else "list"
        if columns[name] == "set" and rows.columns[path] == "list":
            # MongoDB sorts lists by one of their elements, so that there are ties.
            columns[name] = "shown"
    elif operator in ("count", "sum", "average"):
        columns[name] = "number"
        conditions = [_comparison(draw, rows) for _ in range(draw(st.integers(0, 2)))]
        if conditions:
            made["conditions"] = conditions
    if operator == "push" and draw(st.booleans()):
        made["fields"] = [{"key": path, "name": "x"}]
    elif operator != "count":
        made[draw(spelled("key", "k"))] = path
    return made


KEYS = ("text", "number", "date", "absent", "element", "list")


def _comparison(draw: st.DrawFn, rows: Rows) -> Request:
    if rows.raw:
        return draw(comparisons)
    return {
        "k": draw(chosen(rows.named("text", "number", "absent", "element"))),
        "o": draw(chosen(["eq", "not", "gt", "gte", "lt", "lte"])),
        "v": draw(_VALUES_OR_NONE),
    }


def _count(draw: st.DrawFn, rows: Rows) -> tuple[Request, Rows]:
    name = draw(chosen(_NAMES))
    return {"count": {"name": name}}, Rows({name: "number"}, raw=False, in_order=True)


def _sort(draw: st.DrawFn, rows: Rows) -> tuple[Request, Rows]:
    names = draw(several(rows.named("text", "number", "date", "absent", "element"), 1, 3))
    whole = draw(st.integers(0, 3)) > 0
    if whole:
        ties = ["job_id"] if rows.raw else rows.keys
        names += [name for name in ties if name not in names]
    keys = [
        {draw(spelled("key", "k")): name, **({"desc": draw(st.booleans())} if number % 2 else {})}
        for number, name in enumerate(names, start=draw(st.integers(0, 1)))
    ]
    return {"sort": keys}, replace(rows, in_order=whole)


def _project(draw: st.DrawFn, rows: Rows) -> tuple[Request, Rows]:
    names = draw(several(_NAMES, 1, 3))
    exclude = draw(st.booleans())
    columns = {} if exclude else {name: rows.columns.get(name, "element") for name in rows.keys}
    fields = []
    for name in names:
        path = draw(chosen([*rows.columns]))
        kind = rows.columns[path]
        made = {draw(spelled("name", "n")): name, draw(spelled("key", "k")): path}
        if kind in _OPERATORS and draw(st.booleans()):
            operator, kind = draw(chosen(_OPERATORS[kind]))
            made[draw(spelled("operator", "o"))] = operator
        # A set whose rows may have lost their order is taken apart in another one each time.
        columns.setdefault(name, "shown" if kind == "set" else kind)
        fields.append(made)
    stage: Request = {"project": {"fields": fields}}
    if exclude or draw(st.booleans()):
        stage["project"]["exclude_keys"] = exclude
    return stage, replace(rows, columns=columns, keys=() if exclude else rows.keys, raw=False)


_OPERATORS = {
    "list": [("size", "number"), ("sum", "number")],
    "set": [("size", "number"), ("sum", "number")],
    "number": [("sum", "number")],
    "document": [("object_to_array", "list")],
}


def _unwind(draw: st.DrawFn, rows: Rows) -> tuple[Request, Rows]:
    lists = [name for name, kind in rows.columns.items() if kind in ("list", "set")]
    scalars = [name for name, kind in rows.columns.items() if kind != "shown"]
    path = draw(chosen(lists or scalars or ["nothing"]))
    spec: Request = {"path": path}
    is_set = rows.columns.get(path) == "set"
    # After elements of a list, which are in an order of their own, nothing puts those of a set
    # in one.
    columns = {
        name: "shown" if kind == "set" and not is_set else kind
        for name, kind in rows.columns.items()
    } | {path: "element"}
    if draw(st.booleans()):
        after = replace(rows, columns=columns)
        spec["filter"] = [_condition(draw, after) for _ in range(draw(st.integers(0, 2)))]
    return {"unwind": spec}, replace(rows, columns=columns)


def _alone_or_in_a_list(value: Strategy[Any]) -> tuple[Strategy[Any], Strategy[Any]]:
    return value, st.lists(value, max_size=3)


_WORD = st.sampled_from(["SUCCESS", "FAIL", "plugin", "a.b*", "env", "-x"])
_WORDS = _alone_or_in_a_list(_WORD)
_WORDS_OR_NONE = _alone_or_in_a_list(_WORD | st.none())
_WORDS_AND_NUMBERS = _alone_or_in_a_list(_WORD | numbers | st.none())


def _condition(draw: st.DrawFn, rows: Rows) -> Request:
    operator = draw(
        chosen(
            ["eq", "not", "in", "not_in", "contain", "not_contain", "contain_in", "not_contain_in"]
        )
    )
    operands = _WORDS
    if "contain" not in operator:
        operands = _WORDS_OR_NONE if rows.raw else _WORDS_AND_NUMBERS
    operand = operands[operator in ("in", "not_in", "contain_in", "not_contain_in")]
    names = rows.named("text", "element") if rows.raw else rows.named("text", "number", "element")
    return {
        draw(spelled("key", "k")): draw(chosen(names)),
        draw(spelled("operator", "o")): operator,
        draw(spelled("value", "v")): draw(operand),
    }


def _cut(kind: str, least: int) -> Any:
    sizes = st.sampled_from([least, 1, 2, 3, 5, 8, 2**31 - 1 if kind == "limit" else 20])
    return lambda draw, rows: ({kind: draw(sizes)}, rows)


_STAGES: dict[str, Any] = {
    "group": _group,
    "count": _count,
    "sort": _sort,
    "project": _project,
    "unwind": _unwind,
    "limit": _cut("limit", 1),
    "skip": _cut("skip", 0),
}

queries: Strategy[Request] = st.fixed_dictionaries(
    {}, optional={"page": pages, "filter": st.lists(condition(), min_size=1, max_size=1)}
)
"""What other members a query has: few, since what finds nothing shows nothing."""

stat_requests: Strategy[Request] = st.tuples(queries, chains()).map(
    lambda parts: {"query": {**parts[0], "aggregate": parts[1]}}
)
