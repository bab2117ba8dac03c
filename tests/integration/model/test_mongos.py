"""What the service does where it takes the database for a sharded cluster (docs/scaling.md)."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from inventory_job.model.client import Database
from inventory_job.results import StoredDocument
from inventory_job.settings import Settings
from tests import oracle
from tests.support.client import Client
from tests.support.mongos import as_mongos
from tests.support.running import in_database, server_of
from tests.support.serving import Serving
from tests.support.store import Store

DOMAIN = "domain-of-six"


@pytest.fixture(scope="module")
def mongos(mongo_uri: str) -> Iterator[str]:
    with as_mongos(mongo_uri) as uri:
        yield uri


@pytest.fixture
def stored(database: Store) -> Store:
    """Six jobs of each of two domains, and two tasks of the second one's third job."""
    database.jobs.drop()
    database.job_tasks.drop()
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    strangers = oracle.six_jobs("domain-of-strangers")
    database.jobs.insert_many([{**job, "_id": job["job_id"]} for job in strangers])
    task = {"job_id": f"job-{3:012x}", "domain_id": DOMAIN}
    database.job_tasks.insert_many([{**task, "_id": 1}, {**task, "_id": 2}])
    return database


@pytest.fixture
def client(mongos: str, stored: Store) -> Iterator[Client]:
    settings = Settings(
        port=0, mongo_uri=SecretStr(mongos), mongo_database=stored.name, totals=1000
    )
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        yield Client(channel, DOMAIN)


def committed(uri: str) -> int:
    with MongoClient[StoredDocument](uri) as client:
        return int(client.admin.command("serverStatus")["transactions"]["totalCommitted"])


def test_the_driver_takes_it_for_a_mongos(mongos: str) -> None:
    with MongoClient[StoredDocument](mongos) as client:
        assert client.admin.command("hello")["msg"] == "isdbgrid"
        [server] = client.topology_description.server_descriptions().values()

    assert server.server_type_name == "Mongos"


def test_jobs_are_got_listed_counted_and_grouped(client: Client) -> None:
    assert client.call("get", {"job_id": f"job-{3:012x}"})["domain_id"] == DOMAIN
    assert client.numbers({"sort": [{"key": "total_tasks"}]}) == [1, 2, 3, 4, 5, 6]
    assert client.list({"page": {"start": 2, "limit": 3}})["total_count"] == 6
    assert client.rows({"count": {"name": "jobs"}}) == [{"jobs": 6}]
    assert client.analyze({"fields": {"jobs": {"operator": "count"}}})["results"] == [{"jobs": 6}]


def test_a_delete_is_a_transaction(client: Client, stored: Store, mongo_uri: str) -> None:
    before = committed(mongo_uri)

    client.call("delete", {"job_id": f"job-{3:012x}"})

    assert committed(mongo_uri) == before + 1
    assert stored.job_tasks.count_documents({}) == 0
    assert client.numbers({"sort": [{"key": "total_tasks"}]}) == [1, 2, 4, 5, 6]
    assert stored.jobs.count_documents({"domain_id": "domain-of-strangers"}) == 6


def test_transactions_are_known_to_be_there_before_the_first_operation(
    mongos: str, stored: Store
) -> None:
    with Store(mongos, stored.name) as store:
        assert in_database(store, Database.has_transactions)


def test_totals_are_counted_each_time_and_that_is_logged_once(mongos: str, stored: Store) -> None:
    event = "totals are counted each time"
    with Serving(mongos, mongo_database=stored.name, totals=1000) as serving:
        with serving.channel() as channel:
            client = Client(channel, DOMAIN)
            assert client.list({"page": {"limit": 1}})["total_count"] == 6
            serving.await_entry(event)

            stored.jobs.delete_one({"domain_id": DOMAIN, "total_tasks": 5})

            assert client.list({"page": {"limit": 1}})["total_count"] == 5
        serving.read_to_the_end()

    reasons = [entry["reason"] for entry in serving.entries if entry["event"] == event]
    assert reasons == ["the database is not a replica set"]
