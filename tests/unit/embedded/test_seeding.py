"""Seeding writes demo data as the models have it, and leaves what is there alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import mongoengine
import mongomock
import pytest
from pymongo.errors import BulkWriteError

from inventory_job.embedded import seeding
from inventory_job.embedded.demo_data import Demo, samples
from inventory_job.embedded.seeding import Counts, NotEmpty
from inventory_job.model.documents import JOB_COLLECTION, JOB_TASK_COLLECTION, Job, JobTask
from inventory_job.results import StoredDocument

Pair = tuple[StoredDocument, list[StoredDocument]]
DEMO = Demo(50, seed=0, until=datetime(2026, 3, 1))


@dataclass(frozen=True)
class Collections:
    """Two collections in memory."""

    jobs: Any
    job_tasks: Any


class Awaited:
    """A collection whose methods are awaited, as those of the server's client."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **others: Any) -> Any:
            return getattr(self._collection, name)(*args, **others)

        return call


class Opened:
    """As inventory_job.model.client.Database."""

    def __init__(self, store: Collections) -> None:
        self.jobs, self.job_tasks = Awaited(store.jobs), Awaited(store.job_tasks)

    def describe(self) -> str:
        return "database.test/test"

    async def with_server(self, work: Callable[[], Awaitable[Any]]) -> Any:
        return await work()


def load(store: Collections, pairs: Iterable[Pair], *, force: bool = False) -> Counts:
    opened: Any = Opened(store)
    return asyncio.run(seeding.load(opened, pairs, force=force))


@pytest.fixture
def store() -> Iterator[Collections]:
    """Collections in memory, with their indexes; the models read them."""
    client: Any = mongoengine.connect(
        "test",
        host="mongodb://database.test",
        mongo_client_class=mongomock.MongoClient,
        uuidRepresentation="standard",
    )
    Job.ensure_indexes()
    JobTask.ensure_indexes()
    database = client["test"]
    yield Collections(database[JOB_COLLECTION], database[JOB_TASK_COLLECTION])
    mongoengine.disconnect()


def stored(collection: Any) -> list[StoredDocument]:
    return list(collection.find().sort("_id"))


def by_id(documents: Iterable[StoredDocument]) -> list[StoredDocument]:
    return sorted(documents, key=lambda document: document["_id"])


def test_all_documents_are_stored_as_they_are(store: Collections) -> None:
    pairs = list(DEMO.documents())

    counts = load(store, pairs)

    assert stored(store.jobs) == by_id(job for job, _ in pairs)
    assert stored(store.job_tasks) == by_id(task for _, tasks in pairs for task in tasks)
    assert counts == Counts(50, sum(len(tasks) for _, tasks in pairs))


def test_demo_data_are_valid_documents_of_the_models(store: Collections) -> None:
    load(store, DEMO.documents())

    for model in (Job, JobTask):
        documents = list(model.objects)
        assert documents
        for document in documents:
            document.validate()


def test_demo_data_have_fields_of_the_models(store: Collections) -> None:
    load(store, DEMO.documents())

    job, task = Job().to_mongo(), JobTask(job_id="job-1", domain_id="domain-1").to_mongo()
    assert {name for stored_job in stored(store.jobs) for name in stored_job} <= {*job, "_id"}
    assert {name for stored_task in stored(store.job_tasks) for name in stored_task} <= {
        *task,
        "_id",
    }


def test_sample_documents_are_valid_documents_of_the_models(store: Collections) -> None:
    load(store, samples())

    for document in [*Job.objects, *JobTask.objects]:
        document.validate()


def test_nothing_is_added_to_a_collection_that_is_not_empty(store: Collections) -> None:
    store.jobs.insert_one({"job_id": "job-1"})

    with pytest.raises(NotEmpty, match=r"database\.test/test holds 1 documents already"):
        load(store, DEMO.documents())

    assert len(stored(store.jobs)) == 1
    assert stored(store.job_tasks) == []


def test_more_is_added_by_force_and_what_is_there_left_alone(store: Collections) -> None:
    pairs = list(DEMO.documents())
    first = {**pairs[0][0], "status": "CHANGED"}
    store.jobs.insert_one(first)

    counts = load(store, pairs, force=True)

    assert counts.jobs == 49
    assert first in stored(store.jobs)


def test_a_job_whose_id_is_there_already_is_left_out(store: Collections) -> None:
    pairs = list(DEMO.documents())
    store.jobs.insert_one({"job_id": pairs[0][0]["job_id"]})

    assert load(store, pairs, force=True).jobs == 49


def test_loading_the_same_twice_adds_nothing(store: Collections) -> None:
    load(store, DEMO.documents())

    assert load(store, DEMO.documents(), force=True) == Counts(0, 0)


def test_a_job_without_tasks_is_stored(store: Collections) -> None:
    assert load(store, [({"job_id": "job-1"}, [])]) == Counts(1, 0)


def test_nothing_is_nothing(store: Collections) -> None:
    assert load(store, []) == Counts(0, 0)


def test_jobs_are_read_as_they_are_stored_some_at_a_time(store: Collections) -> None:
    store.jobs.drop_indexes()  # in memory a unique one takes long

    def pairs() -> Iterator[Pair]:
        for number in range(2500):
            assert store.jobs.count_documents({}) == (0 if number < 2000 else 2000)
            yield {"job_id": f"job-{number}"}, []

    assert load(store, pairs()) == Counts(2500, 0)


def recording(name: str, order: list[str], insert: Callable[..., Any]) -> Callable[..., Any]:
    def insert_many(*args: Any, **others: Any) -> Any:
        order.append(name)
        return insert(*args, **others)

    return insert_many


def test_tasks_are_there_before_their_jobs(
    store: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for name, collection in (("job", store.jobs), ("task", store.job_tasks)):
        insert = recording(name, order, collection.insert_many)
        monkeypatch.setattr(collection, "insert_many", insert)

    load(store, DEMO.documents())

    assert order == ["task", "job"]


@pytest.mark.parametrize(
    "details",
    [
        {"writeErrors": [{"code": 11000}, {"code": 121}], "writeConcernErrors": [], "nInserted": 0},
        {"writeErrors": [], "writeConcernErrors": [{"code": 64}], "nInserted": 1},
    ],
    ids=["another error", "write concern"],
)
def test_what_is_no_duplicate_is_an_error(
    details: dict[str, Any], store: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    def insert_many(*args: Any, **others: Any) -> None:
        raise BulkWriteError(details)

    monkeypatch.setattr(store.jobs, "insert_many", insert_many)

    with pytest.raises(BulkWriteError):
        load(store, DEMO.documents())
