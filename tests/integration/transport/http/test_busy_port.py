"""The HTTP port under calls that take long, and too many of them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from inventory_job.deadline import Deadline
from inventory_job.embedded.data_directory import wait_until
from inventory_job.manager import JobManager
from inventory_job.query.plans import ListPlan
from inventory_job.results import Rows
from inventory_job.transport.limiter import CallLimits
from tests.support.http_service import LIMITS, HttpPort, connected, served
from tests.support.raw_http import TENANT, head, received
from tests.support.store import Store


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    return wait_until(condition, seconds)


LIST, STAT = "/inventory/v1/job/list", "/inventory/v1/job/stat"

BUSY: dict[str, Any] = {
    "query": {
        "aggregate": [
            *({"unwind": {"path": path}} for path in ("a", "b", "c")),
            {"group": {"keys": [{"k": "a", "n": "a"}], "fields": [{"o": "count", "n": "n"}]}},
        ]
    }
}
"""Hundreds of millions of rows: a minute of work at least."""


@pytest.fixture(scope="module", autouse=True)
def jobs(database: Store) -> None:
    """A domain in which BUSY takes very long."""
    lists = {name: [*range(300)] for name in "abc"}
    database.jobs.insert_many({"domain_id": "domain-busy", **lists} for _ in range(20))


class Held:
    """Lists of the manager, each of which waits for `go_on`."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.waiting = 0

    async def wait(self) -> None:
        self.waiting += 1
        assert await asyncio.to_thread(self.go_on.wait, 10)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    made, find = Held(), JobManager.list

    async def later(manager: JobManager, plan: ListPlan, deadline: Deadline) -> tuple[Rows, int]:
        await made.wait()
        return await find(manager, plan, deadline)

    monkeypatch.setattr(JobManager, "list", later)
    yield made
    made.go_on.set()


def test_a_call_ends_at_its_deadline(database: Store, running: Callable[[], int]) -> None:
    headers = TENANT | {"grpc-timeout": "500m"}

    with served(database) as origin, httpx.Client(base_url=origin) as http:
        response = http.post(STAT, json=BUSY, headers=headers, timeout=10)

    assert response.status_code == 504
    assert response.json()["message"] == "ERROR_REQUEST_TIMEOUT: Request timeout!"
    assert eventually(lambda: running() == 0)


def test_what_a_client_that_has_gone_asked_for_ends(
    database: Store, running: Callable[[], int]
) -> None:
    body = json.dumps(BUSY).encode()
    with served(database) as origin, capture_logs() as entries:
        with connected(origin) as connection:
            connection.sendall(head(STAT, len(body)) + body)
            assert eventually(lambda: running() > 0)

        assert eventually(lambda: running() == 0)
        assert eventually(lambda: [e["status"] for e in entries if e["event"] == "call"] != [])

    assert [entry["status"] for entry in entries if entry["event"] == "call"] == ["CANCELLED"]


def test_a_stopping_port_ends_what_takes_longer_than_the_grace_period(
    database: Store, running: Callable[[], int]
) -> None:
    with ThreadPoolExecutor(1) as threads:
        with served(database, HttpPort(grace_seconds=0.2)) as origin:
            call = threads.submit(httpx.post, origin + STAT, json=BUSY, headers=TENANT, timeout=20)
            assert eventually(lambda: running() > 0)
        assert eventually(lambda: running() == 0)
        assert call.exception() is not None or call.result().status_code >= 500


def test_a_stopping_port_lets_calls_finish(database: Store, held: Held) -> None:
    with ThreadPoolExecutor(1) as threads:
        with served(database, HttpPort(grace_seconds=5)) as origin:
            call = threads.submit(httpx.post, origin + LIST, json={}, headers=TENANT)
            assert eventually(lambda: held.waiting == 1)
            threading.Timer(0.3, held.go_on.set).start()

        assert call.result().status_code == 200


def test_calls_beyond_what_is_held_are_refused_with_a_time_to_come_again(
    database: Store, held: Held
) -> None:
    with (
        served(database, HttpPort(calls=CallLimits(held=1))) as origin,
        ThreadPoolExecutor(1) as threads,
        httpx.Client(base_url=origin) as http,
    ):
        first = threads.submit(httpx.post, origin + LIST, json={}, headers=TENANT)
        assert eventually(lambda: held.waiting == 1)

        second = http.post(LIST, json={}, headers=TENANT)
        probe = http.get("/healthz")
        held.go_on.set()

        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert second.json()["details"][0]["@type"].endswith("google.rpc.RetryInfo")
        assert probe.status_code == 200
        assert first.result().status_code == 200


def test_bodies_are_held_up_to_a_limit_and_given_back(database: Store, held: Held) -> None:
    options = HttpPort(
        calls=CallLimits(running=99, tenant_running=99), limits=replace(LIMITS, bytes=1024)
    )
    full = b"{}".ljust(1024)
    with (
        served(database, options) as origin,
        ThreadPoolExecutor(16) as threads,
        httpx.Client(base_url=origin) as http,
    ):
        calls = [
            threads.submit(httpx.post, origin + LIST, content=full, headers=TENANT)
            for _ in range(16)
        ]
        assert eventually(lambda: held.waiting == 16)

        refused = http.post(LIST, content=full, headers=TENANT)
        held.go_on.set()
        answered = [call.result().status_code for call in calls]
        after = [http.post(LIST, content=full, headers=TENANT).status_code for _ in range(40)]

    assert refused.status_code == 429
    assert set(answered + after) == {200}


def test_connections_with_a_request_under_way_are_not_closed_for_others(
    database: Store, held: Held
) -> None:
    with (
        served(database, HttpPort(connections=2)) as origin,
        ThreadPoolExecutor(2) as threads,
    ):
        calls = [
            threads.submit(httpx.post, origin + LIST, json={}, headers=TENANT) for _ in range(2)
        ]
        assert eventually(lambda: held.waiting == 2)
        with connected(origin) as connection:
            assert received(connection) == b""
        held.go_on.set()

        assert [call.result().status_code for call in calls] == [200, 200]
