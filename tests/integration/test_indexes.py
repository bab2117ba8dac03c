"""Indexes are created where they lack, and never in the way of what is there."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.errors import DuplicateKeyError

from inventory_job.embedded.mongod import find_mongod
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument
from inventory_job.model.indexes import INDEXES, REFERENCE_INDEXES, ensure_indexes

NAMES = {index.name for index in INDEXES}


@pytest.fixture(autouse=True)
def empty(database: Database) -> None:
    """Each test begins without collections, hence without indexes."""
    database.jobs.drop()
    database.job_tasks.drop()


def stored_keys(database: Database) -> dict[str, list[tuple[str, int]]]:
    collections = (database.jobs, database.job_tasks)
    found = dict(pair for each in collections for pair in each.index_information().items())
    return {name: list(index["key"]) for name, index in found.items() if name != "_id_"}


def test_an_empty_database_gets_every_index_with_its_name_and_keys(database: Database) -> None:
    summary = ensure_indexes(database)

    assert set(summary.created) == NAMES
    assert (summary.present, summary.refused) == ((), {})
    assert stored_keys(database) == {index.name: list(index.keys) for index in INDEXES}


def test_the_reference_s_indexes_have_the_reference_s_names() -> None:
    assert {index.name for index in REFERENCE_INDEXES} == {
        "job_id_1",
        "COMPOUND_INDEX_FOR_GC_1",
        "COMPOUND_INDEX_FOR_GC_2",
        "COMPOUND_INDEX_FOR_SEARCH_1",
        "status_1",
        "collector_id_1",
        "workspace_id_1",
        "domain_id_1",
    }


def test_repeating_it_changes_nothing(database: Database) -> None:
    ensure_indexes(database)

    summary = ensure_indexes(database)

    assert set(summary.present) == NAMES
    assert (summary.created, summary.refused) == ((), {})


def test_job_ids_are_unique_afterwards(database: Database) -> None:
    ensure_indexes(database)
    database.jobs.insert_one({"job_id": "job-1"})

    with pytest.raises(DuplicateKeyError):
        database.jobs.insert_one({"job_id": "job-1"})


def test_an_index_of_the_same_name_with_other_keys_is_left_alone(database: Database) -> None:
    database.jobs.create_index([("finished_at", DESCENDING)], name="status_1")

    summary = ensure_indexes(database)

    assert set(summary.refused) == {"status_1"}
    assert set(summary.created) == NAMES - {"status_1"}
    assert stored_keys(database)["status_1"] == [("finished_at", DESCENDING)]


def test_an_index_of_the_same_name_with_other_options_is_left_alone(database: Database) -> None:
    database.jobs.create_index([("job_id", ASCENDING)], name="job_id_1", unique=False)

    summary = ensure_indexes(database)

    assert set(summary.refused) == {"job_id_1"}
    assert "unique" not in database.jobs.index_information()["job_id_1"]


def test_an_index_with_the_same_keys_under_another_name_serves_as_well(
    database: Database,
) -> None:
    database.jobs.create_index([("domain_id", ASCENDING), ("workspace_id", ASCENDING)], name="own")

    summary = ensure_indexes(database)

    assert summary.present == ("COMPOUND_INDEX_FOR_SEARCH_1",)
    assert summary.refused == {}


def test_an_index_over_some_documents_does_not_serve(database: Database) -> None:
    database.jobs.create_index(
        [("status", ASCENDING)], name="status_1", partialFilterExpression={"status": "FAILURE"}
    )

    assert set(ensure_indexes(database).refused) == {"status_1"}


def test_duplicates_stop_the_unique_index_and_no_other(database: Database) -> None:
    database.jobs.insert_many([{"job_id": "job-1"}, {"job_id": "job-1"}])

    summary = ensure_indexes(database)

    assert set(summary.refused) == {"job_id_1"}
    assert "job-1" not in summary.refused["job_id_1"]
    assert set(summary.created) == NAMES - {"job_id_1"}


def test_an_unreachable_database_refuses_them_all_after_one_attempt() -> None:
    nowhere = Database("mongodb://127.0.0.1:9/", "inventory", server_selection_seconds=0.2)
    started = time.monotonic()

    summary = ensure_indexes(nowhere)

    assert set(summary.refused) == NAMES
    assert time.monotonic() - started < 2
    nowhere.close()


def test_a_database_that_is_closed_meanwhile_is_no_error(
    mongo_uri: str, database_name: str
) -> None:
    closing = Database(mongo_uri, database_name)
    closing.close()

    assert set(ensure_indexes(closing).refused) == NAMES


@pytest.mark.parametrize(
    "scope",
    [
        {"domain_id": "domain-1"},
        {"domain_id": "domain-1", "workspace_id": {"$in": ["workspace-1", "*"]}},
    ],
    ids=["domain", "workspace"],
)
def test_the_newest_jobs_of_a_scope_are_read_in_order(
    database: Database, scope: dict[str, Any]
) -> None:
    ensure_indexes(database)
    database.jobs.insert_many(
        {"job_id": f"job-{n}", "domain_id": "domain-1", "workspace_id": f"workspace-{n % 3}"}
        for n in range(300)
    )

    newest = database.jobs.find(scope).sort([("created_at", -1), ("_id", 1)]).limit(20)

    assert "'SORT'" not in str(newest.explain()["queryPlanner"]["winningPlan"])


@pytest.fixture
def read_only_uri(tmp_path: Path, database_name: str) -> Iterator[str]:
    """A server with authentication, and there a user who may only read."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--bind_ip=127.0.0.1", "--nounixsocket", "--auth", "--wiredTigerCacheSizeGB=0.25"]
    with subprocess.Popen(
        [find_mongod(), f"--dbpath={tmp_path}", f"--port={port}", *options],
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            with MongoClient[RawDocument](f"mongodb://127.0.0.1:{port}/") as client:
                root: dict[str, Any] = {"pwd": "secret", "roles": ["root"]}
                client.admin.command("createUser", "root", **root)
            with MongoClient[RawDocument](f"mongodb://root:secret@127.0.0.1:{port}/") as client:
                reader: dict[str, Any] = {
                    "pwd": "secret",
                    "roles": [{"role": "read", "db": database_name}],
                }
                client.admin.command("createUser", "reader", **reader)
                client[database_name]["job"].create_index("status")
            yield f"mongodb://reader:secret@127.0.0.1:{port}/"
        finally:
            server.kill()


def test_a_user_who_may_only_read_is_refused_what_is_missing(
    read_only_uri: str, database_name: str
) -> None:
    database = Database(read_only_uri, database_name)

    summary = ensure_indexes(database)

    assert summary.present == ("status_1",)
    assert set(summary.refused) == NAMES - {"status_1"}
    assert "may not create indexes" in summary.refused["job_id_1"]
    assert "secret" not in repr(summary)
    database.close()
