"""Known totals as a client meets them: right at once after its own delete, and counted as hits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import httpx
import pytest

from inventory_job.settings import Settings
from tests.support.client import Client
from tests.support.running import ServerThread, server_of
from tests.support.store import Store

DOMAIN = "domain-totals"


@pytest.fixture
def server(settings: Settings, database: Store) -> Iterator[ServerThread]:
    database.jobs.drop()
    database.jobs.insert_many({"job_id": f"job-{n}", "domain_id": DOMAIN} for n in range(20))
    with server_of(settings.model_copy(update={"totals": 100, "http": True, "http_port": 0})) as it:
        yield it


@pytest.fixture
def client(server: ServerThread) -> Iterator[Client]:
    with grpc.insecure_channel(server.address) as channel:
        yield Client(channel, DOMAIN)


def total(client: Client) -> int:
    found: int = client.list({"page": {"limit": 1}})["total_count"]
    return found


def hits(server: ServerThread) -> float:
    text = httpx.get(f"http://{server.http_address}/metrics", follow_redirects=True).text
    [line] = [line for line in text.splitlines() if line.startswith("inventory_job_totals_hits_t")]
    return float(line.split()[1])


def eventually(condition: object, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_repeated_list_is_answered_without_counting_and_an_own_delete_shows_at_once(
    server: ServerThread, client: Client
) -> None:
    eventually(lambda: total(client) == 20 and hits(server) > 0)

    client.call("delete", {"job_id": "job-3"})

    assert total(client) == 19


def test_what_others_write_shows_soon(
    server: ServerThread, client: Client, database: Store
) -> None:
    eventually(lambda: total(client) == 20 and hits(server) > 0)

    database.jobs.insert_one({"job_id": "job-new", "domain_id": DOMAIN})

    eventually(lambda: total(client) == 21, 2.0)
