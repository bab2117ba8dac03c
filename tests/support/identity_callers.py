"""Callers of a server that asks an identity service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from inventory_job.embedded.data_directory import wait_until
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.running import server_of


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    return wait_until(condition, seconds)


UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
OWN_TOKEN = "own.system.token"
MakeSettings = Callable[..., Settings]


class Client:
    """Calls `list` of a server, and tells jobs or status."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = job_pb2_grpc.JobStub(channel)

    def list(self, token: str, seconds: float = 10) -> list[str]:
        metadata = (("token", token),)
        answer = self._stub.list(job_pb2.JobsQuery(), metadata=metadata, timeout=seconds)
        return [job.job_id for job in answer.results]

    def code(self, token: str) -> grpc.StatusCode:
        try:
            self.list(token)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@contextmanager
def serving(settings: Settings) -> Iterator[Client]:
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        yield Client(channel)
