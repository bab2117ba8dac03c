"""Failures of MongoDB that pass: a call tries once more, and is UNAVAILABLE when that fails too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import pytest
from bson import ObjectId
from pydantic import SecretStr
from pymongo import MongoClient

from inventory_job.embedded.demo_data import samples
from inventory_job.embedded.seeding import Counts, load
from inventory_job.model.client import Database
from inventory_job.results import StoredDocument
from inventory_job.settings import Settings
from tests.support.client import Client, Plain
from tests.support.replica_set import ReplicaSet
from tests.support.running import ServerThread

SHARD_NOT_FOUND, STALE_EPOCH, QUERY_PLAN_KILLED = 70, 150, 175
STALE_CHUNK_HISTORY, MIGRATION_CONFLICT, TEMPORARILY_UNAVAILABLE = 250, 272, 365
CODES = [
    SHARD_NOT_FOUND,
    STALE_EPOCH,
    QUERY_PLAN_KILLED,
    STALE_CHUNK_HISTORY,
    MIGRATION_CONFLICT,
    TEMPORARILY_UNAVAILABLE,
]
COMMANDS = ["find", "aggregate", "distinct", "delete"]
CALLS: list[tuple[str, Plain]] = [
    ("get", {"job_id": "job-1"}),
    ("list", {}),
    ("stat", {"query": {"aggregate": [{"count": {"name": "n"}}]}}),
    ("stat", {"query": {"distinct": "status"}}),
    ("analyze", {"query": {"fields": {"n": {"operator": "count"}}}}),
]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with ReplicaSet(tmp_path_factory.mktemp("members"), size=1) as running:
        yield running


@pytest.fixture(scope="module")
def admin(members: ReplicaSet) -> Iterator[MongoClient[StoredDocument]]:
    with MongoClient[StoredDocument](members.uri) as client:
        job = {"_id": ObjectId(), "job_id": "job-1", "domain_id": "domain-1"}
        client["inventory"]["job"].insert_one(job)
        yield client


@pytest.fixture(scope="module")
def caller(members: ReplicaSet) -> Iterator[Client]:
    uri = SecretStr(f"{members.uri}&appName=served")
    settings = Settings(port=0, mongo_uri=uri, mongo_database="inventory", totals=0)
    with ServerThread(settings) as server, grpc.insecure_channel(server.address) as channel:
        yield Client(channel, "domain-1")


def fail(admin: MongoClient[StoredDocument], mode: object, code: int) -> None:
    """Has the next commands of the server fail, so many times or always."""
    data = {"failCommands": COMMANDS, "errorCode": code, "appName": "served"}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


@pytest.mark.parametrize("code", CODES)
def test_what_failed_in_passing_is_tried_again(
    admin: MongoClient[StoredDocument], caller: Client, code: int
) -> None:
    for method, request in CALLS:
        fail(admin, {"times": 1}, code)
        caller.call(method, request)


@pytest.mark.parametrize("code", CODES)
def test_what_goes_on_failing_is_unavailable(
    admin: MongoClient[StoredDocument], caller: Client, code: int
) -> None:
    fail(admin, "alwaysOn", code)
    try:
        refused = [caller.refused(*call) for call in (*CALLS, ("delete", {"job_id": "job-1"}))]
    finally:
        fail(admin, "off", code)

    assert {each.status for each in refused} == {grpc.StatusCode.UNAVAILABLE}


def test_loading_demo_data_goes_on_over_another_connection(
    members: ReplicaSet, admin: MongoClient[StoredDocument]
) -> None:
    async def loaded() -> Counts:
        database = Database(f"{members.uri}&appName=loading", "loaded")
        try:
            return await load(database, samples())
        finally:
            await database.close()

    data = {"failCommands": ["insert"], "closeConnection": True, "appName": "loading"}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data})

    counts = asyncio.run(loaded())

    assert counts == Counts(jobs=3, tasks=7)
