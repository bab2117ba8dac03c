"""Limits on one request, as configured, through the channel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from inventory_job.query.limits import Limits
from inventory_job.settings import Settings
from inventory_job.stubs.spaceone.api.core.v2.query_pb2 import Filter, Query
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2 import JobsQuery
from inventory_job.stubs.spaceone.api.inventory.v1.job_pb2_grpc import JobStub
from tests import oracle
from tests.support.client import Client
from tests.support.running import server_of
from tests.support.store import Store

DOMAIN = "domain-of-six"
LIMITS = Limits(
    text_bytes=24, list_items=6, conditions=3, stages=2, names=4, depth=8, distinct_values=4
)
COUNT = {"n": {"operator": "count"}}
CONDITION = {"k": "status", "o": "eq", "v": "SUCCESS"}


@pytest.fixture(scope="module")
def client(settings: Settings, database: Store) -> Iterator[Client]:
    """A client of the six jobs on a server with small limits."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    small = settings.model_copy(update={"limits": LIMITS})
    with server_of(small) as server, grpc.insecure_channel(server.address) as channel:
        yield Client(channel, DOMAIN)


def text(value: str) -> dict[str, Any]:
    return {"filter": [{"k": "status", "o": "contain", "v": value}]}


def items(count: int) -> dict[str, Any]:
    return {"filter": [{"k": "status", "o": "in", "v": ["x"] * count}]}


def conditions(count: int) -> dict[str, Any]:
    return {"filter": [CONDITION], "filter_or": [CONDITION] * (count - 1)}


@dataclass(frozen=True, slots=True)
class LimitCase:
    """A query that meets one of LIMITS, and one that passes it."""

    method: str
    met: dict[str, Any]
    passed: dict[str, Any]
    path: str
    reason: str


UP_TO_4 = [{"k": "total_tasks", "o": "lte", "v": 4}]
CASES = {
    "text_bytes": LimitCase(
        "list", text("x" * 24), text("x" * 25), "query.filter[0].v", "longer than 24 bytes"
    ),
    "text_bytes, not characters": LimitCase(
        "list", text("é" * 12), text("é" * 12 + "x"), "query.filter[0].v", "longer than 24 bytes"
    ),
    "text_bytes of a name": LimitCase(
        "analyze", {"fields": {"x" * 24: COUNT["n"]}}, {"fields": {"x" * 25: COUNT["n"]}},
        "query.fields", "longer than 24 bytes",
    ),
    "list_items": LimitCase("list", items(6), items(7), "query.filter[0].v", "more than 6 items"),
    "conditions": LimitCase(
        "list", conditions(3), conditions(4), "query.filter_or",
        "more than 3 conditions in one request",
    ),
    "stages": LimitCase(
        "stat", {"aggregate": [{"skip": 1}] * 2}, {"aggregate": [{"skip": 1}] * 3},
        "query.aggregate", "more than 2 stages",
    ),
    "names": LimitCase(
        "list", {"only": ["status"] * 4}, {"only": ["status"] * 5}, "query.only",
        "more than 4 entries",
    ),
    "depth of a path": LimitCase(
        "stat", {"distinct": ".".join("x" * 8)}, {"distinct": ".".join("x" * 9)}, "query.distinct",
        "a key has at most 8 parts",
    ),
    "distinct_values": LimitCase(
        "stat", {"distinct": "total_tasks", "filter": UP_TO_4}, {"distinct": "total_tasks"},
        "query.distinct", "more than 4 distinct values; narrow the filter",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_limit_may_be_met_and_not_passed(client: Client, case: LimitCase) -> None:
    client.call(case.method, {"query": case.met})

    refusal = client.refused(case.method, {"query": case.passed})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.paths == [case.path]
    assert refusal.details == (
        "ERROR_INVALID_PARAMETER: Parameter is invalid. "
        f"(key = {case.path}, reason = {case.reason})"
    )


def test_a_request_is_nested_as_deep_as_allowed(client: Client) -> None:
    deep = {"__and": [{"__eq": [1, 1]}]}
    added = {"x": {"if": deep, "then": 1, "else": 0}}

    answer = client.analyze({"fields": COUNT, "add_fields": added})

    assert answer["results"] == [{"n": 6}]


def test_a_request_nested_too_deep_is_refused(client: Client) -> None:
    deeper = {"__and": [{"__not": [{"__eq": [1, 1]}]}]}
    added = {"x": {"if": deeper, "then": 1, "else": 0}}

    refusal = client.refused("analyze", {"query": {"fields": COUNT, "add_fields": added}})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert "nested more than 8 levels deep" in refusal.details


def test_every_excess_is_reported(client: Client) -> None:
    query = {**items(7), "only": ["status"] * 5, "keyword": "x" * 25}

    refusal = client.refused("list", {"query": query})

    assert refusal.paths == ["query.filter[0].v", "query.only", "query.keyword"]


def test_as_many_values_as_allowed_are_taken_and_no_more(
    settings: Settings, database: Store
) -> None:
    small = settings.model_copy(update={"limits": Limits(values=100)})
    with server_of(small) as server, grpc.insecure_channel(server.address) as channel:
        client = Client(channel, DOMAIN)
        client.call("list", {"query": items(94)})
        refusal = client.refused("list", {"query": items(95)})

    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.paths == ["request"]
    assert "reason = more than 100 values in one request" in refusal.details


def test_a_million_conditions_are_refused_at_once(settings: Settings, database: Store) -> None:
    request = JobsQuery(query=Query(filter=[Filter()] * 1_000_000))
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        call = JobStub(channel).list
        begun = time.process_time()
        with pytest.raises(grpc.RpcError) as raised:
            call(request, timeout=10, metadata=(("x_domain_id", DOMAIN),))
        # The server is in this process.
        used = time.process_time() - begun

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "more than 50000 values in one request" in (raised.value.details() or "")
    assert used < 2


def test_a_request_larger_than_a_message_may_be_is_refused(
    settings: Settings, database: Store
) -> None:
    small = settings.model_copy(update={"max_request_bytes": 4096})
    with server_of(small) as server, grpc.insecure_channel(server.address) as channel:
        refusal = Client(channel, DOMAIN).refused("list", {"query": text("x" * 5000)})

    assert refusal.status is grpc.StatusCode.RESOURCE_EXHAUSTED
