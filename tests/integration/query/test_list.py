"""Order, pages and fields of a list on the real database (docs/query-language.md#list)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import grpc
import pytest
from bson import ObjectId

from tests import oracle
from tests.cases import expressions
from tests.cases.expressions import ExpressionCase
from tests.support.client import Client, Tenant, tenants
from tests.support.store import Store

DOMAIN = "domain-of-six"
LOOKUP = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}
MINIMAL = {"job_id", "status", "created_at", "finished_at"}
NEWEST_FIRST = [6, 5, 4, 3, 2, 1]


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@pytest.fixture(scope="module")
def crowd(channel: grpc.Channel, database: Store) -> Client:
    """A client of a domain with 1 003 jobs, created in pairs at the same time."""
    jobs = (
        {
            "_id": ObjectId(f"{n:08x}{0:016x}"),
            "job_id": f"job-{n:012x}",
            "domain_id": "domain-of-many",
            "created_at": datetime(2026, 3, 1, 0, n // 2 // 60, n // 2 % 60),
        }
        for n in range(1, 1004)
    )
    database.jobs.insert_many(jobs)
    return Client(channel, "domain-of-many")


def shown(job: dict[str, Any]) -> set[str]:
    """The fields of a job that are set."""
    unset = {"", 0, "NONE", "RESOURCE_GROUP_NONE"}
    return {name for name, value in job.items() if value not in unset}


def test_without_a_query_all_jobs_come_newest_first(client: Client) -> None:
    assert client.numbers() == NEWEST_FIRST


def test_a_job_is_shown_in_full(client: Client) -> None:
    job = client.list({"page": {"start": 5, "limit": 1}})["results"][0]

    assert job == {
        "job_id": "job-000000000002",
        "status": "FAILURE",
        "total_tasks": 2,
        "remained_tasks": 0,
        "success_tasks": 1,
        "failure_tasks": 1,
        "request_secret_id": "",
        "request_workspace_id": "",
        "resource_group": "WORKSPACE",
        "domain_id": DOMAIN,
        "workspace_id": "workspace-1",
        "collector_id": "collector-b",
        "plugin_id": "plugin-x",
        "created_at": "2026-03-02T02:00:00.000Z",
        "updated_at": "2026-03-02T03:00:00.000Z",
        "finished_at": "2026-03-02T03:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ([{"key": "total_tasks"}], [1, 2, 3, 4, 5, 6]),
        ([{"key": "total_tasks", "desc": True}], [6, 5, 4, 3, 2, 1]),
        ([{"key": "status"}], [2, 3, 1, 4, 5, 6]),
        ([{"key": "status", "desc": True}], [1, 4, 5, 6, 3, 2]),
        ([{"key": "plugin_id"}, {"key": "collector_id", "desc": True}], [2, 4, 1, 3, 5, 6]),
        ([{"key": "finished_at"}], [3, 1, 2, 4, 5, 6]),
        ([{"key": "finished_at", "desc": True}], [6, 5, 4, 2, 1, 3]),
        ([{"key": "id", "desc": True}], [6, 5, 4, 3, 2, 1]),
    ],
    ids=str,
)
def test_jobs_are_sorted_most_significant_key_first_ties_by_id(
    client: Client, sort: list[dict[str, Any]], order: list[int]
) -> None:
    assert client.numbers({"sort": sort}) == order


def test_absent_sorts_as_null_first_ascending(tenant: Tenant) -> None:
    client = tenant({"plugin_id": "a"}, {"plugin_id": None}, {}, {"plugin_id": ""})

    assert client.numbers({"sort": [{"key": "plugin_id"}]}) == [2, 3, 4, 1]


@pytest.mark.parametrize(
    ("page", "order"),
    [
        ({"limit": 2}, [6, 5]),
        ({"start": 0, "limit": 2}, [6, 5]),
        ({"start": 1, "limit": 2}, [6, 5]),
        ({"start": 3, "limit": 2}, [4, 3]),
        ({"start": 6, "limit": 2}, [1]),
        ({"start": 4}, [3, 2, 1]),
        ({"start": 7}, []),
        ({"start": 4_000_000_000, "limit": 4_000_000_000}, []),
    ],
    ids=str,
)
def test_a_page_shows_a_part_and_the_total_of_all(
    client: Client, page: dict[str, int], order: list[int]
) -> None:
    assert client.numbers({"page": page}) == order
    assert client.list({"page": page})["total_count"] == 6


@pytest.mark.parametrize("page", [{}, {"limit": 0}, {"limit": 1000}, {"limit": 5000}], ids=str)
def test_a_page_has_1000_jobs_at_most(crowd: Client, page: dict[str, int]) -> None:
    answer = crowd.list({"page": page})

    assert len(answer["results"]) == 1000
    assert answer["total_count"] == 1003


def test_pages_without_a_sort_do_not_overlap_where_times_are_equal(crowd: Client) -> None:
    pages = [crowd.numbers({"page": {"start": 1 + n * 101, "limit": 101}}) for n in range(10)]

    assert sorted(number for page in pages for number in page) == list(range(1, 1004))


def test_count_only_has_no_results(client: Client) -> None:
    query = {"count_only": True, "filter": [{"k": "status", "v": "SUCCESS", "o": "eq"}]}

    assert client.list(query) == {"results": [], "total_count": 4}


def test_minimal_shows_what_identifies_a_job_and_its_state(client: Client) -> None:
    for job in client.list({"minimal": True, "filter": [{"k": "id", "o": "not"}]})["results"]:
        assert shown(job) == MINIMAL - (
            {"finished_at"} if job["status"] == "IN_PROGRESS" else set()
        )


def test_only_shows_exactly_the_fields_asked_for(client: Client) -> None:
    query = {
        "only": ["job_id", "total_tasks"],
        "sort": [{"key": "plugin_id"}],
        "page": {"limit": 1},
    }

    [job] = client.list(query)["results"]

    assert shown(job) == {"job_id", "total_tasks"}


def test_only_and_minimal_show_the_union(client: Client) -> None:
    query = {"only": ["plugin_id"], "minimal": True, "page": {"limit": 1}}

    [job] = client.list(query)["results"]

    assert shown(job) == MINIMAL | {"plugin_id"}


@pytest.mark.parametrize("path", ["status", "finished_at", "request_secret_id"])
def test_unwind_changes_nothing(client: Client, path: str) -> None:
    assert client.numbers({"unwind": {"path": path}}) == NEWEST_FIRST


@pytest.mark.parametrize("case", expressions.CASES, ids=lambda case: case.name)
def test_jobs_can_be_sorted_by_an_added_field(client: Client, case: ExpressionCase) -> None:
    query = {"add_fields": {"x": case.written}, "sort": [{"key": "x"}]}
    kinds = [(value is not None, str(value) if isinstance(value, str) else value or 0)
             for value in case.values]  # fmt: skip

    assert client.numbers(query) == [n for _, n in sorted(zip(kinds, range(1, 7), strict=True))]


def test_an_added_field_does_not_show_and_replaces_nothing(client: Client) -> None:
    query = {"add_fields": {"status": "x", "job_id": "y"}, "page": {"limit": 1}}

    assert client.list(query)["results"] == client.list({"page": {"limit": 1}})["results"]


def test_a_sort_by_an_added_field_of_a_fields_name_means_the_added_one(client: Client) -> None:
    down = {"if": {"__gt": ["$total_tasks", 3]}, "then": 0, "else": 1}
    query = {"add_fields": {"status": down}, "sort": [{"key": "status"}], "page": {"limit": 4}}

    answer = client.list(query)

    assert [job["total_tasks"] for job in answer["results"]] == [4, 5, 6, 1]
    assert [job["status"] for job in answer["results"]] == ["SUCCESS"] * 4
    assert answer["total_count"] == 6


def test_jobs_can_be_sorted_by_what_a_lookup_joins(tenant: Tenant) -> None:
    tasks = [{"job_id": f"job-{n:012x}", "provider": f"p-{9 - n}"} for n in (1, 3)]
    client = tenant({}, {}, {}, tasks=tasks)

    assert client.numbers({"lookup": [LOOKUP], "sort": [{"key": "tasks.provider"}]}) == [2, 3, 1]


def test_get_shows_one_job(client: Client) -> None:
    job = client.call("get", {"job_id": "job-000000000003"})

    assert (job["total_tasks"], job["status"], job["finished_at"]) == (3, "IN_PROGRESS", "")
