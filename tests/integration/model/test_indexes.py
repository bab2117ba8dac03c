"""Indexes are created where they lack, and never in the way of what is there."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.errors import DuplicateKeyError
from structlog.testing import capture_logs

from inventory_job.auth.scope import Scope
from inventory_job.embedded.mongod import find_mongod
from inventory_job.model.client import Database
from inventory_job.model.documents import INDEXES, REFERENCE_INDEXES, Index
from inventory_job.model.indexes import NewestIndexes, ensure_indexes
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import Page, ScopedFilter
from inventory_job.query.plans import ListPlan
from inventory_job.results import StoredDocument
from tests.support.running import in_database
from tests.support.store import Store

NOW = datetime(2026, 3, 7)
NAMES = {index.name for index in INDEXES}


@pytest.fixture(autouse=True)
def empty(database: Store) -> None:
    """Each test begins without collections, hence without indexes."""
    database.jobs.drop()
    database.job_tasks.drop()


def stored_keys(database: Store) -> dict[str, list[tuple[str, int]]]:
    collections = (database.jobs, database.job_tasks)
    found = dict(pair for each in collections for pair in each.index_information().items())
    return {name: list(index["key"]) for name, index in found.items() if name != "_id_"}


def test_an_empty_database_gets_every_index_with_its_name_and_keys(database: Store) -> None:
    assert in_database(database, ensure_indexes) == {}

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


def test_repeating_it_changes_nothing(database: Store) -> None:
    with capture_logs() as entries:
        for _ in range(2):
            assert in_database(database, ensure_indexes) == {}

    [first, second] = [entry for entry in entries if entry["event"] == "indexes_ensured"]
    assert (set(first["created"]), first["present"], first["refused"]) == (NAMES, 0, [])
    assert (second["created"], second["present"], second["refused"]) == ([], len(NAMES), [])
    assert stored_keys(database).keys() == NAMES


def test_job_ids_are_unique_afterwards(database: Store) -> None:
    in_database(database, ensure_indexes)
    database.jobs.insert_one({"job_id": "job-1"})

    with pytest.raises(DuplicateKeyError):
        database.jobs.insert_one({"job_id": "job-1"})


def test_an_index_of_the_same_name_with_other_keys_is_left_alone(database: Store) -> None:
    database.jobs.create_index([("finished_at", DESCENDING)], name="status_1")

    assert set(in_database(database, ensure_indexes)) == {"status_1"}

    assert stored_keys(database).keys() == NAMES
    assert stored_keys(database)["status_1"] == [("finished_at", DESCENDING)]


def test_an_index_of_the_same_name_with_other_options_is_left_alone(database: Store) -> None:
    database.jobs.create_index([("job_id", ASCENDING)], name="job_id_1", unique=False)

    assert set(in_database(database, ensure_indexes)) == {"job_id_1"}

    assert "unique" not in database.jobs.index_information()["job_id_1"]


def test_an_index_with_the_same_keys_under_another_name_serves_as_well(
    database: Store,
) -> None:
    database.jobs.create_index([("domain_id", ASCENDING), ("workspace_id", ASCENDING)], name="own")

    with capture_logs() as entries:
        assert in_database(database, ensure_indexes) == {}

    assert [entry["present"] for entry in entries] == [1]
    assert stored_keys(database).keys() == NAMES - {"COMPOUND_INDEX_FOR_SEARCH_1"} | {"own"}


def test_an_index_over_some_documents_does_not_serve(database: Store) -> None:
    database.jobs.create_index(
        [("status", ASCENDING)], name="status_1", partialFilterExpression={"status": "FAILURE"}
    )

    assert set(in_database(database, ensure_indexes)) == {"status_1"}


def test_duplicates_stop_the_unique_index_and_no_other(database: Store) -> None:
    database.jobs.insert_many([{"job_id": "job-1"}, {"job_id": "job-1"}])

    refused = in_database(database, ensure_indexes)

    assert set(refused) == {"job_id_1"}
    assert "job-1" not in refused["job_id_1"]
    assert stored_keys(database).keys() == NAMES - {"job_id_1"}


def test_why_an_index_is_refused_is_logged_without_words_of_the_database(database: Store) -> None:
    database.jobs.insert_many([{"job_id": "job-1"}, {"job_id": "job-1"}])
    database.jobs.create_index([("finished_at", DESCENDING)], name="status_1")

    with capture_logs() as entries:
        in_database(database, ensure_indexes)

    refused = {
        entry["index"]: entry["reason"] for entry in entries if entry["event"] == "index_refused"
    }
    assert refused == {
        "job_id_1": "Some documents share a value that must be unique, error 11000",
        "status_1": "An index of this name has other keys or options, error 86",
    }


def test_an_index_that_a_collection_cannot_have_is_refused_with_the_reason(database: Store) -> None:
    """As on a sharded collection, where it is the unique one (test_shard.py)."""
    impossible = Index("job", "everything_1", ("$**",), unique=True)

    refused = in_database(database, lambda opened: ensure_indexes(opened, [impossible]))

    assert refused == {
        "everything_1": "The collection takes no such index; a sharded one none whose values are "
        "unique and whose keys do not begin with the shard key, error 67"
    }


def test_an_unreachable_database_refuses_them_all_after_one_attempt() -> None:
    async def ensure() -> Mapping[str, str]:
        nowhere = Database("mongodb://127.0.0.1:9/", "inventory", server_selection_seconds=0.2)
        try:
            return await ensure_indexes(nowhere)
        finally:
            await nowhere.close()

    started = time.monotonic()
    refused = asyncio.run(ensure())

    assert set(refused) == NAMES
    assert {*refused.values()} == {"The database cannot be reached"}
    assert time.monotonic() - started < 2


def test_a_database_that_is_closed_meanwhile_is_no_error(database: Store) -> None:
    async def ensure(closing: Database) -> Mapping[str, str]:
        await closing.close()
        return await ensure_indexes(closing)

    assert set(in_database(database, ensure)) == NAMES


def newest(**conditions: Any) -> ListPlan:
    """The newest jobs that meet these conditions."""
    jobs = ScopedFilter(Scope("domain-1"), tuple({name: n} for name, n in conditions.items()))
    return ListPlan(jobs, {"created_at": -1, "_id": 1}, SHOWN, Page())


def test_the_index_of_the_newest_jobs_is_hinted_while_it_is_there(database: Store) -> None:
    async def names(opened: Database) -> list[str | None]:
        indexes = NewestIndexes(opened, seconds=0.0)
        seen = [await indexes.of(newest())]
        await ensure_indexes(opened)
        seen.append(await indexes.of(newest()))
        await opened.jobs.drop_index("inventory_job_domain_newest")
        seen.append(await indexes.of(newest()))
        return seen

    assert in_database(database, names) == [None, "inventory_job_domain_newest", None]


@pytest.mark.parametrize(
    ("plan", "is_hinted"),
    [
        (newest(), True),
        (newest(created_at=NOW), True),
        (newest(status="FAILURE"), False),
        (newest(workspace_id="w"), False),
        (replace(newest(), jobs=ScopedFilter(Scope("domain-1", ("w", "*")))), True),
        (newest(**{"$or": [{"created_at": NOW}, {"status": "FAILURE"}]}), False),
        (newest(**{"$or": [{"created_at": NOW}, {"created_at": None}]}), True),
        (replace(newest(), order={"created_at": 1, "_id": 1}), False),
        (replace(newest(), order={"_id": 1, "created_at": -1}), False),
    ],
)
def test_it_is_hinted_when_it_has_the_order_and_all_fields_of_the_filter(
    database: Store, plan: ListPlan, is_hinted: bool
) -> None:
    in_database(database, ensure_indexes)

    async def name(opened: Database) -> str | None:
        return await NewestIndexes(opened).of(plan)

    assert (in_database(database, name) is not None) is is_hinted


@pytest.mark.parametrize(
    "options", [{"sparse": True}, {"partialFilterExpression": {"status": "SUCCESS"}}], ids=str
)
def test_an_index_that_may_not_hold_every_job_is_not_hinted(
    database: Store, options: dict[str, Any]
) -> None:
    keys = [("domain_id", 1), ("created_at", -1), ("_id", 1)]
    database.jobs.create_index(keys, name="inventory_job_domain_newest", **options)

    async def name(opened: Database) -> str | None:
        return await NewestIndexes(opened).of(newest())

    assert in_database(database, name) is None


@pytest.mark.parametrize(
    "scope",
    [
        {"domain_id": "domain-1"},
        {"domain_id": "domain-1", "workspace_id": {"$in": ["workspace-1", "*"]}},
    ],
    ids=["domain", "workspace"],
)
def test_the_newest_jobs_of_a_scope_are_read_in_order(
    database: Store, scope: dict[str, Any]
) -> None:
    in_database(database, ensure_indexes)
    database.jobs.insert_many(
        {"job_id": f"job-{n}", "domain_id": "domain-1", "workspace_id": f"workspace-{n % 3}"}
        for n in range(300)
    )

    newest = database.jobs.find(scope).sort([("created_at", -1), ("_id", 1)]).limit(20)

    assert "'SORT'" not in str(newest.explain()["queryPlanner"]["winningPlan"])


@pytest.fixture
def read_only_uri(tmp_path: Path, database_name: str) -> Iterator[str]:
    """A server with authentication, and there a user with read rights alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--bind_ip=127.0.0.1", "--nounixsocket", "--auth", "--wiredTigerCacheSizeGB=0.25"]
    with subprocess.Popen(
        [find_mongod(), f"--dbpath={tmp_path}", f"--port={port}", *options],
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            with MongoClient[StoredDocument](f"mongodb://127.0.0.1:{port}/") as client:
                root: dict[str, Any] = {"pwd": "secret", "roles": ["root"]}
                client.admin.command("createUser", "root", **root)
            with MongoClient[StoredDocument](f"mongodb://root:secret@127.0.0.1:{port}/") as client:
                reader: dict[str, Any] = {
                    "pwd": "secret",
                    "roles": [{"role": "read", "db": database_name}],
                }
                client.admin.command("createUser", "reader", **reader)
                client[database_name]["job"].create_index("status")
            yield f"mongodb://reader:secret@127.0.0.1:{port}/"
        finally:
            server.kill()


def test_a_user_with_read_rights_alone_is_refused_missing_indexes(
    read_only_uri: str, database_name: str
) -> None:
    with Store(read_only_uri, database_name) as store:
        refused = in_database(store, ensure_indexes)

    assert set(refused) == NAMES - {"status_1"}
    assert "may not create indexes" in refused["job_id_1"]
    assert "secret" not in repr(refused)
