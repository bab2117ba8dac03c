"""Server reflection: descriptors of the services, for clients without their stubs.

grpc.reflection.v1 differs from v1alpha in its name alone, so one servicer serves both. The file
descriptor of v1 is made from that of v1alpha, unless a library has already loaded one.
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
    """Adds reflection of `services`, given by their full names, and of itself to a server."""
    server: Any = aio_server  # the type stubs have only servers with threads
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
    """A descriptor pool that also finds files by the names of methods, as reflection requires."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802  as in DescriptorPool
        """The descriptor of the file that defines `symbol`; raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def _pool() -> Any:
    """The default descriptor pool, with the file of v1 added if it is missing."""
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
