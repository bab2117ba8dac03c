"""Reflection: what the services served are like, for clients that have no stubs of them.

grpc.reflection.v1 differs from v1alpha in its name alone, so one servicer serves both. Its file is
made from v1alpha's, unless a library has loaded one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1_ALPHA = reflection.SERVICE_NAME
V1 = V1_ALPHA.replace("v1alpha", "v1")


def add_reflection(aio_server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Serves reflection of `services`, by their full names, and of itself."""
    server: Any = aio_server  # the stubs know of servers with threads only
    servicer = reflection.aio.ReflectionServicer((*services, V1_ALPHA, V1), _WithMethods(_pool()))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    for service in (V1_ALPHA, V1):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))


class _WithMethods:
    """A pool that finds files by the names of methods as well, which reflection needs."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802  a DescriptorPool's
        """The file; raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def _pool() -> Any:
    """All files that are loaded, and that of v1."""
    pool: Any = descriptor_pool.Default()
    try:
        pool.FindServiceByName(V1)
    except KeyError:
        v1_alpha = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
        renamed = text_format.MessageToString(v1_alpha).replace("v1alpha", "v1")
        made = text_format.Parse(renamed, FileDescriptorProto())
        made.name = "grpc/reflection/v1/reflection.proto"
        made.options.ClearField("deprecated")
        pool.Add(made)
    return pool
