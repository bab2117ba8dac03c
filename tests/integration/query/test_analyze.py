"""Analyses on the real database (docs/query-language.md#analyze)."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from tests.cases import analyses, expressions, folds
from tests.cases.analyses import AnalyzeCase
from tests.cases.expressions import ExpressionCase
from tests.support.client import Client, Tenant

COUNT = {"n": {"operator": "count"}}
LOOKUP = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}


@pytest.mark.parametrize("case", [*analyses.CASES, *folds.CASES], ids=lambda case: case.name)
def test_an_analyze_gives(client: Client, nested: Client, case: AnalyzeCase) -> None:
    assert (nested if case.nested else client).analyze(case.query)["results"] == case.rows


@pytest.mark.parametrize("case", expressions.CASES, ids=lambda case: case.name)
def test_an_added_field_is(client: Client, case: ExpressionCase) -> None:
    query = {
        "add_fields": {"x": case.written},
        "group_by": ["total_tasks"],
        "fields": {"x": {"operator": "first", "key": "x"}},
    }

    assert [row["x"] for row in client.analyze(query)["results"]] == case.values


def test_the_worked_example_of_field_group(tenant: Tenant) -> None:
    jobs = [{"plugin_id": "plugin-x", "status": status} for status in ("SUCCESS", "FAILURE")]
    client = tenant(*jobs, *jobs, jobs[0])

    answer = client.analyze(
        {"group_by": ["plugin_id", "status"], "field_group": ["status"], "fields": COUNT}
    )

    assert answer == {
        "results": [
            {
                "plugin_id": "plugin-x",
                "n": [{"value": 2, "status": "FAILURE"}, {"value": 3, "status": "SUCCESS"}],
                "_total_n": 5,
            }
        ],
        "more": False,
    }


def test_everything_can_be_folded(client: Client) -> None:
    query = {"group_by": ["plugin_id"], "field_group": ["plugin_id"], "fields": COUNT}

    assert client.analyze(query)["results"] == [
        {
            "n": [{"value": 5, "plugin_id": "plugin-x"}, {"value": 1, "plugin_id": "plugin-y"}],
            "_total_n": 6,
        }
    ]


def test_folded_lists_are_sorted_by_the_folded_names(client: Client) -> None:
    query = {
        "group_by": ["status", "plugin_id", "collector_id"],
        "field_group": ["collector_id", "status"],
        "fields": COUNT,
        "page": {"limit": 1},
    }

    [row] = client.analyze(query)["results"]

    assert [(entry["status"], entry["collector_id"]) for entry in row["n"]] == [
        ("FAILURE", "collector-b"),
        ("IN_PROGRESS", "collector-a"),
        ("SUCCESS", "collector-a"),
        ("SUCCESS", "collector-b"),
    ]


def test_stored_lists_can_be_folded(nested: Client) -> None:
    query = {
        "group_by": ["durations", "tags", "plugin_id"],
        "field_group": ["durations", "tags"],
        "fields": COUNT,
    }

    rows = nested.analyze(query)["results"]

    assert [(row["plugin_id"], row["_total_n"]) for row in rows] == [
        ("plugin-x", 2),
        ("plugin-y", 2),
    ]
    assert [entry["durations"] for entry in rows[1]["n"]] == [None, []]


@pytest.mark.parametrize(
    ("page", "days", "more"),
    [
        ({}, [1, 2, 3, 4, 5, 6], False),
        ({"limit": 2}, [1, 2], True),
        ({"start": 0, "limit": 5}, [1, 2, 3, 4, 5], True),
        ({"start": 5, "limit": 2}, [5, 6], False),
        ({"limit": 6}, [1, 2, 3, 4, 5, 6], False),
        ({"start": 3}, [3, 4, 5, 6], False),
        ({"start": 7, "limit": 2}, [], False),
    ],
    ids=str,
)
def test_a_page_says_whether_more_rows_follow(
    client: Client, page: dict[str, int], days: list[int], more: bool
) -> None:
    answer = client.analyze({"group_by": ["total_tasks"], "fields": COUNT, "page": page})

    assert answer == {"results": [{"total_tasks": day, "n": 1} for day in days], "more": more}


@pytest.mark.parametrize(("limit", "more"), [(0, True), (1000, True), (5000, True)])
def test_a_page_has_1000_rows_at_most_and_then_more_is_true(
    tenant: Tenant, limit: int, more: bool
) -> None:
    client = tenant(*({"total_tasks": n} for n in range(1001)))
    query = {"group_by": ["total_tasks"], "fields": COUNT, "page": {"limit": limit}}

    answer = client.analyze(query)

    assert [row["total_tasks"] for row in answer["results"]] == [*range(1000)]
    assert answer["more"] is more


@pytest.mark.parametrize(
    ("sort", "statuses"),
    [
        ([{"key": "n", "desc": True}, {"key": "status"}], ["SUCCESS", "FAILURE", "IN_PROGRESS"]),
        ([{"key": "status", "desc": True}], ["SUCCESS", "IN_PROGRESS", "FAILURE"]),
        ([{"key": "n"}], ["FAILURE", "IN_PROGRESS", "SUCCESS"]),
        ([{"key": "nothing"}], ["FAILURE", "IN_PROGRESS", "SUCCESS"]),
    ],
    ids=str,
)
def test_rows_are_sorted_by_keys_and_fields(
    client: Client, sort: list[dict[str, Any]], statuses: list[str]
) -> None:
    answer = client.analyze({"group_by": ["status"], "fields": COUNT, "sort": sort})

    assert [row["status"] for row in answer["results"]] == statuses


def test_a_filter_and_a_keyword_come_first(client: Client) -> None:
    query = {
        "fields": COUNT,
        "filter": [{"k": "total_tasks", "v": 2, "o": "gte"}],
        "filter_or": [{"k": "status", "v": "FAILURE", "o": "eq"}],
        "keyword": "6",
    }

    assert client.analyze(query)["results"] == [{"n": 2}]


def test_unwound_elements_are_grouped(nested: Client) -> None:
    query = {
        "unwind": {"path": "tags", "filter": [{"k": "tags.key", "o": "not", "v": None}]},
        "group_by": ["tags.key"],
        "fields": {"values": {"operator": "push", "key": "tags.value"}},
        "page": {"start": 2},
    }

    assert nested.analyze(query)["results"] == [{"key": "team", "values": ["Core (a)"]}]


def test_a_lookup_joins_the_tasks_of_the_scope(tenant: Tenant, channel: grpc.Channel) -> None:
    tasks = [
        {"job_id": f"job-{n:012x}", "status": status, "workspace_id": workspace}
        for n, status, workspace in (
            (1, "SUCCESS", "w-1"),
            (1, "FAILURE", "*"),
            (2, "SUCCESS", "w-1"),
            (2, "CANCELED", "w-2"),
        )
    ]
    domain = tenant({"workspace_id": "w-1"}, {"workspace_id": "*"}, tasks=tasks)
    workspace = Client(channel, domain.domain_id, "w-1")
    tenant({}, {}, tasks=tasks)
    query = {
        "lookup": [LOOKUP],
        "unwind": {"path": "tasks"},
        "group_by": ["tasks.status"],
        "fields": COUNT,
    }

    assert {row["status"]: row["n"] for row in domain.analyze(query)["results"]} == {
        "SUCCESS": 2,
        "FAILURE": 1,
        "CANCELED": 1,
    }
    assert {row["status"]: row["n"] for row in workspace.analyze(query)["results"]} == {
        "SUCCESS": 2,
        "FAILURE": 1,
    }


def test_absent_and_null_are_one_group(tenant: Tenant) -> None:
    client = tenant({"plugin_id": None}, {}, {"plugin_id": "x"})

    for group_by in (["plugin_id"], ["plugin_id", "domain_id"]):
        rows = client.analyze({"group_by": group_by, "fields": COUNT})["results"]
        assert [(row["plugin_id"], row["n"]) for row in rows] == [(None, 2), ("x", 1)]
