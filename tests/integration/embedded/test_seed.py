"""`inventory-job seed` on a real MongoDB: what is there afterwards, and what it says."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from inventory_job.cli.main import app
from inventory_job.embedded.data_directory import DataDirectory
from inventory_job.embedded.demo_data import Demo, samples
from inventory_job.embedded.mongod import embedded_mongod
from inventory_job.results import StoredDocument
from tests.support.store import Store

SAMPLES = len(samples())
SAMPLE_IDS = [job["job_id"] for job, _ in samples()]
UNTIL = datetime(2026, 3, 1)


@contextmanager
def empty_database(uri: str) -> Iterator[Store]:
    """A database of one's own, dropped afterwards."""
    opened = Store(uri, f"inventory-job-test-{uuid.uuid4().hex}")
    try:
        yield opened
    finally:
        opened.close()
        with MongoClient[StoredDocument](uri) as client:
            client.drop_database(opened.name)


@pytest.fixture
def database(mongo_uri: str) -> Iterator[Store]:
    """Each test's own: these change it."""
    with empty_database(mongo_uri) as opened:
        yield opened


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["seed", *arguments])


def seed(uri: str, database: Store, jobs: int, *more: str) -> Result:
    target = ("--mongo-uri", uri, "--mongo-database", database.name)
    return run("--jobs", str(jobs), "--until", UNTIL.date().isoformat(), *target, *more)


def stored_jobs(database: Store) -> list[StoredDocument]:
    return list(database.jobs.find().sort("_id"))


def stored_tasks(database: Store) -> list[StoredDocument]:
    return list(database.job_tasks.find().sort("_id"))


def tasks_by_job(database: Store) -> dict[str, int]:
    groups = database.job_tasks.aggregate([{"$sortByCount": "$job_id"}])
    return {group["_id"]: group["count"] for group in groups}


def test_seed_loads_the_jobs_asked_for_and_the_samples(mongo_uri: str, database: Store) -> None:
    result = seed(mongo_uri, database, 2000)

    assert result.exit_code == 0
    assert database.jobs.count_documents({}) == 2000 + SAMPLES
    tasks = database.job_tasks.count_documents({})
    assert result.output == f"loaded {2000 + SAMPLES} jobs and {tasks} tasks\n"


def test_what_is_stored_is_what_was_described(mongo_uri: str, database: Store) -> None:
    seed(mongo_uri, database, 300, "--seed", "5")

    described = [*samples(), *Demo(300, seed=5, until=UNTIL).documents()]
    jobs = [job for job, _ in described]
    tasks = [task for _, tasks in described for task in tasks]
    assert stored_jobs(database) == sorted(jobs, key=lambda job: job["_id"])
    assert stored_tasks(database) == sorted(tasks, key=lambda task: task["_id"])


def test_each_job_has_its_tasks_in_the_collection_of_tasks(mongo_uri: str, database: Store) -> None:
    seed(mongo_uri, database, 300)

    totals = {job["job_id"]: job["total_tasks"] for job in stored_jobs(database)}
    assert tasks_by_job(database) == totals


def test_the_same_command_fills_two_databases_alike(mongo_uri: str, database: Store) -> None:
    with empty_database(mongo_uri) as other:
        seed(mongo_uri, database, 300)
        seed(mongo_uri, other, 300)

        assert stored_jobs(database) == stored_jobs(other)
        assert stored_tasks(database) == stored_tasks(other)


def test_no_jobs_leaves_the_samples(mongo_uri: str, database: Store) -> None:
    seed(mongo_uri, database, 0)

    assert sorted(tasks_by_job(database)) == sorted(SAMPLE_IDS)


def test_without_an_end_the_year_ends_at_midnight_of_today(mongo_uri: str, database: Store) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)

    run("--jobs", "500", "--mongo-uri", mongo_uri, "--mongo-database", database.name)

    generated = {"job_id": {"$nin": SAMPLE_IDS}}
    [newest] = database.jobs.find(generated).sort("created_at", -1).limit(1)
    [oldest] = database.jobs.find(generated).sort("created_at", 1).limit(1)
    # Midnight may pass between the two looks at the clock.
    end = before.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert end - timedelta(days=4) < newest["created_at"] < end
    assert newest["created_at"] - oldest["created_at"] > timedelta(days=350)


def test_a_collection_with_jobs_is_refused_and_left_as_it_is(
    mongo_uri: str, database: Store
) -> None:
    database.jobs.insert_one({"_id": 1, "job_id": "job-00000000000a"})

    result = seed(mongo_uri, database, 10)

    assert result.exit_code == 1
    assert "holds 1 documents already" in result.stderr
    assert "--force" in result.stderr
    assert stored_jobs(database) == [{"_id": 1, "job_id": "job-00000000000a"}]
    assert stored_tasks(database) == []


