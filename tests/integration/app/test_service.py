"""The methods as clients meet them: official stubs, reflection, errors."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

from inventory_job.embedded.demo_data import samples
from tests.support import reflection
from tests.support.official import JOB_SERVICE, OLD_DOMAIN, SAMPLE_DOMAIN, Call, official, refused
from tests.support.store import Store


@pytest.fixture(autouse=True)
def sample(database: Store) -> None:
    """The published sample jobs and a task of one of them, as new for every test."""
    database.jobs.drop()
    database.job_tasks.drop()
    database.jobs.insert_many(job for job, _ in samples())
    database.job_tasks.insert_many(
        {"job_id": job_id, "domain_id": SAMPLE_DOMAIN}
        for job_id in ("job-3b124006c2d2", "job-3b124006c2d2", "job-587a3d3b4db3")
    )


def reflected(channel: grpc.Channel) -> Call:
    """Calls through nothing but what the server's reflection tells."""

    def call(method: str, request: dict[str, Any], domain: str) -> dict[str, Any]:
        tenant = (("x_domain_id", domain),)
        return reflection.call(channel, f"{JOB_SERVICE}/{method}", request, tenant)

    return call


@pytest.fixture(params=[official, reflected], ids=["official stubs", "reflection"])
def call(request: pytest.FixtureRequest, channel: grpc.Channel) -> Call:
    made: Call = request.param(channel)
    return made


def test_list_shows_the_sample_jobs_of_a_domain_newest_first(call: Call) -> None:
    assert call("list", {}, SAMPLE_DOMAIN) == {
        "results": [
            {
                "job_id": "job-3b124006c2d2",
                "status": "SUCCESS",
                "total_tasks": 2,
                "success_tasks": 2,
                "resource_group": "DOMAIN",
                "domain_id": SAMPLE_DOMAIN,
                "collector_id": "collector-accd02663b3d",
                "plugin_id": "plugin-openstack-inven-collector",
                "created_at": "2022-06-17T08:00:01.225Z",
                "finished_at": "2022-06-17T08:00:15.197Z",
            },
            {
                "job_id": "job-587a3d3b4db3",
                "status": "SUCCESS",
                "total_tasks": 3,
                "success_tasks": 3,
                "resource_group": "DOMAIN",
                "domain_id": SAMPLE_DOMAIN,
                "collector_id": "collector-2c0847644f39",
                "plugin_id": "plugin-30d21ef75a5d",
                "created_at": "2022-06-17T08:00:00.407Z",
                "finished_at": "2022-06-17T08:07:32.023Z",
            },
        ],
        "total_count": 2,
    }


def test_get_shows_the_old_status_error_as_failure(call: Call) -> None:
    answer = call("get", {"job_id": "job-123456789012"}, OLD_DOMAIN)

    assert answer["status"] == "FAILURE"
    assert answer["total_tasks"] == 2
    assert answer["created_at"] == "2022-01-01T10:00:01.389Z"


def test_delete_removes_the_job_and_its_tasks_and_nothing_else(call: Call, database: Store) -> None:
    assert call("delete", {"job_id": "job-3b124006c2d2"}, SAMPLE_DOMAIN) == {}

    assert {job["job_id"] for job in database.jobs.find()} == {
        "job-587a3d3b4db3",
        "job-123456789012",
    }
    assert [task["job_id"] for task in database.job_tasks.find()] == ["job-587a3d3b4db3"]


def test_stat_counts_by_collector(call: Call) -> None:
    group = {
        "keys": [{"key": "collector_id", "name": "collector_id"}],
        "fields": [{"operator": "sum", "key": "total_tasks", "name": "tasks"}],
    }

    assert call("stat", {"query": {"aggregate": [{"group": group}]}}, SAMPLE_DOMAIN) == {
        "results": [
            {"collector_id": "collector-2c0847644f39", "tasks": 3.0},
            {"collector_id": "collector-accd02663b3d", "tasks": 2.0},
        ],
        "total_count": 2.0,
    }


def test_analyze_counts_by_status(call: Call) -> None:
    query = {"group_by": ["status"], "fields": {"jobs": {"operator": "count"}}}

    assert call("analyze", {"query": query}, SAMPLE_DOMAIN) == {
        "results": [{"status": "SUCCESS", "jobs": 2.0}],
        "more": False,
    }


def violated_fields(error: Any) -> list[str]:
    status = rpc_status.from_call(error)
    assert status is not None
    bad_request = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad_request)
    return [violation.field for violation in bad_request.field_violations]


@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_unknown_job_is_not_found(call: Call, method: str) -> None:
    error = refused(call, method, {"job_id": "job-000000000000"}, SAMPLE_DOMAIN)

    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == (
        "ERROR_NOT_FOUND: Resource cannot be found or access is denied. (job_id = job-000000000000)"
    )


@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_job_of_another_domain_is_not_found_either(
    call: Call, method: str, database: Store
) -> None:
    error = refused(call, method, {"job_id": "job-123456789012"}, SAMPLE_DOMAIN)

    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert database.jobs.count_documents({"job_id": "job-123456789012"}) == 1


@pytest.mark.parametrize(
    ("method", "missing"),
    [("get", "job_id"), ("delete", "job_id"), ("stat", "query"), ("analyze", "query")],
)
def test_a_missing_parameter_is_named(call: Call, method: str, missing: str) -> None:
    error = refused(call, method, {}, SAMPLE_DOMAIN)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == f"ERROR_REQUIRED_PARAMETER: Required parameter. (key = {missing})"
    assert violated_fields(error) == [missing]


def test_a_call_without_a_domain_is_refused(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        job_pb2_grpc.JobStub(channel).list(job_pb2.JobsQuery(), timeout=10)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == (
        "ERROR_REQUIRED_PARAMETER: Required parameter. (key = domain_id)"
    )


def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel) -> None:
    get: Any = channel.unary_unary(f"/{JOB_SERVICE}/get")

    with pytest.raises(grpc.RpcError) as raised:
        get(b"\xff", timeout=10)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
