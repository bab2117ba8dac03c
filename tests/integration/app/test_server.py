"""The server around its methods: reflection, health, ports, databases that fail, signals."""

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
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from pydantic import SecretStr
from pymongo import MongoClient
from spaceone.api.core.v1 import server_info_pb2_grpc

from inventory_job import __version__
from inventory_job.embedded.data_directory import wait_until
from inventory_job.embedded.demo_data import samples
from inventory_job.embedded.mongod import find_mongod
from inventory_job.results import StoredDocument
from inventory_job.settings import CannotStart, Settings
from tests.support.official import JOB_SERVICE, OLD_DOMAIN, SAMPLE_DOMAIN, official, refused
from tests.support.running import ServerThread, server_of
from tests.support.store import Store


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    return wait_until(condition, seconds)


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
