"""Clients that ping every ten seconds, as many are set to, keep their connections."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from inventory_job.settings import Settings
from tests.support.running import server_of

SECONDS = 70
"""The third ping too many, which ends a connection, comes after 30 to 60 seconds."""

PINGING = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A connection of its own, and one that stays.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.client_idle_timeout_ms", 600_000),
]


def stub_of(channel: grpc.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


class Client:
    """A channel that is connected, and what becomes of it."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, PINGING)
        self.states: list[grpc.ChannelConnectivity] = []
        self.health = stub_of(self.channel)
        self.health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        self.channel.subscribe(self.states.append)


@pytest.mark.timeout(SECONDS + 80)
def test_clients_that_ping_every_ten_seconds_are_kept(settings: Settings) -> None:
    with server_of(settings) as server:
        idle, watching = Client(server.address), Client(server.address)
        watch = watching.health.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING

        ends_at = time.monotonic() + SECONDS
        while time.monotonic() < ends_at and watch.is_active():
            time.sleep(0.5)

        assert watch.is_active(), watch
        for client in (idle, watching):
            assert set(client.states) == {grpc.ChannelConnectivity.READY}
            client.health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        watch.cancel()
        for client in (idle, watching):
            client.channel.close()
