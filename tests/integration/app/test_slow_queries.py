"""Slow queries in the log: which, and with what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from inventory_job.settings import Settings
from tests.support.client import Client, Plain, tenants
from tests.support.running import ServerThread
from tests.support.store import Store

# What every query takes longer than.
NO_TIME = 1e-9
SECRET = "SECRET-4711"


def served_with(settings: Settings, **changed: Any) -> ServerThread:
    return ServerThread(settings.model_copy(update=changed))


@pytest.fixture(scope="module")
def client(settings: Settings, database: Store) -> Iterator[Client]:
    """A tenant with one job, of a server to which all queries are slow."""
    with (
        served_with(settings, slow_query_seconds=NO_TIME) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield tenants(channel, database)({"plugin_id": "plugin-1"})


def logged(entries: list[Any], event: str) -> list[Plain]:
    return [entry for entry in entries if entry["event"] == event]


SCOPE = {"domain_id": "?"}
FILTER = {"filter": [{"key": "plugin_id", "value": SECRET, "operator": "eq"}]}
CONDITIONS = SCOPE | {"$and": [{"plugin_id": "?"}]}
NEWEST = {"$sort": {"created_at": -1, "_id": 1}}
CALLS: dict[str, tuple[Plain, list[Plain]]] = {
    "get": ({"job_id": "job-000000000001"}, [SCOPE | {"$and": [{"job_id": "?"}]}]),
    "list": ({"query": FILTER}, [CONDITIONS, NEWEST, {"$limit": "?"}]),
    "stat": (
        {"query": FILTER | {"distinct": "status"}},
        [CONDITIONS, {"$distinct": "$status"}],
    ),
}


@pytest.mark.parametrize("method", CALLS)
def test_a_slow_query_is_logged_with_its_shape(client: Client, method: str) -> None:
    request, shape = CALLS[method]

    with capture_logs() as entries:
        client.call(method, request)

    [entry] = logged(entries, "slow_query")
    assert (entry["log_level"], entry["operation"]) == ("warning", method)
    assert entry["seconds"] >= 0
    assert json.loads(entry["shape"]) == shape


def test_values_are_not_logged(client: Client) -> None:
    group = {"group": {"keys": [{"key": "status", "name": "of"}], "fields": []}}
    requests: dict[str, Plain] = {
        "list": {"query": FILTER, "plugin_id": SECRET},
        "stat": {"query": FILTER | {"aggregate": [group]}},
        "analyze": {
            "query": FILTER | {"group_by": ["status"], "fields": {"jobs": {"operator": "count"}}},
        },
    }

    with capture_logs() as entries:
        for method, request in requests.items():
            client.call(method, request)

    assert [entry["operation"] for entry in logged(entries, "slow_query")] == [*requests]
    assert SECRET not in json.dumps(entries)


def test_a_query_that_finds_nothing_is_logged_as_well(client: Client) -> None:
    with capture_logs() as entries:
        client.refused("delete", {"job_id": "job-none"})

    [entry] = logged(entries, "slow_query")
    assert entry["operation"] == "delete"


def test_a_wait_for_a_database_that_is_away_is_time_of_the_database() -> None:
    settings = Settings(
        port=0, mongo_uri=SecretStr("mongodb://127.0.0.1:1/"), server_selection_seconds=0.1
    )

    with (
        served_with(settings, slow_query_seconds=0.05) as server,
        grpc.insecure_channel(server.address) as channel,
        capture_logs() as entries,
    ):
        Client(channel, "domain-1").refused("list", {})

    assert logged(entries, "slow_query")


@pytest.mark.parametrize("seconds", [0.0, 60.0], ids=["off", "not slow"])
def test_other_queries_are_logged_at_the_level_debug(
    settings: Settings, database: Store, seconds: float
) -> None:
    with (
        served_with(settings, slow_query_seconds=seconds) as server,
        grpc.insecure_channel(server.address) as channel,
        capture_logs() as entries,
    ):
        tenants(channel, database)().list()

    assert logged(entries, "slow_query") == []
    [entry] = logged(entries, "query")
    assert entry["log_level"] == "debug"
