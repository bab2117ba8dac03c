"""Requests that take long to read are read beside the event loop, which serves others meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from inventory_job.settings import Settings
from inventory_job.transport import servicer
from inventory_job.transport.grpc import interceptor
from inventory_job.transport.http import calls, messages
from inventory_job.wire import encode
from tests.support.client import Client
from tests.support.running import ServerThread
from tests.support.store import Store

DOMAIN = "domain-1"


@pytest.fixture(scope="module")
def server(settings: Settings, database: Store) -> Iterator[ServerThread]:
    changed = settings.model_copy(update={"http": True, "http_port": 0})
    with ServerThread(changed) as running:
        yield running


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In which threads requests were read and planned."""
    names: list[str] = []

    def noting(work: Any) -> Any:
        def noted(*args: Any) -> Any:
            names.append(threading.current_thread().name)
            return work(*args)

        return noted

    monkeypatch.setattr(interceptor, "_read", noting(interceptor._read))
    monkeypatch.setattr(calls, "message_of", noting(messages.message_of))
    for name in ("plan_list", "plan_stat", "plan_analyze"):
        monkeypatch.setattr(servicer, name, noting(getattr(servicer, name)))
    return names


def query(words: int) -> dict[str, Any]:
    value = [f"word {number:08}" for number in range(words)]
    return {"filter": [{"k": "plugin_id", "o": "in", "v": value}]}


REST: dict[str, dict[str, Any]] = {
    "list": {},
    "stat": {"distinct": "status"},
    "analyze": {"fields": {"n": {"operator": "count"}}},
}


@pytest.mark.parametrize(("words", "is_beside"), [(10, False), (9000, True)])
@pytest.mark.parametrize("method", REST)
def test_over_grpc(
    server: ServerThread, threads: list[str], method: str, words: int, is_beside: bool
) -> None:
    with grpc.insecure_channel(server.address) as channel:
        Client(channel, DOMAIN).call(method, {"query": {**query(words), **REST[method]}})

    assert [name != "loop" for name in threads] == [is_beside] * 2


@pytest.mark.parametrize(("words", "is_beside"), [(10, False), (9000, True)])
@pytest.mark.parametrize("method", REST)
def test_over_http(
    server: ServerThread, threads: list[str], method: str, words: int, is_beside: bool
) -> None:
    answer = httpx.post(
        f"http://{server.http_address}/inventory/v1/job/{method}",
        json={"query": {**query(words), **REST[method]}},
        headers={"x-domain-id": DOMAIN},
        timeout=20,
    )

    assert answer.status_code == 200
    assert [name != "loop" for name in threads] == [is_beside] * 2


def test_a_large_request_that_is_no_message_is_refused(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        call: Any = channel.unary_unary("/spaceone.api.inventory.v1.Job/list")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"\xff" * 100_000, metadata=(("x_domain_id", DOMAIN),), timeout=20)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("jobs", [10, 10_500])
@pytest.mark.parametrize("method", ["stat", "analyze"])
def test_large_rows_become_messages_beside_the_loop(
    server: ServerThread,
    database: Store,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    jobs: int,
) -> None:
    names: list[str] = []
    name = f"{method}_result"
    made = getattr(encode, name)

    def noted(*args: Any) -> Any:
        names.append(threading.current_thread().name)
        return made(*args)

    monkeypatch.setattr(encode, name, noted)
    domain = f"domain-{method}-{jobs}"
    database.jobs.insert_many(
        {"job_id": f"{domain}-{n:0100}", "domain_id": domain} for n in range(jobs)
    )
    push = {"group": {"fields": [{"o": "push", "n": "ids", "k": "job_id"}]}}
    query = {
        "stat": {"aggregate": [push]},
        "analyze": {"fields": {"ids": {"operator": "push", "key": "job_id"}}},
    }[method]
    with grpc.insecure_channel(server.address) as channel:
        answer = Client(channel, domain).call(method, {"query": query})

    assert len(answer["results"][0]["ids"]) == jobs
    assert [name != "loop" for name in names] == [jobs > 10]


@pytest.mark.parametrize("jobs", [10, 1100])
def test_large_distinct_values_are_decoded_beside_the_loop(
    server: ServerThread, database: Store, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    names: list[str] = []
    made = encode.distinct_result

    def noted(rows: Any, total: int) -> Any:
        names.append(threading.current_thread().name)
        return made(rows, total)

    monkeypatch.setattr(encode, "distinct_result", noted)
    domain = f"domain-distinct-{jobs}"
    database.jobs.insert_many(
        {"job_id": f"{domain}-{n}", "domain_id": domain, "options": {"n": n, "x": "y" * 1100}}
        for n in range(jobs)
    )
    query = {"distinct": "options", "page": {"start": 2, "limit": 1000}}
    with grpc.insecure_channel(server.address) as channel:
        answer = Client(channel, domain).call("stat", {"query": query})

    assert [row["n"] for row in answer["results"]] == [*range(1, min(jobs, 1001))]
    assert answer["total_count"] == jobs
    assert [name != "loop" for name in names] == [jobs > 10]
