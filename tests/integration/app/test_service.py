"""The service as its clients meet it: official stubs, reflection, health, errors, faults."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from pydantic import SecretStr
from pymongo import MongoClient
from spaceone.api.core.v1 import server_info_pb2_grpc
from spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc

from inventory_job import __version__
from inventory_job.embedded.data_directory import wait_until
from inventory_job.embedded.demo_data import samples
from inventory_job.embedded.mongod import find_mongod
from inventory_job.results import StoredDocument
from inventory_job.settings import CannotStart, Settings
from tests.support import reflection
from tests.support.running import ServerThread, server_of
from tests.support.store import Store


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    return wait_until(condition, seconds)


SAMPLE_DOMAIN = "domain-58010aa2e451"
OLD_DOMAIN = "domain-123456789012"
JOB_SERVICE = "spaceone.api.inventory.v1.Job"
Call = Callable[[str, dict[str, Any], str], dict[str, Any]]


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


def official(channel: grpc.Channel) -> Call:
    """Calls through the published package's stubs."""
    stub = job_pb2_grpc.JobStub(channel)
    requests = {
        "delete": job_pb2.JobRequest,
        "get": job_pb2.JobRequest,
        "list": job_pb2.JobsQuery,
        "analyze": job_pb2.JobAnalyzeQuery,
        "stat": job_pb2.JobStatQuery,
    }

    def call(method: str, request: dict[str, Any], domain: str) -> dict[str, Any]:
        message = json_format.ParseDict(request, requests[method]())
        answer = getattr(stub, method)(message, metadata=[("x_domain_id", domain)], timeout=10)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    return call


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


def refused(call: Call, method: str, request: dict[str, Any], domain: str) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        call(method, request, domain)
    return raised.value


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


def test_reflection_lists_the_services_and_every_file_they_import(channel: grpc.Channel) -> None:
    reflection = ProtoReflectionDescriptorDatabase(channel)

    assert set(reflection.get_services()) >= {
        JOB_SERVICE,
        "spaceone.api.core.v1.ServerInfo",
        "grpc.health.v1.Health",
    }
    for name in ("google/api/annotations.proto", "google/api/http.proto"):
        assert reflection.FindFileByName(name).name == name


def test_server_info_has_the_version(channel: grpc.Channel) -> None:
    stub = server_info_pb2_grpc.ServerInfoStub(channel)

    assert stub.get_version(Empty(), timeout=10).version == __version__


def health_of(channel: grpc.Channel, service: str) -> int:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    status: int = answer.status
    return status


@pytest.mark.parametrize("service", ["", JOB_SERVICE])
def test_a_server_with_a_database_is_serving(channel: grpc.Channel, service: str) -> None:
    assert eventually(lambda: health_of(channel, service) == health_pb2.HealthCheckResponse.SERVING)


def test_without_authentication_only_loopback_is_served(settings: Settings) -> None:
    remote = settings.model_copy(update={"host": "0.0.0.0"})

    with pytest.raises(CannotStart, match="loopback"), server_of(remote):
        pass


def test_a_port_in_use_is_refused(server: ServerThread, settings: Settings) -> None:
    second = settings.model_copy(update={"port": server.port})

    with pytest.raises(CannotStart, match=f"Cannot listen on 127.0.0.1:{server.port}"):
        server_of(second).__enter__()


def start_standalone(port: int, directory: Path) -> subprocess.Popen[bytes]:
    """A mongod without a replica set, and so without transactions."""
    arguments = [
        str(find_mongod()),
        "--bind_ip",
        "127.0.0.1",
        "--port",
        str(port),
        "--nounixsocket",
    ]
    process = subprocess.Popen([*arguments, "--dbpath", str(directory)], stdout=subprocess.DEVNULL)
    with MongoClient[StoredDocument](port=port) as client:
        client.admin.command("ping")
    return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_without_its_database_the_server_is_unavailable_and_resumes(tmp_path: Path) -> None:
    port = free_port()
    mongod = start_standalone(port, tmp_path)
    uri = SecretStr(f"mongodb://127.0.0.1:{port}")
    settings = Settings(port=0, mongo_uri=uri, server_selection_seconds=1.0)
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        call = official(channel)
        assert call("list", {}, SAMPLE_DOMAIN) == {}

        mongod.kill()
        mongod.wait()
        started = time.monotonic()
        error = refused(call, "list", {}, SAMPLE_DOMAIN)
        waited = time.monotonic() - started

        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert error.details() == (
            "ERROR_UNAVAILABLE: Server is unavailable. (reason = the database cannot be reached)"
        )
        assert waited < 3.0
        assert eventually(
            lambda: health_of(channel, JOB_SERVICE) == health_pb2.HealthCheckResponse.NOT_SERVING
        )
        assert health_of(channel, "") == health_pb2.HealthCheckResponse.SERVING

        mongod = start_standalone(port, tmp_path)
        try:
            assert call("list", {}, SAMPLE_DOMAIN) == {}
        finally:
            mongod.kill()
            mongod.wait()


def test_without_transactions_a_delete_removes_the_tasks_too(tmp_path: Path) -> None:
    port = free_port()
    mongod = start_standalone(port, tmp_path)
    uri = f"mongodb://127.0.0.1:{port}"
    settings = Settings(port=0, mongo_uri=SecretStr(uri))
    try:
        with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
            database = Store(uri, settings.mongo_database)
            database.jobs.insert_many(job for job, _ in samples())
            database.job_tasks.insert_one({"job_id": "job-123456789012", "domain_id": OLD_DOMAIN})

            official(channel)("delete", {"job_id": "job-123456789012"}, OLD_DOMAIN)

            assert database.jobs.count_documents({}) == 2
            assert database.job_tasks.count_documents({}) == 0
            database.close()
    finally:
        mongod.kill()
        mongod.wait()


def free_of(process: subprocess.Popen[str]) -> str:
    """The address that a serving process says it listens on."""
    assert process.stderr is not None
    for line in process.stderr:
        entry = json.loads(line)
        if entry["event"] == "serving":
            address: str = entry["address"]
            return address
    raise AssertionError("the server ended before it served")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_database(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "inventory_job", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path), "--log-format", "json"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "INVENTORY_JOB_CREATE_INDEXES": "false"},
    )
    address = free_of(process)
    with grpc.insecure_channel(address) as channel:
        assert official(channel)("list", {}, SAMPLE_DOMAIN) == {}

    process.send_signal(number)

    assert process.wait(timeout=20) == 0
    assert not (tmp_path / "db" / "mongod.lock").read_text()
