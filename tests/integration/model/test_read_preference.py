"""Whatever the URI says of where reads go and how they are, deletes are done on the primary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from bson import ObjectId
from pydantic import SecretStr
from pymongo import MongoClient, WriteConcern

from inventory_job.embedded.data_directory import wait_until
from inventory_job.results import StoredDocument
from inventory_job.settings import CannotStart, Settings
from tests.support.client import Client
from tests.support.replica_set import Member, ReplicaSet, free_ports
from tests.support.running import ServerThread

OPTIONS = [
    "readPreference=primaryPreferred",
    "readPreference=secondaryPreferred",
    "readPreference=secondary",
    "readPreference=nearest",
    "readConcernLevel=majority",
    "readConcernLevel=available",
    "readConcernLevel=linearizable",
    "readConcernLevel=snapshot",
    "w=1",
    "w=majority&wtimeoutMS=5000",
]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with ReplicaSet(tmp_path_factory.mktemp("members"), size=2) as running:
        yield running


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a server without transactions."""
    directory: Path = tmp_path_factory.mktemp("standalone")
    mongod = Member(directory / "data", free_ports(1)[0], set_name=None)
    mongod.start()
    try:
        assert wait_until(mongod.answers, 45.0)
        yield f"mongodb://{mongod.host}/?appName=test"
    finally:
        mongod.kill()


def settings(uri: str) -> Settings:
    return Settings(port=0, mongo_uri=SecretStr(uri), mongo_database="inventory")


def delete_one_of_two(uri: str, options: str) -> None:
    with MongoClient[StoredDocument](uri) as client:
        inventory = client["inventory"]
        tasks = inventory.get_collection("job_task")
        # Both members have them.
        jobs = inventory.get_collection("job", write_concern=WriteConcern(2 if "Set" in uri else 1))
        jobs.delete_many({})
        owners = [{"job_id": f"job-{number}", "domain_id": "domain-1"} for number in (1, 2)]
        tasks.insert_many(owner | {"_id": ObjectId()} for owner in owners)
        jobs.insert_many(owner | {"_id": ObjectId()} for owner in owners)
        with (
            ServerThread(settings(f"{uri}&{options}")) as server,
            grpc.insecure_channel(server.address) as channel,
        ):
            caller = Client(channel, "domain-1")
            caller.call("delete", {"job_id": "job-1"})
            again = caller.refused("delete", {"job_id": "job-1"})

        assert again.status is grpc.StatusCode.NOT_FOUND
        assert [job["job_id"] for job in jobs.find()] == ["job-2"]
        assert tasks.count_documents({"job_id": "job-1"}) == 0


@pytest.mark.parametrize("options", OPTIONS)
def test_a_transaction_deletes_on_the_primary(members: ReplicaSet, options: str) -> None:
    delete_one_of_two(members.uri, options)


@pytest.mark.parametrize("options", OPTIONS[:4])
def test_a_delete_without_a_transaction_looks_at_the_primary(standalone: str, options: str) -> None:
    delete_one_of_two(standalone, options)


def test_a_write_concern_that_tells_nothing_of_deletes_is_refused_at_start(
    members: ReplicaSet,
) -> None:
    with pytest.raises(CannotStart, match="w=0"), ServerThread(settings(f"{members.uri}&w=0")):
        pass
