"""The server's way to its database, and its lenient decoding, on a real server."""

from __future__ import annotations

from datetime import datetime

import pytest
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from inventory_job.model.client import Database
from inventory_job.model.documents import Job, JobTask
from inventory_job.results import StoredDocument
from tests.support.loops import in_loop
from tests.support.running import in_database
from tests.support.store import Store


@pytest.fixture(autouse=True)
def empty(database: Store) -> None:
    """Each test begins with an empty database."""
    database.jobs.drop()
    database.job_tasks.drop()


def found(store: Store) -> StoredDocument | None:
    """The only job, as the server reads it."""

    async def find(database: Database) -> StoredDocument | None:
        return await database.jobs.find_one({}, {"_id": 0})

    return in_database(store, find)


def test_what_a_model_describes_is_in_its_collection(database: Store) -> None:
    database.jobs.insert_one(Job(job_id="job-1", domain_id="domain-1").to_mongo())
    database.job_tasks.insert_one(JobTask(job_id="job-1", domain_id="domain-1").to_mongo())

    async def counts(opened: Database) -> tuple[int, int]:
        return await opened.jobs.count_documents({}), await opened.job_tasks.count_documents({})

    assert in_database(database, counts) == (1, 1)


@in_loop
async def test_the_database_in_the_connection_string_does_not_replace_the_configured_one() -> None:
    opened = Database("mongodb://127.0.0.1:9/elsewhere?directConnection=true", "inventory")

    assert opened.jobs.full_name == "inventory.job"
    await opened.close()


def test_a_replica_set_has_transactions(database: Store) -> None:
    async def has_transactions(opened: Database) -> bool:
        return await opened.has_transactions()

    assert in_database(database, has_transactions)


def test_dates_are_read_as_naive_utc_with_milliseconds(database: Store) -> None:
    stored = datetime(2026, 3, 4, 1, 2, 3, 456000)
    database.jobs.insert_one({"created_at": stored})

    assert found(database) == {"created_at": stored}


def test_a_date_beyond_the_year_9999_does_not_spoil_the_document(database: Store) -> None:
    beyond = DatetimeMS(300_000_000_000_000)
    database.jobs.insert_one({"created_at": beyond})

    assert found(database) == {"created_at": beyond}


def test_broken_utf_8_does_not_spoil_the_document(database: Store) -> None:
    # {"_id": 1, "job_id": <the bytes "job", 0xff>}
    broken = b"\x10_id\x00\x01\x00\x00\x00\x02job_id\x00\x05\x00\x00\x00job\xff\x00\x00"
    size = (len(broken) + 4).to_bytes(4, "little")
    database.jobs.insert_one(RawBSONDocument(size + broken))

    assert found(database) == {"job_id": "job\ufffd"}
