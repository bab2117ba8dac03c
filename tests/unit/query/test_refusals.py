"""Bad queries: code, path and sentence of what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.errors import InvalidRequest, PermissionDenied, Problem
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import plan_analyze, plan_list, plan_stat
from inventory_job.wire.decode import decode
from tests.cases import refusals, stage_refusals
from tests.cases.moments import NOW
from tests.cases.refusals import RefusalCase
from tests.support.lower_half import message

PLANNERS = {"list": plan_list, "stat": plan_stat, "analyze": plan_analyze}


def problems_of(method: str, query: dict[str, Any]) -> tuple[Problem, ...]:
    decoded = decode(message(method, {"query": query}))
    with pytest.raises((InvalidRequest, PermissionDenied)) as raised:
        PLANNERS[method](decoded, Scope("domain-a"), ParseContext(Limits(), NOW))
    return raised.value.problems


@pytest.mark.parametrize(
    "case", [*refusals.CASES, *stage_refusals.CASES], ids=lambda case: f"{case.method} {case.name}"
)
def test_a_bad_query_is_refused(case: RefusalCase) -> None:
    problem = problems_of(case.method, case.query)[0]

    assert (problem.path, problem.code) == (case.path, case.code)
    assert case.details in problem.message


def test_each_bad_item_of_a_list_is_named() -> None:
    query = {"filter": [{"k": "status", "o": "in", "v": ["a", 1, ["b"], "c", {"$ne": 1}]}]}

    assert [problem.path for problem in problems_of("list", query)] == [
        "query.filter[0].v[1]",
        "query.filter[0].v[2]",
        "query.filter[0].v[4]",
    ]


def test_all_problems_of_a_list_are_found_at_once() -> None:
    query = {
        "filter": [{"k": "nothing", "o": "never"}, {"k": "total_tasks", "o": "eq", "v": "x"}],
        "filter_or": [{"o": "eq"}],
        "sort": [{}],
        "only": ["nothing"],
        "unwind": {"path": "tags"},
        "add_fields": {"x": [1]},
    }

    assert [problem.path for problem in problems_of("list", query)] == [
        "query.filter[0].k",
        "query.filter[0].o",
        "query.filter[1].v",
        "query.filter_or[0].key",
        "query.sort[0].key",
        "query.only[0]",
        "query.unwind.path",
        "query.add_fields.x",
    ]


def test_all_problems_of_a_stat_are_found_at_once() -> None:
    query = {
        "filter": [{"k": "nothing", "o": "eq"}],
        "aggregate": [
            {},
            {"limit": 0},
            {"group": {"keys": [{}], "fields": [{"o": "sum", "n": "$"}, {"o": "max", "n": "x"}]}},
            {"project": {"fields": [{"n": "x", "k": "y", "o": "add"}]}},
        ],
    }

    assert [problem.path for problem in problems_of("stat", query)] == [
        "query.filter[0].k",
        "query.aggregate[0]",
        "query.aggregate[1].limit",
        "query.aggregate[2].group.keys[0].key",
        "query.aggregate[2].group.keys[0].name",
        "query.aggregate[2].group.fields[0].n",
        "query.aggregate[2].group.fields[0].key",
        "query.aggregate[2].group.fields[1].key",
        "query.aggregate[3].project.fields[0].o",
    ]


def test_that_nothing_is_asked_is_found_beside_other_problems() -> None:
    query = {"filter": [{"k": "nothing", "o": "eq"}]}

    assert [problem.path for problem in problems_of("stat", query)] == [
        "query.filter[0].k",
        "query.aggregate",
    ]


def test_all_problems_of_an_analyze_are_found_at_once() -> None:
    query = {
        "filter": [{"k": "nothing", "o": "eq"}],
        "field_group": ["_total_a"],
        "group_by": ["a.x", "b.x"],
        "fields": {"_total_n": {"operator": "count"}},
        "select": {"y": {"operator": "pow"}},
        "sort": [{"key": "$n"}],
        "add_fields": {"z": {"if": {"__eq": [1]}, "then": 1}},
    }

    assert [problem.path for problem in problems_of("analyze", query)] == [
        "query.filter[0].k",
        "query.field_group[0]",
        "query.group_by[1]",
        "query.fields._total_n",
        "query.select.y.operator",
        "query.sort[0].key",
        "query.add_fields.z.else",
    ]


def test_a_select_is_checked_though_a_filter_is_bad() -> None:
    query = {
        "filter": [{"k": "nothing", "o": "eq"}],
        "fields": {"n": {"operator": "count"}},
        "select": {"x": "other"},
    }

    assert [problem.path for problem in problems_of("analyze", query)] == [
        "query.filter[0].k",
        "query.select.x",
    ]
