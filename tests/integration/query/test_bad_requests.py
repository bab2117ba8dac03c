"""Bad requests through the channel: status, details and BadRequest, and nothing of the driver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import grpc
import pytest
from bson import Int64

from inventory_job.errors import Code
from tests import oracle
from tests.cases import refusals, stage_refusals
from tests.cases.refusals import RefusalCase
from tests.support.client import Client, Refusal, Tenant, tenants
from tests.support.store import Store

DOMAIN = "domain-of-six"
STATUSES = {Code.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED}
COUNT = {"n": {"operator": "count"}}


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@pytest.mark.parametrize(
    "case", [*refusals.CASES, *stage_refusals.CASES], ids=lambda case: f"{case.method} {case.name}"
)
def test_a_bad_request_is_refused(client: Client, case: RefusalCase) -> None:
    refusal = client.refused(case.method, {"query": case.query})

    assert refusal.status is STATUSES.get(case.code, grpc.StatusCode.INVALID_ARGUMENT)
    assert refusal.code == case.code
    assert case.details in refusal.details
    assert refusal.paths[0] == case.path
    # The first violation is the details text.
    assert refusal.details.startswith(refusal.violations[0][1].removesuffix("…"))


@pytest.mark.parametrize(
    ("method", "missing"),
    [("get", "job_id"), ("delete", "job_id"), ("stat", "query"), ("analyze", "query")],
)
def test_a_required_parameter_is_named(client: Client, method: str, missing: str) -> None:
    refusal = client.refused(method, {})

    assert refusal.details == f"ERROR_REQUIRED_PARAMETER: Required parameter. (key = {missing})"
    assert refusal.paths == [missing]


@pytest.mark.parametrize("lists", ["filter", "filter_or"])
@pytest.mark.parametrize(
    ("operator", "value", "shown"),
    [
        ("regex", "(", "'('"),
        ("regex", "a{2,1}", "'a{2,1}'"),
        ("regex_in", ["fine", "[z-a]"], "'[z-a]'"),
    ],
)
def test_an_invalid_regular_expression_is_blamed(
    client: Client, lists: str, operator: str, value: Any, shown: str
) -> None:
    fine = {"k": "plugin_id", "o": "regex", "v": "^p"}

    refusal = client.refused(
        "list", {"query": {lists: [fine, {"k": "plugin_id", "o": operator, "v": value}]}}
    )

    assert (refusal.status, refusal.code) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        Code.INVALID_PARAMETER,
    )
    assert refusal.paths == [f"query.{lists}[1]"]
    assert f"reason = {shown} is not a regular expression:" in refusal.details


@pytest.mark.parametrize("method", ["stat", "analyze"])
def test_an_invalid_regular_expression_is_blamed_in_every_method(
    client: Client, method: str
) -> None:
    measure: dict[str, Any] = {"distinct": "status"} if method == "stat" else {"fields": COUNT}
    query = {"filter": [{"k": "plugin_id", "o": "regex", "v": "*"}], **measure}

    assert client.refused(method, {"query": query}).paths == ["query.filter[0]"]


def test_all_invalid_regular_expressions_are_blamed(client: Client) -> None:
    query = {
        "filter": [{"k": "plugin_id", "o": "regex_in", "v": ["(", "fine", ")"]}],
        "filter_or": [{"k": "status", "o": "regex", "v": "["}],
    }

    refusal = client.refused("list", {"query": query})

    assert refusal.paths == ["query.filter[0]", "query.filter[0]", "query.filter_or[0]"]


def at_fault(refusal: Refusal) -> str:
    """The reason why the database does not take the query."""
    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    prefix = "ERROR_DB_QUERY: Database query failed. (reason = "
    assert refusal.details.startswith(prefix)
    return refusal.details.removeprefix(prefix).removesuffix(")")


def group_field(operator: str) -> dict[str, Any]:
    fields = [{"o": operator, "k": "status", "n": "x"}]
    return {"group": {"keys": [{"k": "plugin_id", "n": "p"}], "fields": fields}}


def projected(operator: str) -> dict[str, Any]:
    return {"project": {"fields": [{"k": "status", "n": "x", "o": operator}]}}


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (group_field("merge_objects"), "merge_objects was given a value that is not a document"),
        (projected("size"), "size was given a value that is not a list"),
        (projected("array_to_object"), "array_to_object was given a value that is not a list"),
        (projected("object_to_array"), "object_to_array was given a value that is not a document"),
    ],
    ids=["merge_objects", "size", "array_to_object", "object_to_array"],
)
def test_what_the_data_do_not_allow_is_refused(
    client: Client, stage: dict[str, Any], reason: str
) -> None:
    assert at_fault(client.refused("stat", {"query": {"aggregate": [stage]}})) == reason


@pytest.mark.parametrize("operator", ["add", "subtract", "multiply", "divide"])
def test_arithmetic_on_text_is_refused(client: Client, operator: str) -> None:
    select = {"x": {"operator": operator, "fields": ["status", 2]}}
    query = {"group_by": ["status"], "fields": COUNT, "select": select}

    reason = at_fault(client.refused("analyze", {"query": query}))

    assert reason.startswith(("arithmetic on other than numbers", "the database cannot evaluate"))


@pytest.mark.parametrize(
    ("operator", "moved_by"),
    [("subtract", Int64(-(2**63))), ("subtract", 1e300), ("add", Int64(2**63 - 1))],
)
def test_a_date_moved_by_more_than_there_is_is_refused(
    tenant: Tenant, operator: str, moved_by: Int64 | float
) -> None:
    client = tenant({"created_at": datetime(2026, 3, 4), "total_tasks": moved_by})
    fields = {name: {"operator": "max", "key": name} for name in ("created_at", "total_tasks")}
    select = {"x": {"operator": operator, "fields": ["created_at", "total_tasks"]}}
    query = {"group_by": ["status"], "fields": fields, "select": select}

    reason = at_fault(client.refused("analyze", {"query": query}))

    assert reason == "arithmetic on dates that leaves the calendar"


def test_the_sum_of_two_dates_is_refused(tenant: Tenant) -> None:
    client = tenant({"created_at": datetime(2026, 3, 4)})
    fields = {"at": {"operator": "max", "key": "created_at"}}
    select = {"x": {"operator": "add", "fields": ["at", "at"]}}

    reason = at_fault(client.refused("analyze", {"query": {"fields": fields, "select": select}}))

    assert reason == "arithmetic on other than numbers"


@pytest.mark.parametrize("operator", ["first", "last"])
def test_elements_of_what_is_no_list_are_refused(client: Client, operator: str) -> None:
    field = {"operator": operator, "key": "status", "data_type": "array"}

    reason = at_fault(client.refused("analyze", {"query": {"fields": {"x": field}}}))

    assert reason == "first or last of an array was given a value that is not a list"


def test_all_problems_come_as_violations_and_the_first_as_details(client: Client) -> None:
    query = {
        "filter": [{"k": "total_tasks", "o": "eq", "v": "x"}, {"k": "status", "o": "in", "v": "x"}],
        "sort": [{}],
    }

    refusal = client.refused("list", {"query": query})

    assert refusal.paths == ["query.filter[0].v", "query.filter[1].v", "query.sort[0].key"]
    assert [description for _, description in refusal.violations] == [
        (
            f"{Code.INVALID_PARAMETER_TYPE}: Parameter type is invalid. "
            f"(key = {refusal.paths[0]}, type = integer)"
        ),
        (
            f"{Code.OPERATOR_LIST_VALUE_TYPE}: The value of 'in operator' must be a list type. "
            f"({refusal.paths[1]})"
        ),
        f"{Code.REQUIRED_PARAMETER}: Required parameter. (key = {refusal.paths[2]})",
    ]
    assert refusal.details == refusal.violations[0][1]


def test_many_problems_still_reach_the_client(client: Client) -> None:
    """Trailers are bounded: what does not fit is left out, and the call ends with its status."""
    bad = [{"k": "é" * 1000, "o": "é" * 1000, "v": n} for n in range(100)]

    refusal = client.refused("list", {"query": {"filter": bad}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.code == Code.INVALID_PARAMETER
    assert refusal.paths[0] == "query.filter[0].k"


def test_an_enum_number_without_a_name_is_refused(client: Client) -> None:
    refusal = client.refused("list", {"status": 99})

    assert refusal.paths == ["status"]
    assert "there is no status with the number 99" in refusal.details
