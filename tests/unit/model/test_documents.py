"""The models give a document its shape: names, types, defaults and indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import mongoengine
import mongomock
import pytest
from bson import ObjectId
from mongoengine.connection import ConnectionFailure
from mongoengine.errors import ValidationError

from inventory_job.model.documents import (
    INDEXES,
    JOB_COLLECTION,
    JOB_TASK_COLLECTION,
    Index,
    Job,
    JobTask,
    new_job_id,
    new_job_task_id,
)

COUNTERS = {"total_tasks", "remained_tasks", "success_tasks", "failure_tasks"}


def test_a_job_id_is_the_prefix_and_twelve_lower_case_hex_digits() -> None:
    assert re.fullmatch(r"job-[0-9a-f]{12}", new_job_id())


def test_a_job_task_id_is_the_prefix_and_twelve_lower_case_hex_digits() -> None:
    assert re.fullmatch(r"job-task-[0-9a-f]{12}", new_job_task_id())


def test_job_ids_differ() -> None:
    assert len({new_job_id() for _ in range(1000)}) == 1000


def test_each_job_gets_an_id_of_its_own() -> None:
    assert Job().job_id != Job().job_id


def test_a_job_of_which_nothing_is_said_is_in_progress_with_no_tasks_and_nulls() -> None:
    stored = Job().to_mongo()

    stored.pop("job_id")
    assert stored.pop("status") == "IN_PROGRESS"
    assert {name: stored.pop(name) for name in COUNTERS} == dict.fromkeys(COUNTERS, 0)
    assert set(stored.values()) == {None}


def test_a_job_has_the_fields_of_the_data_model() -> None:
    assert set(Job().to_mongo()) == COUNTERS | {
        "job_id",
        "status",
        "collector_id",
        "plugin_id",
        "request_secret_id",
        "request_workspace_id",
        "resource_group",
        "workspace_id",
        "domain_id",
        "created_at",
        "updated_at",
        "finished_at",
    }


def test_a_stored_job_may_hold_fields_that_the_model_does_not_know() -> None:
    stored = {
        "_id": ObjectId(),
        "job_id": "job-1",
        "status": "TIMEOUT",
        "filter": {"region": ["a"]},
        "created_at": datetime(2020, 1, 1),
    }

    job = Job._from_son(stored)

    assert (job.job_id, job.status) == ("job-1", "TIMEOUT")


@pytest.mark.parametrize("status", ["ERROR", "TIMEOUT", "SOMETHING_NEW"])
def test_a_job_may_have_a_status_that_this_service_does_not_know(status: str) -> None:
    Job(status=status).validate()


def test_a_status_longer_than_twenty_characters_is_refused() -> None:
    with pytest.raises(ValidationError):
        Job(status="X" * 21).validate()


def test_remained_tasks_may_be_negative() -> None:
    Job(remained_tasks=-1).validate()


@pytest.mark.parametrize("missing", ["job_id", "domain_id"])
def test_a_task_belongs_to_a_job_and_a_domain(missing: str) -> None:
    keys = {"job_id": "job-1", "domain_id": "domain-1"}
    del keys[missing]

    with pytest.raises(ValidationError, match=missing):
        JobTask(**keys).validate()


@pytest.mark.parametrize("model", [Job, JobTask])
def test_a_model_has_no_connection_of_its_own(model: type[Job | JobTask]) -> None:
    with pytest.raises(ConnectionFailure):
        model.objects.first()


@pytest.fixture
def database() -> Iterator[Any]:
    """A database in memory, to which the models are connected for the while."""
    client = mongoengine.connect(
        "test",
        host="mongodb://database.test",
        mongo_client_class=mongomock.MongoClient,
        uuidRepresentation="standard",
    )
    yield client["test"]
    mongoengine.disconnect()


def test_a_document_is_written_under_the_names_of_its_fields(database: Any) -> None:
    job = Job(domain_id="domain-1", created_at=datetime(2026, 1, 2)).save()
    JobTask(job_id=job.job_id, domain_id="domain-1").save()

    stored = database[JOB_COLLECTION].find_one({}, {"_id": False})
    task = database[JOB_TASK_COLLECTION].find_one({}, {"_id": False})

    assert stored == {
        **Job().to_mongo(),
        "job_id": job.job_id,
        "domain_id": "domain-1",
        "created_at": datetime(2026, 1, 2),
    }
    assert (task["job_id"], task["status"], task["total_count"]) == (job.job_id, "PENDING", 0)


def test_a_document_is_read_as_another_service_wrote_it(database: Any) -> None:
    database[JOB_COLLECTION].insert_one({"job_id": "job-1", "status": "TIMEOUT", "filter": {}})

    (job,) = Job.objects

    assert (job.job_id, job.status, job.total_tasks) == ("job-1", "TIMEOUT", 0)


def test_writing_creates_no_index(database: Any) -> None:
    Job(domain_id="domain-1").save()

    assert set(database[JOB_COLLECTION].index_information()) == {"_id_"}


MODELS: dict[str, type[Job | JobTask]] = {JOB_COLLECTION: Job, JOB_TASK_COLLECTION: JobTask}


@pytest.mark.parametrize(("collection", "model"), MODELS.items())
def test_the_indexes_of_a_model_are_those_declared(
    collection: str, model: type[Job | JobTask], database: Any
) -> None:
    model.ensure_indexes()

    created = {
        (name, tuple(found["key"]), found.get("unique", False))
        for each in MODELS
        for name, found in database[each].index_information().items()
        if name != "_id_"
    }

    assert created == {
        (index.name, index.keys, index.unique)
        for index in INDEXES
        if index.collection == collection
    }


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
def test_an_index_is_on_fields_of_its_model(index: Index) -> None:
    model = MODELS[index.collection]
    known = {*model(job_id="job-1", domain_id="domain-1").to_mongo(), "_id"}

    assert {field for field, _ in index.keys} <= known


def test_two_jobs_cannot_have_the_same_id(database: Any) -> None:
    Job.ensure_indexes()
    Job(job_id="job-1", domain_id="domain-1").save()

    with pytest.raises(mongoengine.NotUniqueError):
        Job(job_id="job-1", domain_id="domain-2").save()