def test_force_adds_other_jobs_to_those_there(mongo_uri: str, database: Store) -> None:
    seed(mongo_uri, database, 100)

    result = seed(mongo_uri, database, 50, "--seed", "1", "--force")

    assert result.exit_code == 0
    assert result.output.startswith("loaded 50 jobs and ")
    assert result.output.endswith(f" tasks; {SAMPLES} jobs were there already\n")
    assert database.jobs.count_documents({}) == 150 + SAMPLES


def test_force_leaves_the_same_jobs_alone_and_counts_them(mongo_uri: str, database: Store) -> None:
    seed(mongo_uri, database, 100)
    database.jobs.update_one({"job_id": SAMPLE_IDS[0]}, {"$set": {"status": "CANCELED"}})
    before = stored_jobs(database), stored_tasks(database)

    result = seed(mongo_uri, database, 100, "--force")

    assert result.output == (
        f"loaded 0 jobs and 0 tasks; {100 + SAMPLES} jobs were there already\n"
    )
    assert (stored_jobs(database), stored_tasks(database)) == before


def test_force_completes_what_an_interrupted_run_left_out(mongo_uri: str, database: Store) -> None:
    seed(mongo_uri, database, 100)
    complete = stored_jobs(database), stored_tasks(database)
    for part in (database.jobs, database.job_tasks):
        kept = [document["_id"] for document in part.find({}, {"_id": 1}).sort("_id").limit(60)]
        part.delete_many({"_id": {"$nin": kept}})

    seed(mongo_uri, database, 100, "--force")

    assert (stored_jobs(database), stored_tasks(database)) == complete


def test_tasks_of_a_run_stopped_before_its_first_job_do_not_stand_in_the_way(
    mongo_uri: str, database: Store
) -> None:
    database.job_tasks.insert_many(task for _, tasks in samples() for task in tasks)

    result = seed(mongo_uri, database, 10)

    assert result.exit_code == 0
    assert tasks_by_job(database).keys() == {job["job_id"] for job in stored_jobs(database)}


def test_a_database_that_cannot_be_reached_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INVENTORY_JOB_SERVER_SELECTION_SECONDS", "0.2")

    monkeypatch.setenv("INVENTORY_JOB_MONGO_URI", "mongodb://someone:secret@127.0.0.1:1/")

    result = run()

    assert result.exit_code == 1
    assert result.stderr.startswith("inventory-job: ")
    assert "the database cannot be reached" in result.stderr
    assert "secret" not in result.output


def test_a_password_on_the_command_line_is_refused() -> None:
    result = run("--mongo-uri", "mongodb://someone:secret@127.0.0.1:1/")

    assert result.exit_code == 2
    assert "INVENTORY_JOB_MONGO_URI" in result.stderr
    assert "secret" not in result.output


def test_a_malformed_connection_string_is_said_in_a_sentence() -> None:
    result = run("--mongo-uri", "localhost")

    assert result.exit_code == 1
    assert result.stderr.startswith("inventory-job: The MongoDB connection string is not valid")


def test_a_directory_that_cannot_be_made_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INVENTORY_JOB_MONGO_URI", raising=False)
    file = tmp_path / "file"
    file.touch()

    result = run("--data-dir", str(file / "data"))

    assert result.exit_code == 1
    assert result.stderr.startswith("inventory-job: ")
    assert str(file) in result.stderr


def test_an_end_out_of_range_is_wrong_usage(mongo_uri: str) -> None:
    result = run("--mongo-uri", mongo_uri, "--until", "1969-01-01")

    assert result.exit_code == 2
    assert "--until" in result.stderr
    assert "1972" in result.stderr


def test_without_an_address_the_embedded_database_is_started_for_the_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INVENTORY_JOB_MONGO_URI", raising=False)

    result = run("--jobs", "20", "--data-dir", str(tmp_path))

    assert result.exit_code == 0
    assert DataDirectory(tmp_path).running_uri() is None
    with embedded_mongod(tmp_path) as uri, MongoClient[StoredDocument](uri) as client:
        assert client["inventory"]["job"].count_documents({}) == 20 + SAMPLES


def test_without_an_address_the_embedded_database_that_runs_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INVENTORY_JOB_MONGO_URI", raising=False)
    with embedded_mongod(tmp_path) as uri, MongoClient[StoredDocument](uri) as client:
        result = run("--jobs", "20", "--data-dir", str(tmp_path))

        assert result.exit_code == 0
        assert client["inventory"]["job"].count_documents({}) == 20 + SAMPLES
