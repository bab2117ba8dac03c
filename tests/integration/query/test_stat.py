"""Stages and distinct values on the real database (docs/query-language.md#stat)."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from bson import ObjectId

from tests.cases import stages, stats
from tests.cases.stats import StatCase
from tests.support.client import Client, Tenant

BY_STATUS = {
    "group": {"keys": [{"k": "status", "n": "status"}], "fields": [{"o": "count", "n": "n"}]}
}
BY_DAY = {
    "group": {
        "keys": [{"k": "created_at", "n": "day", "date_format": "%Y-%m-%d"}],
        "fields": [{"o": "count", "n": "n"}],
    }
}


@pytest.mark.parametrize("case", [*stats.CASES, *stages.CASES], ids=lambda case: case.name)
def test_stages_give(client: Client, nested: Client, case: StatCase) -> None:
    answer = (nested if case.nested else client).stat({"aggregate": case.aggregate})

    assert answer == {"results": case.rows, "total_count": len(case.rows)}


def test_the_filter_comes_before_the_stages(client: Client) -> None:
    query = {
        "aggregate": [BY_STATUS],
        "filter": [{"k": "total_tasks", "v": 2, "o": "gte"}],
        "filter_or": [{"k": "status", "v": "FAILURE", "o": "eq"}],
        "keyword": "6",
    }

    assert client.stat(query) == {
        "results": [{"status": "FAILURE", "n": 1}, {"status": "SUCCESS", "n": 1}],
        "total_count": 2,
    }


@pytest.mark.parametrize(
    ("page", "days"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"limit": 2}, [1, 2]),
        ({"start": 0, "limit": 2}, [1, 2]),
        ({"start": 3, "limit": 2}, [3, 4]),
        ({"start": 6, "limit": 2}, [6]),
        ({"start": 5}, [5, 6]),
        ({"start": 7, "limit": 2}, []),
    ],
    ids=str,
)
def test_a_page_shows_a_part_of_the_rows_and_the_total(
    client: Client, page: dict[str, int], days: list[int]
) -> None:
    assert client.stat({"aggregate": [BY_DAY], "page": page}) == {
        "results": [{"day": f"2026-03-0{day}", "n": 1} for day in days],
        "total_count": 6,
    }


def test_a_page_has_1000_rows_at_most_and_the_total_of_all(tenant: Tenant) -> None:
    client = tenant(*({"total_tasks": n} for n in range(2100)))
    per_number = {"group": {"keys": [{"k": "total_tasks", "n": "n"}]}}

    answer = client.stat({"aggregate": [per_number], "page": {"start": 2, "limit": 5000}})
    values = client.stat({"distinct": "total_tasks", "page": {"start": 2, "limit": 5000}})

    assert answer == {"results": [{"n": n} for n in range(1, 1001)], "total_count": 2100}
    assert values == {"results": [*range(1, 1001)], "total_count": 2100}


def test_nothing_found_has_no_rows(client: Client) -> None:
    nothing = [{"k": "status", "v": [], "o": "in"}]
    over_all = {"group": {"fields": [{"o": "count", "n": "n"}]}}

    for query in ({"aggregate": [over_all]}, {"distinct": "status"}):
        assert client.stat({**query, "filter": nothing}) == {"results": [], "total_count": 0}


def test_rows_that_are_jobs_are_shown_as_stored_by_id(tenant: Tenant) -> None:
    client = tenant({"status": "b", "tags": [1, {"a": None}]}, {"status": "a"})

    rows = client.rows({"limit": 5})

    assert [row["status"] for row in rows] == ["b", "a"]
    assert rows[0] == {
        "_id": rows[0]["_id"],
        "job_id": "job-000000000001",
        "domain_id": client.domain_id,
        "status": "b",
        "tags": [1, {"a": None}],
    }
    assert ObjectId.is_valid(rows[0]["_id"])


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("status", ["FAILURE", "IN_PROGRESS", "SUCCESS"]),
        ("total_tasks", [1, 2, 3, 4, 5, 6]),
        ("collector_id", [None, "collector-a", "collector-b"]),
        ("created_at", [f"2026-03-0{n}T0{n}:00:00.000Z" for n in range(1, 7)]),
        ("id", [f"{n:024x}" for n in range(1, 7)]),
        ("nothing", []),
        ("status.nothing", []),
    ],
)
def test_distinct_values_are_sorted(client: Client, path: str, values: list[Any]) -> None:
    assert client.stat({"distinct": path}) == {"results": values, "total_count": len(values)}


def test_distinct_values_are_those_within_the_filter(client: Client) -> None:
    query = {"distinct": "collector_id", "filter": [{"k": "total_tasks", "v": 3, "o": "lt"}]}

    assert client.stat(query)["results"] == ["collector-a", "collector-b"]


def test_distinct_values_are_paged_after_they_are_sorted(client: Client) -> None:
    query = {"distinct": "status", "page": {"start": 2, "limit": 1}}

    assert client.stat(query) == {"results": ["IN_PROGRESS"], "total_count": 3}


def test_an_absent_field_is_no_distinct_value_and_null_is_one(tenant: Tenant) -> None:
    assert tenant({"plugin_id": "x"}, {}).stat({"distinct": "plugin_id"})["results"] == ["x"]
    assert tenant({"plugin_id": None}, {}).stat({"distinct": "plugin_id"})["results"] == [None]


def test_distinct_values_of_several_types_are_in_bson_order(tenant: Tenant) -> None:
    client = tenant(*({"workspace_id": value} for value in ("b", True, 10, None, {"a": 1}, 9.5)))

    assert client.stat({"distinct": "workspace_id"})["results"] == [
        None, 9.5, 10, "b", {"a": 1}, True,
    ]  # fmt: skip


def test_distinct_looks_into_lists(nested: Client) -> None:
    assert nested.stat({"distinct": "tags.key"})["results"] == ["env", "team"]


def test_aggregate_wins_over_distinct(client: Client) -> None:
    query = {"aggregate": [{"count": {"name": "n"}}], "distinct": "status"}

    assert client.stat(query)["results"] == [{"n": 6}]


def test_neither_aggregate_nor_distinct_is_refused(client: Client) -> None:
    refusal = client.refused("stat", {"query": {"page": {"limit": 1}}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.details == "ERROR_REQUIRED_PARAMETER: Required parameter. (key = aggregate)"
    assert refusal.paths == ["query.aggregate"]


def test_absent_and_null_are_one_group(tenant: Tenant) -> None:
    client = tenant({"plugin_id": None}, {}, {"plugin_id": "x"})
    one, two = {"k": "plugin_id", "n": "p"}, {"k": "domain_id", "n": "d"}
    count = [{"o": "count", "n": "n"}]

    single = client.rows({"group": {"keys": [one], "fields": count}})
    double = client.rows({"group": {"keys": [one, two], "fields": count}})

    assert single == [{"p": None, "n": 2}, {"p": "x", "n": 1}]
    assert [(row["p"], row["n"]) for row in double] == [(None, 2), ("x", 1)]


def test_a_date_format_of_null_is_null(client: Client) -> None:
    for date_format in ("year", "%Y"):
        key = {"k": "finished_at", "n": "at", "date_format": date_format}
        rows = client.rows({"group": {"keys": [key], "fields": [{"o": "count", "n": "n"}]}})
        assert [(row["at"] is None, row["n"]) for row in rows] == [(True, 1), (False, 5)]


def test_pages_of_unwound_elements_do_not_overlap(tenant: Tenant) -> None:
    """All rows are ties but for the element itself."""
    client = tenant(*({"tags": [{"n": n * 40 + i} for i in range(40)]} for n in range(5)))
    sorted_by_nothing: list[dict[str, Any]] = [
        {"unwind": {"path": "tags"}},
        {"sort": [{"key": "nothing"}]},
    ]

    pages = [
        client.rows(*sorted_by_nothing, page={"start": 1 + start, "limit": 7})
        for start in range(0, 200, 7)
    ]

    assert sorted(row["tags"]["n"] for page in pages for row in page) == list(range(200))


def test_pages_of_groups_by_lists_do_not_overlap(tenant: Tenant) -> None:
    """To MongoDB's sort lists are as their least elements: all of these are ties."""
    client = tenant(*({"tags": [1, 2 + n]} for n in range(200)))
    sorted_by_key: list[dict[str, Any]] = [
        {"group": {"keys": [{"k": "tags", "n": "tags"}], "fields": [{"o": "count", "n": "n"}]}},
        {"sort": [{"key": "tags"}]},
    ]

    pages = [
        client.rows(*sorted_by_key, page={"start": 1 + start, "limit": 7})
        for start in range(0, 200, 7)
    ]

    assert [row["tags"][1] for page in pages for row in page] == [2 + n for n in range(200)]


