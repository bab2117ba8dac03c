"""Calls made with nothing but what a server's reflection tells, as grpcurl does."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


def services(channel: grpc.Channel) -> list[str]:
    """The full names of the services of a server."""
    names: list[str] = list(ProtoReflectionDescriptorDatabase(channel).get_services())
    return names


def call(
    channel: grpc.Channel,
    method: str,
    request: dict[str, Any],
    metadata: tuple[tuple[str, str], ...] = (),
) -> dict[str, Any]:
    """Calls `service/method` with a request as proto3 JSON; the answer is proto3 JSON, too."""
    service, _, name = method.rpartition("/")
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    descriptor = pool.FindServiceByName(service).methods_by_name[name]
    invoke: Any = channel.unary_unary(
        f"/{method}",
        request_serializer=lambda sent: sent.SerializeToString(),
        response_deserializer=GetMessageClass(descriptor.output_type).FromString,
    )
    message = json_format.ParseDict(request, GetMessageClass(descriptor.input_type)())
    answer = invoke(message, metadata=metadata, timeout=10)
    return json_format.MessageToDict(answer, preserving_proto_field_name=True)
