"""A stop, as clients of all kinds meet it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
import uvicorn
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from inventory_job.embedded.data_directory import wait_until
from inventory_job.manager import JobManager
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.client import JOB
from tests.support.proxy import Line, Proxy
from tests.support.running import ServerThread
from tests.support.serving import TENANT, list_jobs
from tests.support.silence import silent_calls
from tests.support.store import Store

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
JOBS = 50


@pytest.fixture(scope="module", autouse=True)
def jobs(database: Store) -> Iterator[None]:
    database.jobs.insert_many(
        {"job_id": f"job-{n}", "domain_id": "domain-1", "plugin_id": "p" * 16_000}
        for n in range(JOBS)
    )
    yield
    database.jobs.drop()


@contextmanager
def far_client(server: ServerThread) -> Iterator[tuple[job_pb2_grpc.JobStub, Proxy, list[Any]]]:
    """A client that has been served once, its way, which holds little, and the log."""
    with (
        Proxy(server.port, is_mongod=False, buffer_bytes=32768) as way,
        grpc.insecure_channel(way.host) as channel,
        capture_logs() as entries,
    ):
        list_jobs(channel)
        yield job_pb2_grpc.JobStub(channel), way, entries


def refusal(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        next(call)
    return raised.value


def lists_logged(entries: list[Any]) -> int:
    return sum(entry["event"] == "call" and entry["method"] == f"{JOB}/list" for entry in entries)


def test_an_open_watch_gets_not_serving_and_does_not_delay_the_stop(settings: Settings) -> None:
    patient = settings.model_copy(update={"grace_seconds": 60.0})
    server = ServerThread(patient)
    with grpc.insecure_channel(server.__enter__().address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=50)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        with ThreadPoolExecutor(1) as pool:
            update = pool.submit(next, watch)

            started = time.monotonic()
            server.__exit__(None, None, None)

            assert time.monotonic() - started < 20
            assert update.result().status == health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize(
    "method", [f"{JOB}/get", f"{JOB}/stat", "/grpc.health.v1.Health/Check", REFLECTION]
)
def test_calls_that_send_nothing_do_not_delay_a_stop(settings: Settings, method: str) -> None:
    patient = settings.model_copy(update={"grace_seconds": 60.0, "request_seconds": 60.0})
    server = ServerThread(patient)
    with (
        grpc.insecure_channel(server.__enter__().address) as channel,
        silent_calls(channel, method, 3) as calls,
    ):
        list_jobs(channel)  # the others have arrived before

        started = time.monotonic()
        server.__exit__(None, None, None)

        assert time.monotonic() - started < 20
        assert {refusal(call).code() for call in calls} <= {
            grpc.StatusCode.CANCELLED,
            grpc.StatusCode.UNAVAILABLE,
        }


def test_a_client_that_answers_nothing_does_not_delay_a_stop(settings: Settings) -> None:
    server = ServerThread(settings.model_copy(update={"grace_seconds": 60.0}))
    host, _, port = server.__enter__().address.rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        assert connection.recv(1)

        started = time.monotonic()
        server.__exit__(None, None, None)

        assert time.monotonic() - started < 20


def test_answers_that_are_on_a_slow_way_arrive_though_the_client_asks_for_more(
    settings: Settings,
) -> None:
    server = ServerThread(settings.model_copy(update={"grace_seconds": 30.0}))
    server.__enter__()
    with far_client(server) as (stub, way, entries):
        for _ in range(20):  # so that gRPC expects much to go at once
            stub.list(job_pb2.JobsQuery(), metadata=TENANT)
        way.line = Line(bytes_per_second=250_000)
        answer: Any = stub.list.future(job_pb2.JobsQuery(), metadata=TENANT, timeout=50)
        assert wait_until(lambda: lists_logged(entries) == 22, 10)
        with ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(server.__exit__, None, None, None)
            assert not wait_until(stopping.done, 1.5), "the answer is still on its way"
            later: Any = stub.list.future(job_pb2.JobsQuery(), metadata=TENANT, timeout=50)

            assert len(answer.result().results) == JOBS
            assert later.code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
            stopping.result()


def test_a_client_that_takes_nothing_holds_a_stop_for_the_grace_period_at_most(
    settings: Settings,
) -> None:
    server = ServerThread(settings.model_copy(update={"grace_seconds": 2.0}))
    server.__enter__()
    with far_client(server) as (stub, way, entries):
        way.line = Line(bytes_per_second=5_000)  # enough for requests
        calls: list[Any] = [
            stub.list.future(job_pb2.JobsQuery(), metadata=TENANT, timeout=60) for _ in range(10)
        ]
        assert wait_until(lambda: lists_logged(entries) > 5, 10)

        started = time.monotonic()
        server.__exit__(None, None, None)

        assert time.monotonic() - started < 10
        for call in calls:
            call.cancel()


def test_a_call_over_http_whose_request_is_on_its_way_is_answered(settings: Settings) -> None:
    server = ServerThread(settings.model_copy(update={"http": True, "http_port": 0}))
    server.__enter__()
    body = b'{"query": {"count_only": true}}'
    head = (
        "POST /inventory/v1/job/list HTTP/1.1\r\nHost: 127.0.0.1\r\nx-domain-id: domain-1\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.http_port)) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 100")  # it waits for the request
        with ThreadPoolExecutor(1) as pool:
            stopping = pool.submit(server.__exit__, None, None, None)
            assert wait_until(lambda: _is_refused(server.port), 10)
            connection.sendall(body)
            answer = b"".join(iter(partial(connection.recv, 65536), b""))
            stopping.result()

    assert answer.startswith(b"HTTP/1.1 200")
    assert b"total_count" in answer


def test_a_call_over_http_that_outlasts_the_grace_period_is_unavailable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = threading.Event()

    async def get(*_: object) -> None:
        called.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(JobManager, "get", get)
    changes = {"http": True, "http_port": 0, "grace_seconds": 1.0}
    server = ServerThread(settings.model_copy(update=changes))
    url = f"http://{server.__enter__().http_address}/inventory/v1/job/get"
    headers = {"x-domain-id": "domain-1"}
    with ThreadPoolExecutor(1) as pool, capture_logs() as entries:
        calling = pool.submit(httpx.post, url, json={"job_id": "j"}, headers=headers, timeout=30)
        assert called.wait(10)
        server.__exit__(None, None, None)

        answer = calling.result()

    assert answer.status_code == 503
    assert answer.json()["message"].startswith("ERROR_UNAVAILABLE")
    [entry] = [entry for entry in entries if entry["event"] == "call"]
    assert entry["status"] == "UNAVAILABLE"


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_port_that_breaks_off_ends_the_process_as_sigterm_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _process, number: sent.append(number))
    both = settings.model_copy(update={"http": True, "http_port": 0})
    with capture_logs() as entries, ServerThread(both):
        assert sent == []

        async def fail(*_: object) -> bool:
            raise MemoryError

        monkeypatch.setattr(uvicorn.Server, "on_tick", fail)
        assert wait_until(lambda: sent != [], 10)

    assert sent == [signal.SIGTERM]
    assert [entry["event"] for entry in entries].count("serving has broken off") == 1
