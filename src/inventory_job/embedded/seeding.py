"""Writes documents in bulk, into collections that had better be empty (development only)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, ConfigurationError, InvalidName

from inventory_job.model.client import client_options, without_credentials
from inventory_job.model.documents import JOB_COLLECTION, JOB_TASK_COLLECTION
from inventory_job.results import StoredDocument

_BATCH = 2_000
_DUPLICATE_KEY = 11000


class NotEmpty(Exception):
    """There are jobs already; the message says how many and what would do."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many documents were new."""

    jobs: int
    tasks: int


@dataclass(frozen=True, slots=True)
class SeedStore:
    """The two collections of the documents, and how to call their database."""

    jobs: Collection[StoredDocument]
    job_tasks: Collection[StoredDocument]
    description: str


@contextmanager
def open_store(uri: str, name: str, server_selection_seconds: float) -> Iterator[SeedStore]:
    """The collections in the database of that name; raises ValueError for a malformed connection
    string or name, without credentials in it."""
    try:
        options = client_options(uri, server_selection_seconds)
        client = MongoClient[StoredDocument](uri, connect=False, **options)
        database = client[name]
    except (ConfigurationError, ValueError) as error:
        raise ValueError(f"The MongoDB connection string is not valid: {error}") from error
    except InvalidName as error:
        raise ValueError(f"{name!r} is not a valid database name: {error}") from error
    with client:
        yield SeedStore(
            database[JOB_COLLECTION],
            database[JOB_TASK_COLLECTION],
            f"{without_credentials(uri)}/{name}",
        )


def load(
    store: SeedStore,
    jobs: Iterable[tuple[StoredDocument, list[StoredDocument]]],
    *,
    force: bool = False,
) -> Counts:
    """Inserts jobs, each with its tasks, some at a time.

    Tasks go first, so that no job is ever seen without its own. Documents whose _id or job_id is
    there already are left alone. Raises NotEmpty when there are jobs and `force` is not given,
    and pymongo errors.
    """
    present = store.jobs.estimated_document_count()
    if present and not force:
        raise NotEmpty(
            f"The collection job of {store.description} holds {present} documents already. "
            "Use --force to add to them."
        )
    new_jobs = new_tasks = 0
    remaining = iter(jobs)
    while batch := list(islice(remaining, _BATCH)):
        new_tasks += _insert(store.job_tasks, [task for _, tasks in batch for task in tasks])
        new_jobs += _insert(store.jobs, [job for job, _ in batch])
    return Counts(new_jobs, new_tasks)


def _insert(collection: Collection[StoredDocument], documents: list[StoredDocument]) -> int:
    if not documents:
        return 0
    try:
        return len(collection.insert_many(documents, ordered=False).inserted_ids)
    except BulkWriteError as error:
        duplicates = all(f["code"] == _DUPLICATE_KEY for f in error.details["writeErrors"])
        if error.details.get("writeConcernErrors") or not duplicates:
            raise
        inserted: int = error.details["nInserted"]
        return inserted
