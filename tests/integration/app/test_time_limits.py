"""Calls that take long, or longer than anybody waits (S7 of the known defects)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from inventory_job.embedded.data_directory import wait_until
from inventory_job.settings import Settings
from tests import oracle
from tests.support.client import Client, Recorder, refusal
from tests.support.running import ServerThread, server_of
from tests.support.store import Store


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    return wait_until(condition, seconds)


DOMAIN = "domain-of-six"
COUNT = {"n": {"operator": "count"}}
BUSY: dict[str, Any] = {
    "aggregate": [
        *({"unwind": {"path": path}} for path in ("a", "b", "c")),
        {"group": {"keys": [{"k": "a", "n": "a"}], "fields": [{"o": "count", "n": "n"}]}},
    ]
}
"""Hundreds of millions of rows: a minute of work at least."""


@pytest.fixture(scope="module")
def client(recorder: Recorder, channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def busy(database: Store, client: Client, channel: grpc.Channel) -> Client:
    """A client of a domain in which BUSY takes very long."""
    lists = {name: [*range(300)] for name in "abc"}
    database.jobs.insert_many({"domain_id": "domain-busy", **lists} for _ in range(20))
    return Client(channel, "domain-busy")


def test_s7_what_a_client_no_longer_waits_for_ends(
    busy: Client, running: Callable[[], int]
) -> None:
    call = busy.start("stat", {"query": BUSY})
    assert eventually(lambda: running() > 0)

    call.cancel()

    assert eventually(lambda: running() == 0)


def test_s7_what_has_passed_its_deadline_ends(busy: Client, running: Callable[[], int]) -> None:
    call = busy.start("stat", {"query": BUSY}, seconds=0.5)

    with pytest.raises(grpc.RpcError) as raised:
        call.result()

    assert refusal(raised.value).status is grpc.StatusCode.DEADLINE_EXCEEDED
    assert eventually(lambda: running() == 0)


def test_s7_what_a_closed_connection_asked_for_ends(
    server: ServerThread, busy: Client, running: Callable[[], int]
) -> None:
    with grpc.insecure_channel(server.address) as channel:
        call = Client(channel, busy.domain_id).start("stat", {"query": BUSY})
        assert eventually(lambda: running() > 0)

    assert eventually(lambda: running() == 0)
    assert call.done()


def test_s7_what_is_given_up_while_it_begins_ends(
    busy: Client, client: Client, running: Callable[[], int]
) -> None:
    """At any moment, also when the database has not been asked yet."""
    for moment in range(25):
        call = busy.start("stat", {"query": BUSY})
        for _ in range(moment // 5):
            client.numbers({"page": {"limit": 1}})
        call.cancel()

    assert eventually(lambda: running() == 0, seconds=5.0)


def test_s7_no_call_takes_longer_than_the_server_allows(
    settings: Settings, busy: Client, running: Callable[[], int]
) -> None:
    hasty = settings.model_copy(update={"query_seconds": 0.5})
    with server_of(hasty) as server, grpc.insecure_channel(server.address) as channel:
        refused = Client(channel, busy.domain_id).refused("stat", {"query": BUSY})

    assert refused.status is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refused.details == "ERROR_REQUEST_TIMEOUT: Request timeout!"
    assert eventually(lambda: running() == 0)


def test_s7_a_server_serves_on_while_calls_are_busy(
    busy: Client, client: Client, running: Callable[[], int]
) -> None:
    calls = [busy.start("stat", {"query": BUSY}) for _ in range(3)]
    assert eventually(lambda: running() == 3)

    assert len(client.numbers()) == 6

    for call in calls:
        call.cancel()
    assert eventually(lambda: running() == 0)


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("list", {"query": {"page": {"limit": 1}}}),
        ("list", {"query": {"sort": [{"key": "x"}], "add_fields": {"x": 1}}}),
        ("stat", {"query": {"distinct": "status"}}),
        ("stat", {"query": {"aggregate": [{"limit": 1}]}}),
        ("analyze", {"query": {"fields": COUNT}}),
        ("get", {"job_id": "job-000000000001"}),
    ],
    ids=str,
)
def test_s7_every_command_carries_what_is_left_of_the_deadline(
    client: Client, recorder: Recorder, method: str, request_: dict[str, Any]
) -> None:
    # One after the other: the second may know the total that the first had to count.
    with recorder.recording() as short:
        client.start(method, request_, seconds=7.0).result()
    with recorder.recording() as long:
        client.start(method, request_, seconds=600.0).result()

    assert len(short) > 0
    assert len(long) > 0
    # On the wire a deadline has three digits.
    assert all(5_000 < command["maxTimeMS"] <= 7_100 for command in short)
    assert all(15_000 < command["maxTimeMS"] <= 20_000 for command in long)


def test_s7_a_catastrophic_regular_expression_ends(
    client: Client, database: Store, running: Callable[[], int]
) -> None:
    database.jobs.insert_many(
        {"domain_id": DOMAIN, "plugin_id": "a" * 4000 + "!", "workspace_id": "w-long"}
        for _ in range(50)
    )
    query = {"filter": [{"k": "plugin_id", "o": "regex", "v": "^(a|a?)+$"}]}

    call = client.start("list", {"query": query}, seconds=2.0)

    assert call.exception() is None or refusal(call.exception()).status in {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
    assert eventually(lambda: running() == 0)
