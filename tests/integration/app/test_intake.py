"""Clients that open calls and send nothing, too many calls, and streams that stay open."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from inventory_job.manager import JobManager
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2, job_pb2_grpc
from tests.support.client import JOB
from tests.support.running import server_of
from tests.support.silence import silent_calls
from tests.support.tokens import Issuer, key_file_text

TENANT = (("x_domain_id", "domain-1"),)
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

Serving = Callable[..., AbstractContextManager[grpc.Channel]]


@pytest.fixture
def serving(settings: Settings) -> Serving:
    """A server with other settings than usual, and a channel to it."""

    @contextmanager
    def serve(**changes: Any) -> Iterator[grpc.Channel]:
        changed = settings.model_copy(update=changes)
        with server_of(changed) as server, grpc.insecure_channel(server.address) as channel:
            yield channel

    return serve


def with_tokens(directory: Path) -> dict[str, Any]:
    key_file = directory / "keys.json"
    key_file.write_text(key_file_text(Issuer("domain-1")))
    return {"auth_mode": "jwt", "auth_key_file": key_file}


def list_jobs(channel: grpc.Channel) -> job_pb2.JobsInfo:
    return job_pb2_grpc.JobStub(channel).list(job_pb2.JobsQuery(), metadata=TENANT, timeout=10)


def refusal(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        next(call)
    return raised.value


def test_a_call_without_a_token_is_refused_before_it_sends_anything(
    serving: Serving, tmp_path: Path
) -> None:
    with (
        serving(**with_tokens(tmp_path)) as channel,
        silent_calls(channel, f"{JOB}/get", 1, ()) as [call],
    ):
        assert refusal(call).code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_call_without_a_token_is_refused_before_its_bytes_are_read(
    serving: Serving, tmp_path: Path
) -> None:
    with serving(**with_tokens(tmp_path)) as channel:
        get: Any = channel.unary_unary(f"{JOB}/get")
        with pytest.raises(grpc.RpcError) as raised:
            get(b"\xff", timeout=10)

    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "method", [f"{JOB}/get", f"{JOB}/stat", "/grpc.health.v1.Health/Check", REFLECTION]
)
def test_calls_that_send_nothing_hold_up_no_other(serving: Serving, method: str) -> None:
    with (
        serving(held_calls=8, tenant_running_calls=2) as channel,
        silent_calls(channel, method, 200),
    ):
        started = time.monotonic()
        assert list_jobs(channel).total_count == 0
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status
        assert time.monotonic() - started < 5


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Stats do not end until they are cancelled; counts those that have begun."""
    begun = threading.Semaphore(0)

    async def stat(*_: object) -> Any:
        begun.release()
        await asyncio.sleep(60)

    monkeypatch.setattr(JobManager, "distinct", stat)
    return begun


@contextmanager
def all_permits_held(channel: grpc.Channel, stuck: threading.Semaphore) -> Iterator[None]:
    """The only permits of the server, held by a call of another tenant and one more."""
    request = job_pb2.JobStatQuery()
    request.query.distinct = "status"
    stub = job_pb2_grpc.JobStub(channel)
    calls: list[Any] = []
    for name in ("domain-2", "domain-3"):
        calls.append(stub.stat.future(request, metadata=(("x_domain_id", name),), timeout=60))
        assert stuck.acquire(timeout=10)
    yield
    for call in calls:
        call.cancel()


def test_a_call_beyond_the_limit_is_refused_with_a_time_to_come_again(
    serving: Serving, stuck: threading.Semaphore
) -> None:
    with (
        serving(held_calls=2) as channel,
        all_permits_held(channel, stuck),
        pytest.raises(grpc.RpcError) as raised,
    ):
        list_jobs(channel)

    error: Any = raised.value
    status = rpc_status.from_call(error)
    retry = error_details_pb2.RetryInfo()
    assert error.details() == (
        "ERROR_RESOURCE_EXHAUSTED: Server is busy. "
        "(reason = too many calls at once: those of the server)"
    )
    assert status is not None
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 1
    assert ("grpc-retry-pushback-ms", "1000") in [tuple(item) for item in error.trailing_metadata()]


def test_probes_are_answered_while_all_permits_are_held(
    serving: Serving, stuck: threading.Semaphore
) -> None:
    with serving(held_calls=2) as channel, all_permits_held(channel, stuck):
        health: Any = health_pb2_grpc.HealthStub(channel)

        assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status


@pytest.mark.parametrize(
    "method", ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", REFLECTION]
)
def test_bytes_that_are_no_message_are_refused_by_all_services(
    serving: Serving, method: str
) -> None:
    with serving() as channel:
        call: Any = channel.stream_stream(method)
        error = refusal(call(iter([b"\xff"]), timeout=10))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a message of this method" in error.details()
