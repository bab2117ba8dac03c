"""The oracle's filters and lists against the specification's statements, on the six jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from bson import Int64

from tests.cases import filters, moments
from tests.cases.filters import FilterCase
from tests.oracle import (
    DOMAINS,
    WORKSPACES,
    NotEvaluable,
    Scope,
    list_jobs,
    many_jobs,
    six_jobs,
    with_job,
)
from tests.support.six_jobs import DOMAIN, JOBS, NOW, SCOPE, Plain


def numbers(
    request: Plain, scope: Scope = SCOPE, jobs: list[Plain] = JOBS, now: datetime = NOW
) -> list[int]:
    """The numbers of the jobs that a list answers, in its order."""
    return [int(job["job_id"][-1]) for job in list_jobs(jobs, request, scope, now).jobs]


def found(*conditions: Plain, jobs: list[Plain] = JOBS) -> set[int]:
    return set(numbers({"query": {"filter": list(conditions)}}, jobs=jobs))


def condition(key: str, operator: str, value: Any) -> Plain:
    return {"k": key, "o": operator, "v": value}


# A spelling of dates and a dialect of patterns on which the specification is silent.
NOT_EVALUABLE = {"gte date", "regex is PCRE"}
CASES = [*filters.CASES, *moments.DATETIME, *moments.TIMEDIFF]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.name not in NOT_EVALUABLE],
    ids=lambda case: case.name,
)
def test_the_oracle_finds_what_every_case_says(case: FilterCase) -> None:
    query = {"filter": [condition(case.key, case.operator, case.value)]}

    assert set(numbers({"query": query}, now=moments.NOW)) == case.jobs


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("status", "eq", "FAILURE", {2}),
        ("status", "not", "SUCCESS", {2, 3}),
        ("total_tasks", "eq", "3", {3}),
        ("total_tasks", "eq", 3.0, {3}),
        ("total_tasks", "gte", 5, {5, 6}),
        ("total_tasks", "lt", None, set()),
        ("collector_id", "eq", None, {6}),
        ("collector_id", "lt", "collector-b", {1, 3, 5}),
        ("status", "in", ["FAILURE", "IN_PROGRESS"], {2, 3}),
        ("status", "in", [], set()),
        ("status", "not_in", [], {1, 2, 3, 4, 5, 6}),
        ("plugin_id", "contain", "IN-Y", {6}),
        ("plugin_id", "contain", "p.*", set()),
        ("collector_id", "not_contain", "-a", {2, 4, 6}),
        ("status", "contain_in", ["fail", "prog"], {2, 3}),
        ("status", "contain_in", [], set()),
        ("status", "not_contain_in", ["fail", "prog"], {1, 4, 5, 6}),
        ("status", "not_contain_in", [], {1, 2, 3, 4, 5, 6}),
        ("plugin_id", "regex", "p.*Y$", {6}),
        ("plugin_id", "regex_in", ["^y", "-y$"], {6}),
        ("collector_id", "exists", True, {1, 2, 3, 4, 5, 6}),
        ("status", "match", {"a": 1}, set()),
        ("created_at", "datetime_lt", "2026-03-02", {1}),
        ("created_at", "datetime_lte", "2026-03-02T02:00:00Z", {1, 2}),
        ("created_at", "datetime_lte", "2026-03-02T11:00:00+09:00", {1, 2}),
        ("created_at", "eq", "2026-03-04T04:00:00", {4}),
        ("created_at", "timediff_gte", "now/d-1d", {5, 6}),
        ("created_at", "timediff_gte", " now/w ", {2, 3, 4, 5, 6}),
        ("created_at", "timediff_gte", "now - 127h", {2, 3, 4, 5, 6}),
        ("created_at", "timediff_lt", "now/m+1w", {1, 2, 3, 4, 5, 6}),
        ("id", "eq", f"{4:024x}", {4}),
    ],
)
def test_a_condition_selects_the_jobs_that_the_operator_means(
    key: str, operator: str, value: Any, expected: set[int]
) -> None:
    assert found(condition(key, operator, value)) == expected


@pytest.mark.parametrize("operator", ["eq", "not_contain"])
def test_an_absent_field_is_like_null_to_a_condition(operator: str) -> None:
    jobs = with_job(JOBS, 2, without="collector_id")

    value = None if operator == "eq" else "collector"
    assert found(condition("collector_id", operator, value), jobs=jobs) == {2, 6}


def test_an_absent_field_does_not_exist() -> None:
    jobs = with_job(JOBS, 2, without="collector_id")

    assert found(condition("collector_id", "exists", False), jobs=jobs) == {2}


def test_a_keyword_widens_a_filter_or() -> None:
    query = {"filter_or": [condition("status", "eq", "FAILURE")], "keyword": "5"}

    assert set(numbers({"query": query})) == {2, 5}


def test_a_filter_narrows_a_filter_or_and_a_blank_keyword_is_ignored() -> None:
    query = {
        "filter": [condition("collector_id", "eq", "collector-b")],
        "filter_or": [condition("total_tasks", "lt", 3), condition("total_tasks", "gt", 4)],
        "keyword": "  ",
    }

    assert set(numbers({"query": query})) == {2}


def test_a_scope_shows_its_domain_and_workspaces_alone() -> None:
    jobs = [*with_job(JOBS, 1, workspace_id="*"), *six_jobs("domain-b")]

    assert set(numbers({}, Scope(DOMAIN, ("*",)), jobs)) == {1}
    assert list_jobs(jobs, {}, SCOPE, NOW).total_count == 6


def test_direct_parameters_are_conditions_and_no_state_is_none() -> None:
    assert numbers({"status": "SUCCESS", "collector_id": "collector-a"}) == [5, 1]
    assert len(numbers({"status": "JOB_STATE_NONE"})) == 6


def test_a_list_without_a_sort_shows_the_latest_first_and_ties_by_id() -> None:
    jobs = with_job(JOBS, 1, created_at=JOBS[5]["created_at"])

    assert numbers({}, jobs=jobs) == [1, 6, 5, 4, 3, 2]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([{"key": "collector_id"}], [6, 1, 3, 5, 2, 4]),
        ([{"key": "collector_id", "desc": True}], [2, 4, 1, 3, 5, 6]),
        ([{"key": "status", "desc": True}, {"key": "total_tasks", "desc": True}], None),
        ([{"key": "nowhere"}], [1, 2, 3, 4, 5, 6]),
        ([{"key": "id", "desc": True}], [6, 5, 4, 3, 2, 1]),
    ],
)
def test_a_list_is_sorted_most_significant_first(
    sort: list[Plain], expected: list[int] | None
) -> None:
    assert numbers({"query": {"sort": sort}}) == (expected or [6, 5, 4, 1, 3, 2])


def test_a_list_can_be_sorted_by_an_added_field() -> None:
    late = {"if": {"__gt": ["$total_tasks", 4]}, "then": 0, "else": "$total_tasks"}
    query = {"add_fields": {"place": late}, "sort": [{"key": "place"}]}

    assert numbers({"query": query}) == [5, 6, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"start": 2, "limit": 2}, [5, 4]),
        ({"start": 5}, [2, 1]),
        ({"limit": 5000}, [6, 5, 4, 3, 2, 1]),
        ({"start": 7, "limit": 2}, []),
    ],
)
def test_a_page_starts_at_one_and_the_total_counts_all(page: Plain, expected: list[int]) -> None:
    answer = list_jobs(JOBS, {"query": {"page": page}}, SCOPE, NOW)

    assert [int(job["job_id"][-1]) for job in answer.jobs] == expected
    assert answer.total_count == 6


def test_count_only_answers_no_jobs() -> None:
    answer = list_jobs(JOBS, {"query": {"count_only": True}}, SCOPE, NOW)

    assert (answer.total_count, answer.jobs) == (6, [])


def test_a_job_reads_as_its_message_does() -> None:
    assert list_jobs(JOBS, {"job_id": "job-000000000003"}, SCOPE, NOW).jobs == [
        {
            "job_id": "job-000000000003",
            "status": "IN_PROGRESS",
            "total_tasks": 3,
            "remained_tasks": 1,
            "success_tasks": 2,
            "failure_tasks": 0,
            "request_secret_id": "",
            "request_workspace_id": "",
            "resource_group": "WORKSPACE",
            "domain_id": DOMAIN,
            "workspace_id": "workspace-1",
            "collector_id": "collector-a",
            "plugin_id": "plugin-x",
            "created_at": "2026-03-03T03:00:00.000Z",
            "updated_at": "2026-03-03T04:00:00.000Z",
            "finished_at": "",
        }
    ]


@pytest.mark.parametrize(
    ("field", "stored", "expected"),
    [
        ("status", "TIMEOUT", "FAILURE"),
        ("status", "PENDING", "NONE"),
        ("resource_group", "PROJECT", "RESOURCE_GROUP_NONE"),
        ("total_tasks", Int64(2**40), 2**31 - 1),
        ("total_tasks", 2.9, 2),
        ("remained_tasks", -1, -1),
        ("finished_at", "2026-03-04", "2026-03-04"),
        ("request_workspace_id", 12, "12"),
    ],
)
def test_what_older_documents_hold_is_converted(field: str, stored: Any, expected: Any) -> None:
    jobs = with_job(JOBS, 1, **{field: stored}, filter={"region": "kr"})

    assert list_jobs(jobs[:1], {}, SCOPE, NOW).jobs[0][field] == expected


def test_an_absent_status_is_in_progress_unless_it_was_not_asked_for() -> None:
    jobs = with_job(JOBS, 1, without="status")[:1]

    assert list_jobs(jobs, {}, SCOPE, NOW).jobs[0]["status"] == "IN_PROGRESS"
    only = list_jobs(jobs, {"query": {"only": ["job_id"]}}, SCOPE, NOW).jobs[0]
    assert (only["status"], only["total_tasks"]) == ("NONE", 0)


def test_only_and_minimal_together_show_both() -> None:
    query = {"only": ["total_tasks"], "minimal": True}

    job = list_jobs(JOBS, {"query": query}, SCOPE, NOW).jobs[0]
    shown = {name for name, value in job.items() if value not in ("", 0, "RESOURCE_GROUP_NONE")}
    assert shown == {"total_tasks", "job_id", "status", "created_at", "finished_at"}


@pytest.mark.parametrize(
    "query",
    [
        {"filter": [condition("status", "eq", {"$ne": "x"})]},
        {"filter": [condition("created_at", "timediff_gt", "now-2M")]},
        {"filter": [condition("plugin_id", "regex", "(?<name>x)")]},
        {"only": ["nowhere"]},
    ],
)
def test_what_cannot_be_decided_is_not_answered(query: Plain) -> None:
    with pytest.raises(NotEvaluable):
        list_jobs(JOBS, {"query": query}, SCOPE, NOW)


def test_the_many_jobs_are_the_same_for_a_seed_and_varied() -> None:
    jobs = many_jobs(1, 300)

    assert jobs == many_jobs(1, 300)
    assert {job["domain_id"] for job in jobs} == set(DOMAINS)
    assert {job.get("workspace_id") for job in jobs} == {*WORKSPACES, "*", None}
    assert len({job.get("created_at") for job in jobs}) < 100
    assert any("created_at" not in job for job in jobs)
