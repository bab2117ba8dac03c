"""Collections, transactions and lenient decoding on a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import pytest
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from inventory_job.model.client import Database
from inventory_job.model.commands import PageQuery, RawDocument
from inventory_job.model.documents import Job, JobTask
from tests.integration.client import Recorder


@pytest.fixture(autouse=True)
def empty(database: Database) -> None:
    """Each test begins with an empty database."""
    database.jobs.drop()
    database.job_tasks.drop()


def test_what_a_model_describes_is_stored_in_its_collection(database: Database) -> None:
    database.jobs.insert_one(Job(job_id="job-1", domain_id="domain-1").to_mongo())
    database.job_tasks.insert_one(JobTask(job_id="job-1", domain_id="domain-1").to_mongo())

    names = database.jobs.database.list_collection_names(filter={"type": "collection"})

    assert sorted(names) == ["job", "job_task"]
    assert database.jobs.name == "job"
    assert database.job_tasks.name == "job_task"


def test_two_databases_of_one_process_do_not_mix(database: Database, mongo_uri: str) -> None:
    other = Database(mongo_uri, f"{database.name}-b")
    other.jobs.insert_one({"job_id": "job-1"})

    assert database.jobs.count_documents({}) == 0
    assert other.jobs.count_documents({}) == 1

    other.jobs.database.client.drop_database(other.name)
    other.close()
    database.ping()


def test_the_database_in_the_connection_string_does_not_replace_the_configured_one(
    database: Database, mongo_uri: str
) -> None:
    other = Database(mongo_uri.replace("/?", "/elsewhere?"), database.name)

    assert other.jobs.full_name == database.jobs.full_name
    other.close()


def test_a_replica_set_has_transactions(database: Database, mongo_uri: str) -> None:
    fresh = Database(mongo_uri, database.name)

    assert fresh.has_transactions()
    fresh.close()


def test_an_aborted_transaction_leaves_nothing_behind(database: Database) -> None:
    database.jobs.insert_one({"job_id": "job-1"})

    with database.start_session() as session, session.start_transaction():
        database.jobs.delete_one({"job_id": "job-1"}, session=session)
        session.abort_transaction()

    assert database.jobs.count_documents({}) == 1


ENDLESS = {"$where": "while (true) {}"}


def with_the_driver(database: Database, session: ClientSession) -> object:
    return database.jobs.find_one(ENDLESS, session=session)


def one_job(database: Database, session: ClientSession) -> object:
    return database.find_job(ENDLESS, {}, session, 60.0)


def one_page(database: Database, session: ClientSession) -> object:
    return database.find_page(PageQuery(ENDLESS, {}, {"_id": 1}, 0, 10), session, 60.0, 10**6)


@pytest.mark.parametrize("find", [with_the_driver, one_job, one_page])
def test_a_killed_session_ends_what_runs_in_it(
    database: Database, find: Callable[[Database, ClientSession], object]
) -> None:
    database.jobs.insert_one({"job_id": "job-1"})
    failures: list[PyMongoError] = []

    def search(session: ClientSession) -> None:
        try:
            find(database, session)
        except PyMongoError as error:
            failures.append(error)

    with database.start_session() as session:
        searcher = threading.Thread(target=search, args=(session,))
        searcher.start()
        while not running_finds(database):
            assert searcher.is_alive()
        database.kill_sessions([session])
        searcher.join(timeout=20)

    assert not searcher.is_alive()
    assert len(failures) == 1


def test_a_read_takes_its_own_time_whatever_its_connection_was_used_for_before(
    database: Database,
) -> None:
    database.jobs.insert_one({"job_id": "job-1"})
    slow = PageQuery({"$where": "sleep(1000) || true"}, {"_id": 0}, {"_id": 1}, 0, 10)
    database.ping(0.5)

    with database.start_session() as session:
        assert database.find_page(slow, session, 20.0, 10**6) == [{"job_id": "job-1"}]


def test_reads_that_may_go_to_secondaries_show_what_the_session_wrote(
    database: Database, mongo_uri: str
) -> None:
    recorder = Recorder(database.name)
    elsewhere = Database(f"{mongo_uri}&readPreference=secondaryPreferred", database.name)
    with closing(elsewhere), elsewhere.start_session() as session:
        elsewhere.jobs.insert_one({"job_id": "job-1"}, session=session)
        with recorder.recording() as asked:
            found = elsewhere.find_job({"job_id": "job-1"}, {"_id": 0}, session, 5.0)
        lsid = session.session_id

    assert found == {"job_id": "job-1"}
    [command] = asked
    assert command["readConcern"].keys() == {"afterClusterTime"}
    assert command["lsid"] == lsid


def running_finds(database: Database) -> list[RawDocument]:
    of_ours = {"$match": {"ns": database.jobs.full_name, "command.find": "job"}}
    return list(database.jobs.database.client.admin.aggregate([{"$currentOp": {}}, of_ours]))


def test_dates_are_read_as_naive_utc_with_milliseconds(database: Database) -> None:
    stored = datetime(2026, 3, 4, 1, 2, 3, 456000)
    database.jobs.insert_one({"created_at": stored})

    assert database.jobs.find_one({}, {"_id": 0}) == {"created_at": stored}


def test_a_date_beyond_the_year_9999_does_not_spoil_the_document(database: Database) -> None:
    beyond = DatetimeMS(300_000_000_000_000)
    database.jobs.insert_one({"created_at": beyond})

    assert database.jobs.find_one({}, {"_id": 0}) == {"created_at": beyond}


def test_broken_utf_8_does_not_spoil_the_document(database: Database) -> None:
    # {"_id": 1, "job_id": <the bytes "job", 0xff>}
    broken = b"\x10_id\x00\x01\x00\x00\x00\x02job_id\x00\x05\x00\x00\x00job\xff\x00\x00"
    size = (len(broken) + 4).to_bytes(4, "little")
    database.jobs.insert_one(RawBSONDocument(size + broken))

    assert database.jobs.find_one({}) == {"_id": 1, "job_id": "job\ufffd"}
