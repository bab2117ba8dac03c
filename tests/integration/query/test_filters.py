"""Conditions on the real database: every operator, and how they combine
(docs/query-language.md#filters)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from inventory_job.auth.scope import Scope
from tests import oracle
from tests.cases import filters, moments
from tests.cases.filters import ALL, NONE, FilterCase
from tests.support.client import Client, Tenant, tenants
from tests.support.lower_half import LowerHalf, message
from tests.support.store import Store

DOMAIN = "domain-of-six"
FAILED = {"k": "status", "v": "FAILURE", "o": "eq"}
RUNNING = {"k": "status", "v": "IN_PROGRESS", "o": "eq"}


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs; another domain has the same ones."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    strangers = oracle.six_jobs("domain-of-strangers")
    database.jobs.insert_many([{**job, "_id": job["job_id"]} for job in strangers])
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@pytest.fixture(scope="module")
def with_clock(client: Client, database: Store) -> Iterator[LowerHalf]:
    """The server below its transport, at a fixed time."""
    with LowerHalf(database, moments.NOW) as lower:
        yield lower


def condition(case: FilterCase) -> dict[str, Any]:
    return {"key": case.key, "operator": case.operator, "value": case.value}


@pytest.mark.parametrize("case", [*filters.CASES, *moments.DATETIME], ids=lambda case: case.name)
def test_a_condition_finds(client: Client, case: FilterCase) -> None:
    answer = client.list({"filter": [condition(case)]})

    assert {job["total_tasks"] for job in answer["results"]} == case.jobs
    assert answer["total_count"] == len(case.jobs)


@pytest.mark.parametrize("case", moments.TIMEDIFF, ids=lambda case: case.name)
def test_a_relative_time_finds(with_clock: LowerHalf, case: FilterCase) -> None:
    request = message("list", {"query": {"filter": [condition(case)]}})

    answer = with_clock.answer("list", request, Scope(DOMAIN))

    assert {job["total_tasks"] for job in answer["results"]} == case.jobs


def test_a_relative_time_is_relative_to_the_time_of_the_call(client: Client) -> None:
    past = {"k": "created_at", "v": "now - 1d", "o": "timediff_lt"}
    future = {"k": "created_at", "v": "now + 1d", "o": "timediff_gt"}

    assert set(client.numbers({"filter": [past]})) == ALL
    assert set(client.numbers({"filter": [future]})) == NONE


def test_all_of_filter_must_hold(client: Client) -> None:
    odd = {"k": "collector_id", "v": "collector-a", "o": "eq"}
    large = {"k": "total_tasks", "v": 3, "o": "gte"}

    assert set(client.numbers({"filter": [odd, large]})) == {3, 5}


def test_one_of_filter_or_must_hold(client: Client) -> None:
    assert set(client.numbers({"filter_or": [FAILED, RUNNING]})) == {2, 3}


def test_filter_and_filter_or_must_both_hold(client: Client) -> None:
    large = {"k": "total_tasks", "v": 3, "o": "gte"}

    assert client.numbers({"filter": [large], "filter_or": [FAILED, RUNNING]}) == [3]


@pytest.mark.parametrize(
    ("query", "jobs"),
    [
        ({"keyword": "5"}, {5}),
        ({"keyword": "JOB-0"}, ALL),
        ({"keyword": "5 6"}, {5, 6}),
        ({"keyword": "collector-a"}, NONE),
        ({"keyword": "."}, NONE),
        ({"keyword": "  "}, ALL),
        ({"keyword": " ", "filter_or": [FAILED]}, {2}),
        ({"keyword": "5", "filter_or": [FAILED]}, {2, 5}),
        ({"keyword": "5 2", "filter": [FAILED]}, {2}),
    ],
    ids=str,
)
def test_a_keyword_widens_filter_or(client: Client, query: dict[str, Any], jobs: set[int]) -> None:
    assert set(client.numbers(query)) == jobs


@pytest.mark.parametrize(
    ("parameters", "jobs"),
    [
        ({"job_id": "job-000000000004"}, {4}),
        ({"status": "FAILURE"}, {2}),
        ({"status": 3}, {3}),
        ({"status": "JOB_STATE_NONE"}, ALL),
        ({"status": "TIMEOUT"}, NONE),
        ({"collector_id": "collector-b"}, {2, 4}),
        ({"plugin_id": "plugin-y"}, {6}),
        ({"workspace_id": "workspace-1"}, ALL),
        ({"workspace_id": "workspace-2"}, NONE),
        ({"collector_id": "collector-b", "status": "SUCCESS"}, {4}),
        ({"collector_id": "collector-b", "query": {"filter_or": [FAILED, RUNNING]}}, {2}),
    ],
    ids=str,
)
def test_direct_parameters_are_conditions(
    client: Client, parameters: dict[str, Any], jobs: set[int]
) -> None:
    assert set(client.numbers(**parameters)) == jobs


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("eq", None, {1, 2}),
        ("not", None, {3}),
        ("exists", True, {1, 3}),
        ("exists", False, {2}),
        ("in", [None], {1, 2}),
        ("not_in", [None], {3}),
        ("not", "plugin-x", {1, 2}),
        ("not_contain", "x", {1, 2}),
        ("not_contain_in", ["x", "y"], {1, 2}),
        ("lt", "z", {3}),
    ],
    ids=str,
)
def test_null_and_absent_differ_for_exists_alone(
    tenant: Tenant, operator: str, value: Any, found: set[int]
) -> None:
    client = tenant({"plugin_id": None}, {}, {"plugin_id": "plugin-x"})

    assert set(client.numbers({"filter": [{"k": "plugin_id", "o": operator, "v": value}]})) == found


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("contain", "Plügin (1).*\\d+[x]{2}^$|?\"'/ #&~-\t\n"),
        ("regex", r"\(1\)\.\*.d\+"),
        ("eq", "plügin (1).*\\d+[x]{2}^$|?\"'/ #&~-\t\n\0"),
        ("contain", "-\t\n\0"),
    ],
    ids=["contain", "regex", "eq", "NUL"],
)
def test_text_is_found_whatever_is_in_it(tenant: Tenant, operator: str, value: str) -> None:
    client = tenant({"plugin_id": "plügin (1).*\\d+[x]{2}^$|?\"'/ #&~-\t\n\0"}, {"plugin_id": "x"})

    assert client.numbers({"filter": [{"k": "plugin_id", "o": operator, "v": value}]}) == [1]


@pytest.mark.parametrize(("operator", "word"), [("contain", "ЗАДАЧА-Ä"), ("regex", "задача-[Ä]$")])
def test_case_is_ignored_beyond_ascii(tenant: Tenant, operator: str, word: str) -> None:
    client = tenant({"plugin_id": "Задача-ä"}, {"plugin_id": "задача-a"})

    assert client.numbers({"filter": [{"k": "plugin_id", "o": operator, "v": word}]}) == [1]


def test_a_stored_value_of_another_type_does_not_compare(tenant: Tenant) -> None:
    client = tenant({"total_tasks": "3"}, {"total_tasks": 2.5}, {"total_tasks": 3})

    above_2 = {"k": "total_tasks", "o": "gt", "v": 2}

    assert set(client.numbers({"filter": [above_2]})) == {2, 3}


def test_a_workspace_sees_its_own_jobs_and_those_of_the_domain(
    tenant: Tenant, channel: grpc.Channel
) -> None:
    domain = tenant({"workspace_id": "w-1"}, {"workspace_id": "*"}, {"workspace_id": "w-2"}, {})
    workspace = Client(channel, domain.domain_id, "w-1")
    any_workspace = {"k": "workspace_id", "o": "exists", "v": True}

    assert set(workspace.numbers()) == {1, 2}
    assert set(workspace.numbers({"filter_or": [any_workspace]})) == {1, 2}
