"""Reflection in both its versions, and the list of health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

JOB = "spaceone.api.inventory.v1.Job"
HEALTH = "grpc.health.v1.Health"
VERSIONS = ["v1", "v1alpha"]
SERVICES = {
    JOB,
    "spaceone.api.core.v1.ServerInfo",
    HEALTH,
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}


def reflected(channel: grpc.Channel, version: str, **request: Any) -> Any:
    """One answer of a version; their messages are the same."""
    call: Any = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return next(call(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=10))


def pool_of(channel: grpc.Channel, version: str, symbol: str) -> DescriptorPool:
    """The files with a symbol and what they import, all of which have to be there."""
    answer = reflected(channel, version, file_containing_symbol=symbol)
    files = [
        FileDescriptorProto.FromString(each)
        for each in answer.file_descriptor_response.file_descriptor_proto
    ]
    pool = DescriptorPool()
    for file in in_order(files):
        pool.Add(file)
    return pool


def in_order(files: list[FileDescriptorProto]) -> Iterator[FileDescriptorProto]:
    """Files after those that they import."""
    done: set[str] = set()
    while len(done) < len(files):
        ready = [f for f in files if f.name not in done and done.issuperset(f.dependency)]
        assert ready, "a file that is imported is missing"
        done.update(file.name for file in ready)
        yield from ready


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_list_the_services(channel: grpc.Channel, version: str) -> None:
    answer = reflected(channel, version, list_services="")

    assert {each.name for each in answer.list_services_response.service} == SERVICES


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("service", sorted(SERVICES))
def test_both_versions_describe_all_that_they_list(
    channel: grpc.Channel, version: str, service: str
) -> None:
    found = pool_of(channel, version, service).FindServiceByName(service)

    assert found.methods


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("member", ["Job.list", "JobInfo.job_id", "JobInfo.Status"])
def test_both_versions_find_what_services_and_messages_have(
    channel: grpc.Channel, version: str, member: str
) -> None:
    pool = pool_of(channel, version, f"spaceone.api.inventory.v1.{member}")

    assert pool.FindServiceByName(JOB).methods


def test_a_client_of_v1_needs_nothing_but_what_v1_describes(channel: grpc.Channel) -> None:
    service = "grpc.reflection.v1.ServerReflection"
    (method,) = pool_of(channel, "v1", service).FindServiceByName(service).methods
    call: Any = channel.stream_stream(
        f"/{service}/{method.name}",
        request_serializer=lambda sent: sent.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    request = GetMessageClass(method.input_type)(file_by_filename="google/api/http.proto")

    answer = next(call(iter([request]), timeout=10))

    (content,) = answer.file_descriptor_response.file_descriptor_proto
    assert FileDescriptorProto.FromString(content).name == "google/api/http.proto"
    assert answer.original_request == request


@pytest.mark.parametrize("version", VERSIONS)
def test_a_name_that_is_not_served_is_not_found(channel: grpc.Channel, version: str) -> None:
    for name in ("no.such.Service", f"{JOB}.no_such_method"):
        answer = reflected(channel, version, file_containing_symbol=name)

        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_health_lists_everything_that_it_knows(channel: grpc.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    requests: Any = health_pb2  # the published types know nothing of List

    answer = stub.List(requests.HealthListRequest(), timeout=10)

    checked = {
        name: stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status
        for name in ("", JOB)
    }
    assert {name: each.status for name, each in answer.statuses.items()} == checked
