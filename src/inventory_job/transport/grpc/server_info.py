"""The service ServerInfo."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from inventory_job import __version__
from inventory_job.stubs.spaceone.api.core.v1 import server_info_pb2, server_info_pb2_grpc


class ServerInfoServicer(server_info_pb2_grpc.ServerInfoServicer):
    """spaceone.api.core.v1.ServerInfo."""

    async def get_version(  # type: ignore[override]  # the stubs know of servers with threads only
        self, request: Empty, context: grpc.aio.ServicerContext[Any, Any]
    ) -> server_info_pb2.VersionInfo:
        """The version of the server."""
        return server_info_pb2.VersionInfo(version=__version__)
