"""Filters, from request to $match."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Regex

from inventory_job.auth.scope import Scope
from inventory_job.query.filters import patterns_in
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.operators import OPERATORS
from inventory_job.query.plans import ListPlan, plan_list
from inventory_job.wire.decode import decode
from tests.cases import filters, moments
from tests.cases.filters import FilterCase
from tests.support.lower_half import message

DOMAIN = Scope("domain-a")


def plan(request: dict[str, Any], scope: Scope = DOMAIN) -> ListPlan:
    decoded = decode(message("list", request))
    return plan_list(decoded, scope, ParseContext(Limits(), moments.NOW))


def conditions(query: dict[str, Any]) -> Any:
    """What is asked for beside the scope."""
    return plan({"query": query}).jobs.document.get("$and")


@pytest.mark.parametrize(
    "case",
    [*filters.CASES, *moments.DATETIME, *moments.TIMEDIFF],
    ids=lambda case: case.name,
)
def test_a_condition_becomes(case: FilterCase) -> None:
    condition = {"key": case.key, "operator": case.operator, "value": case.value}

    assert conditions({"filter": [condition]}) == [case.match]


def test_every_operator_has_a_case() -> None:
    cases = [*filters.CASES, *moments.DATETIME, *moments.TIMEDIFF]

    assert {case.operator for case in cases} == set(OPERATORS)


@pytest.mark.parametrize("key", ["key", "k"])
@pytest.mark.parametrize("value", ["value", "v"])
@pytest.mark.parametrize("operator", ["operator", "o"])
def test_long_and_short_spellings_mix(key: str, value: str, operator: str) -> None:
    condition = {key: "total_tasks", value: 3, operator: "gt"}

    assert conditions({"filter": [condition]}) == [{"total_tasks": {"$gt": 3}}]


def test_an_absent_value_is_null() -> None:
    assert conditions({"filter": [{"k": "plugin_id", "o": "eq"}]}) == [{"plugin_id": None}]


def test_filter_and_filter_or_must_both_hold() -> None:
    failed, running = ({"k": "status", "v": v, "o": "eq"} for v in ("FAILURE", "IN_PROGRESS"))
    large = {"k": "total_tasks", "v": 2, "o": "gt"}

    assert conditions({"filter": [large], "filter_or": [failed, running]}) == [
        {"total_tasks": {"$gt": 2}},
        {"$or": [{"status": "FAILURE"}, {"status": "IN_PROGRESS"}]},
    ]


def test_a_keyword_joins_filter_or_with_each_of_its_words() -> None:
    failed = {"k": "status", "v": "FAILURE", "o": "eq"}

    assert conditions({"filter_or": [failed], "keyword": " 5 a.b\t"}) == [
        {
            "$or": [
                {"status": "FAILURE"},
                {"job_id": {"$in": [Regex("5", "i"), Regex("a\\.b", "i")]}},
            ]
        }
    ]


@pytest.mark.parametrize("keyword", ["", " \t "])
def test_a_blank_keyword_is_ignored(keyword: str) -> None:
    assert conditions({"keyword": keyword}) is None


def test_regular_expressions_are_known_by_the_paths_of_their_conditions() -> None:
    query = {
        "filter": [
            {"k": "status", "v": "S", "o": "contain"},
            {"k": "status", "v": "^S", "o": "regex"},
        ],
        "filter_or": [{"k": "plugin_id", "v": ["a$", "b$"], "o": "regex_in"}],
    }

    assert plan({"query": query}).jobs.patterns == (
        ("query.filter[1]", Regex("^S", "i")),
        ("query.filter_or[0]", Regex("a$", "i")),
        ("query.filter_or[0]", Regex("b$", "i")),
    )


def test_direct_parameters_are_conditions_before_the_filter() -> None:
    request = {
        "job_id": "job-1",
        "status": "SUCCESS",
        "collector_id": "collector-a",
        "plugin_id": "plugin-x",
        "workspace_id": "workspace-1",
        "query": {"filter": [{"k": "total_tasks", "v": 1, "o": "eq"}]},
    }

    assert plan(request).jobs.document == {
        "domain_id": "domain-a",
        "$and": [
            {"job_id": "job-1"},
            {"status": "SUCCESS"},
            {"collector_id": "collector-a"},
            {"plugin_id": "plugin-x"},
            {"workspace_id": "workspace-1"},
            {"total_tasks": 1},
        ],
    }


def test_the_status_none_is_no_condition() -> None:
    assert plan({"status": "JOB_STATE_NONE"}).jobs.document == {"domain_id": "domain-a"}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope("domain-a"), {"domain_id": "domain-a"}),
        (Scope("domain-a", ("w",)), {"domain_id": "domain-a", "workspace_id": "w"}),
        (
            Scope("domain-a", ("w", "*")),
            {"domain_id": "domain-a", "workspace_id": {"$in": ["w", "*"]}},
        ),
    ],
    ids=["domain", "workspace", "workspace and domain-wide jobs"],
)
def test_the_scope_stands_first_and_beside_all_else(scope: Scope, expected: dict[str, Any]) -> None:
    query = {"filter": [{"k": "domain_id", "v": "domain-b", "o": "eq"}], "keyword": "x"}

    document = plan({"query": query}, scope).jobs.document

    assert next(iter(document)) == "domain_id"
    assert {name: document[name] for name in document if name != "$and"} == expected
    assert document["$and"] == [
        {"domain_id": "domain-b"},
        {"$or": [{"job_id": {"$in": [Regex("x", "i")]}}]},
    ]


def test_the_patterns_of_every_condition_are_counted_with_its_path() -> None:
    def condition(operator: str, value: Any) -> dict[str, Any]:
        return {"key": "plugin_id", "operator": operator, "value": value}

    query = {
        "filter": [condition("contain_in", ["a", "b", "c"]), condition("eq", "d")],
        "filter_or": [condition("regex", "e"), condition("not_contain", "f")],
        "keyword": "g h",
        "unwind": {"path": "plugin_id", "filter": [condition("contain_in", ["i", "j", "k", "l"])]},
    }

    assert +plan({"query": query}).jobs.patterns_at == {
        "query.filter[0]": 3,
        "query.filter_or[0]": 1,
        "query.filter_or[1]": 1,
        "query.keyword": 2,
        "query.unwind.filter": 4,
    }


def test_patterns_are_counted_wherever_they_lie() -> None:
    found = Regex("a", "i")

    assert patterns_in(found) == 1
    assert patterns_in("a") == 0
    assert patterns_in({"x": [found, {"$not": found}], "y": {"z": [[found], 1]}}) == 3