def test_rows_without_keys_can_be_sorted_whatever_their_fields_are(client: Client) -> None:
    """Lists in two fields, which MongoDB does not sort by at once, do not matter to the order."""
    lists = [
        {"o": "push", "k": key, "n": name}
        for key, name in (("total_tasks", "a"), ("success_tasks", "b"))
    ]
    groups = {"group": {"keys": [{"k": "status", "n": "s"}], "fields": lists}}
    alone = {
        "project": {"exclude_keys": True, "fields": [{"k": n, "n": n} for n in ("s", "a", "b")]}
    }

    rows = client.rows(groups, alone, {"sort": [{"key": "nothing"}]}, {"project": {
        "fields": [{"k": "s", "n": "s"}]}})  # fmt: skip

    assert rows == [{"s": "FAILURE"}, {"s": "IN_PROGRESS"}, {"s": "SUCCESS"}]


def test_rows_can_be_sorted_by_a_part_of_what_was_unwound(nested: Client) -> None:
    rows = nested.rows(
        {"unwind": {"path": "tags"}},
        {"sort": [{"key": "tags.key", "desc": True}]},
        {"project": {"fields": [{"k": "tags.value", "n": "v"}], "exclude_keys": True}},
    )

    assert rows == [{"v": "Core (a)"}, {"v": "prod"}, {"v": "dev"}, {}]
