"""Inserts documents in bulk, normally into empty collections (development only)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import pymongo
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from inventory_job.model.client import Database
from inventory_job.results import StoredDocument

_BATCH = 2_000
_INSERT_SECONDS = 60.0
_DUPLICATE_KEY = 11000


class NotEmpty(Exception):
    """There are jobs already; the message says how many, and how to add to them."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many documents were inserted."""

    jobs: int
    tasks: int


async def load(
    database: Database,
    jobs: Iterable[tuple[StoredDocument, list[StoredDocument]]],
    *,
    force: bool = False,
) -> Counts:
    """Inserts jobs and their tasks, in batches.

    A batch's tasks go first, so that no job is visible without its tasks. Documents whose _id or
    job_id exists already are skipped. Raises NotEmpty when there are jobs and `force` is not given,
    and pymongo errors.
    """
    present = await database.with_server(database.jobs.estimated_document_count)
    if present and not force:
        raise NotEmpty(
            f"The collection job of {database.describe()} holds {present} documents already. "
            "Use --force to add to them."
        )
    new_jobs = new_tasks = 0
    remaining = iter(jobs)
    while batch := list(islice(remaining, _BATCH)):
        tasks = [task for _, its_tasks in batch for task in its_tasks]
        new_tasks += await _insert(database.job_tasks, tasks)
        new_jobs += await _insert(database.jobs, [job for job, _ in batch])
    return Counts(new_jobs, new_tasks)


async def _insert(
    collection: AsyncCollection[StoredDocument], documents: list[StoredDocument]
) -> int:
    if not documents:
        return 0
    try:
        # Within a time of its own the driver waits for a server, also to repeat a write.
        with pymongo.timeout(_INSERT_SECONDS):
            inserted = await collection.insert_many(documents, ordered=False)
        return len(inserted.inserted_ids)
    except BulkWriteError as error:
        duplicates = all(f["code"] == _DUPLICATE_KEY for f in error.details["writeErrors"])
        if error.details.get("writeConcernErrors") or not duplicates:
            raise
        new: int = error.details["nInserted"]
        return new
