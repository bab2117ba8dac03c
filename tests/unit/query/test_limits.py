"""The size of a request: each limit met and passed by one, at its default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.errors import Code, InvalidRequest, Problem
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import plan_analyze, plan_list, plan_stat
from inventory_job.wire.decode import decode
from tests.cases.moments import NOW
from tests.support.lower_half import message

Query = dict[str, Any]
COUNT = {"n": {"operator": "count"}}
CONDITION = {"k": "status", "o": "eq", "v": "x"}


def parse(method: str, query: Query) -> None:
    decoded = decode(message(method, {"query": query}))
    scope, context = Scope("domain-a"), ParseContext(Limits(), NOW)
    if method == "list":
        plan_list(decoded, scope, context)
    elif method == "stat":
        plan_stat(decoded, scope, context)
    else:
        plan_analyze(decoded, scope, context)


def problems_of(method: str, query: Query) -> tuple[Problem, ...]:
    with pytest.raises(InvalidRequest) as raised:
        parse(method, query)
    return raised.value.problems


def of_text(size: int, character: str = "x") -> Query:
    return {"filter": [{"k": "status", "o": "contain", "v": character * size}]}


def of_items(size: int) -> Query:
    return {"filter": [{"k": "status", "o": "in", "v": ["x"] * size}]}


def of_conditions(size: int) -> Query:
    half = size // 2
    return {"filter": [CONDITION] * half, "filter_or": [CONDITION] * (size - half)}


def of_group_conditions(size: int) -> Query:
    field = {"o": "count", "n": "n", "conditions": [{"k": "x", "o": "eq"}] * (size - 1)}
    return {"filter": [CONDITION], "aggregate": [{"group": {"fields": [field]}}]}


def of_stages(size: int) -> Query:
    return {"aggregate": [{"skip": 1}] * size}


def of_sort(size: int) -> Query:
    return {"sort": [{"key": "status"}] * size}


def of_sort_stage(size: int) -> Query:
    return {"aggregate": [of_sort(size)]}


def of_only(size: int) -> Query:
    return {"only": ["status"] * size}


def of_keys(size: int) -> Query:
    return {"aggregate": [{"group": {"keys": [{"k": "x", "n": f"x{n}"} for n in range(size)]}}]}


def of_group_by(size: int) -> Query:
    return {"fields": COUNT, "group_by": [f"x{n}" for n in range(size)]}


def of_fields(size: int) -> Query:
    return {"fields": {f"x{n}": {"operator": "count"} for n in range(size)}}


def of_added_fields(size: int) -> Query:
    return {"fields": COUNT, "add_fields": {f"x{n}": 1 for n in range(size)}}


def of_select(size: int) -> Query:
    return {"fields": COUNT, "select": {"x": {"operator": "add", "fields": ["n"] * size}}}


def of_path(size: int) -> Query:
    return {"distinct": ".".join("x" * size)}


@dataclass(frozen=True, slots=True)
class LimitCase:
    """A query of so many of something, of which there may be `most`."""

    method: str
    query: Callable[[int], Query]
    most: int
    path: str
    reason: str


CASES = [
    LimitCase("list", of_text, 4096, "query.filter[0].v", "longer than 4096 bytes"),
    LimitCase("list", of_items, 10_000, "query.filter[0].v", "more than 10000 items"),
    LimitCase("list", of_conditions, 500, "query.filter_or", "more than 500 conditions"),
    LimitCase(
        "stat", of_group_conditions, 500, "query.aggregate[0].group.fields[0].conditions",
        "more than 500 conditions in one request",
    ),
    LimitCase("stat", of_stages, 50, "query.aggregate", "more than 50 stages"),
    LimitCase("list", of_sort, 30, "query.sort", "more than 30 sort keys"),
    LimitCase("stat", of_sort_stage, 30, "query.aggregate[0].sort", "more than 30 sort keys"),
    LimitCase("list", of_only, 100, "query.only", "more than 100 entries"),
    LimitCase("stat", of_keys, 100, "query.aggregate[0].group.keys", "more than 100 entries"),
    LimitCase("analyze", of_group_by, 100, "query.group_by", "more than 100 entries"),
    LimitCase("analyze", of_fields, 100, "query.fields", "more than 100 entries"),
    LimitCase("analyze", of_added_fields, 100, "query.add_fields", "more than 100 entries"),
    LimitCase("analyze", of_select, 100, "query.select.x.fields", "more than 100 entries"),
    LimitCase("stat", of_path, 32, "query.distinct", "a key has at most 32 parts"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.query.__name__.removeprefix("of_"))
def test_a_limit_may_be_met_and_not_passed(case: LimitCase) -> None:
    parse(case.method, case.query(case.most))

    problem = problems_of(case.method, case.query(case.most + 1))[0]

    assert (problem.code, problem.path) == (Code.INVALID_PARAMETER, case.path)
    assert case.reason in problem.message


def test_text_is_measured_in_bytes() -> None:
    parse("list", of_text(2048, "é"))

    assert problems_of("list", of_text(2049, "é"))[0].path == "query.filter[0].v"


def of_choices(depth: int) -> Query:
    """Choices within choices, the operands of the innermost at that depth."""
    expression: Any = 1
    for _ in range(depth - 5):
        expression = {"if": {"__eq": [1, 1]}, "then": 1, "else": expression}
    return {"fields": COUNT, "add_fields": {"x": expression}}


def test_a_request_may_be_nested_to_a_depth_and_not_beyond() -> None:
    parse("analyze", of_choices(32))

    problem = problems_of("analyze", of_choices(33))[0]

    assert problem.code == Code.INVALID_PARAMETER
    assert "nested more than 32 levels deep" in problem.message


def test_every_excess_is_found() -> None:
    query = {**of_items(10_001), **of_only(101), "keyword": "x" * 4097}

    assert [problem.path for problem in problems_of("list", query)] == [
        "query.filter[0].v",
        "query.only",
        "query.keyword",
    ]


def test_excesses_are_reported_up_to_a_hundred() -> None:
    query = {"filter": [{"k": "status", "o": "in", "v": ["x" * 4097] * 1000}]}

    assert len(problems_of("list", query)) == 100


def test_the_defaults_are_documented() -> None:
    for name, field in Limits.model_fields.items():
        assert field.description, name
