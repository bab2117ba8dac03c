"""Strangers that open connections, streams and calls by the hundred, with an honest client beside
them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from attacking.attacks import Target, resets
from grpc_health.v1 import health_pb2, health_pb2_grpc
from served import Served

from inventory_job.embedded.data_directory import wait_until
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from inventory_job.transport.grpc import server as grpc_server
from tests.running import ServerThread
from tests.serving import TENANT
from tests.store import Store
from tests.tokens import Issuer, key_file_text

DESCRIPTORS, CAP = 250, 50


@pytest.fixture
def served(mongo_uri: str, database_name: str, tmp_path: Path) -> Iterator[Served]:
    """A process with few descriptors."""
    settings = {"HTTP": "true", "HTTP_PORT": 0, "MONGO_URI": mongo_uri}
    settings["MONGO_DATABASE"] = database_name
    with Served(tmp_path / "log", settings, DESCRIPTORS) as running:
        yield running


def connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def list_jobs(channel: grpc.Channel, metadata: Any = TENANT) -> int:
    stub = job_pb2_grpc.JobStub(channel)
    return stub.list(job_pb2.JobsQuery(), metadata=metadata, timeout=10).total_count


def probe(channel: grpc.Channel) -> int:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    status: int = stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status
    return status


def test_silent_connections_leave_descriptors_for_the_others(
    served: Served, tmp_path: Path
) -> None:
    with grpc.insecure_channel(served.address) as channel, ExitStack() as opened:
        assert list_jobs(channel) == 0
        for address in (served.address, served.http_address):
            for _ in range(DESCRIPTORS):
                with suppress(OSError):
                    opened.enter_context(connected(address))

        assert list_jobs(channel) == 0
        assert probe(channel) == health_pb2.HealthCheckResponse.SERVING
        assert httpx.get(f"http://{served.http_address}/healthz", timeout=10).status_code == 200
        descriptors = len([*Path(f"/proc/{served.pid}/fd").iterdir()])

    assert descriptors < DESCRIPTORS
    assert served.count(f'"limit":{CAP}') == 1
    assert (tmp_path / "log").stat().st_size < 100_000


def test_connections_that_say_nothing_make_room(
    settings: Settings, database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_server, "_HANDSHAKE_SECONDS", 0.5)
    few = settings.model_copy(update={"connections": 10})
    with ServerThread(few) as server, ExitStack() as opened:
        silent = [opened.enter_context(connected(server.address)) for _ in range(10)]

        for connection in silent:
            while connection.recv(65_536):
                pass
        with grpc.insecure_channel(server.address) as channel:
            assert list_jobs(channel) == 0


def test_rapid_resets_take_no_memory_and_hold_up_no_other(
    mongo_uri: str, database_name: str, tmp_path: Path
) -> None:
    issuer = Issuer("domain-1")
    key_file = tmp_path / "keys.json"
    key_file.write_text(key_file_text(issuer))
    settings: dict[str, object] = {"MONGO_URI": mongo_uri, "MONGO_DATABASE": database_name}
    settings |= {"AUTH_MODE": "jwt", "AUTH_KEY_FILE": key_file}
    with (
        Served(tmp_path / "log", settings) as served,
        grpc.insecure_channel(served.address) as channel,
    ):
        metadata = (("token", issuer.token("DOMAIN_ADMIN")),)
        assert list_jobs(channel, metadata) == 0
        before = memory_of(served)
        stop = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            attack = threads.submit(resets(1), Target(served.address, "", ()), stop)
            try:
                answered = [list_jobs(channel, metadata) for _ in range(30)]
            finally:
                stop.set()

        assert attack.result()["resets"] > 0
        assert answered == [0] * 30
        assert wait_until(lambda: memory_of(served) < before + 50, 10)


def memory_of(served: Served) -> float:
    """Resident memory, in MiB."""
    [line] = [
        line
        for line in Path(f"/proc/{served.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) / 1024
