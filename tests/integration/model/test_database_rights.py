"""A database user without a right that a call needs: the failure, and what is logged."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from bson import ObjectId
from pymongo import MongoClient

from inventory_job.results import StoredDocument
from tests.support.client import Client, Plain
from tests.support.guarded_set import GuardedReplicaSet
from tests.support.serving import Serving

JOB: Plain = {"job_id": "job-1"}
READING: dict[str, Plain] = {
    "get": JOB,
    "list": {},
    "stat": {"query": {"aggregate": [{"count": {"name": "n"}}]}},
    "analyze": {"query": {"fields": {"n": {"operator": "count"}}}},
}
STAT_DISTINCT: Plain = {"query": {"distinct": "status"}}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedReplicaSet]:
    """A replica set whose service has a job, and may do nothing at first."""
    with GuardedReplicaSet(tmp_path_factory.mktemp("guarded"), size=1) as members:
        with MongoClient[StoredDocument](members.root_uri) as client:
            job = JOB | {"_id": ObjectId(), "domain_id": "domain-1"}
            client["inventory"]["job"].insert_one(job)
        members.set_roles([])
        yield members


@pytest.fixture
def serving(guarded: GuardedReplicaSet) -> Iterator[Serving]:
    with Serving(guarded.uri, mongo_database="inventory", totals=0) as running:
        yield running


def connections_made(guarded: GuardedReplicaSet) -> int:
    with MongoClient[StoredDocument](guarded.root_uri) as client:
        return int(client.admin.command("serverStatus")["connections"]["totalCreated"])


def test_a_missing_right_is_the_service_s_fault_and_logged_once(
    guarded: GuardedReplicaSet, serving: Serving
) -> None:
    guarded.set_roles([])
    with serving.channel() as channel:
        client = Client(channel, "domain-1")
        for method, request in READING.items():
            client.refused(method, request)
        refused = {method: client.refused(method, request) for method, request in READING.items()}
        refused["distinct"] = client.refused("stat", STAT_DISTINCT)
    serving.read_to_the_end()

    reasons = {name: each.details.partition(" (reason = ")[2] for name, each in refused.items()}
    assert {each.status for each in refused.values()} == {grpc.StatusCode.FAILED_PRECONDITION}
    assert {each.code for each in refused.values()} == {"ERROR_DB_QUERY"}
    assert reasons == {
        "get": "the service's database user may not run find on job)",
        "list": "the service's database user may not run find on job)",
        "stat": "the service's database user may not run aggregate on job)",
        "analyze": "the service's database user may not run aggregate on job)",
        "distinct": "the service's database user may not run distinct on job)",
    }
    logged = [
        entry for entry in serving.entries if entry["event"] == "database refuses the service"
    ]
    assert sorted(f"{entry['reason']})" for entry in logged) == sorted(set(reasons.values()))
    assert {entry["level"] for entry in logged} == {"error"}
    assert "cause" not in {entry["event"] for entry in serving.entries}


def test_a_delete_that_the_user_may_not_do_leaves_the_job(
    guarded: GuardedReplicaSet, serving: Serving
) -> None:
    guarded.set_roles(["readAnyDatabase"])
    with serving.channel() as channel:
        client = Client(channel, "domain-1")
        refused = client.refused("delete", JOB)
        found = client.call("get", JOB)

    assert refused.status is grpc.StatusCode.FAILED_PRECONDITION
    assert "may not run delete on job_task" in refused.details
    assert found["job_id"] == "job-1"


def test_connections_are_not_made_anew_for_a_missing_right(
    guarded: GuardedReplicaSet, serving: Serving
) -> None:
    guarded.set_roles([])
    with serving.channel() as channel:
        client = Client(channel, "domain-1")

        def fail_for(seconds: float) -> None:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                for method, request in READING.items():
                    client.refused(method, request)
                time.sleep(0.25)

        fail_for(2.0)
        before = connections_made(guarded)
        fail_for(4.0)
        made = connections_made(guarded) - before

    # Some are made by who counts them.
    assert made <= 4


def test_calls_succeed_once_the_right_is_given(
    guarded: GuardedReplicaSet, serving: Serving
) -> None:
    guarded.set_roles([])
    with serving.channel() as channel:
        client = Client(channel, "domain-1")
        assert client.refused("get", JOB).status is grpc.StatusCode.FAILED_PRECONDITION

        guarded.set_roles(["readWriteAnyDatabase"])

        assert client.call("get", JOB)["job_id"] == "job-1"
