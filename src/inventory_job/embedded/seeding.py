"""Documents in bulk, into collections that had better be empty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument

_BATCH = 2_000
_DUPLICATE_KEY = 11000
_Item = TypeVar("_Item")


class NotEmpty(Exception):
    """There are jobs already; the message says how many and what would do."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many documents were new."""

    jobs: int
    tasks: int


def load(
    database: Database,
    jobs: Iterable[tuple[RawDocument, list[RawDocument]]],
    *,
    force: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Counts:
    """Inserts jobs, each with its tasks; `on_progress` is told how many jobs each step took.

    Tasks go first, so that no job is ever seen without its own. Documents whose _id or job_id is
    there already are left alone. Raises NotEmpty when there are jobs and `force` is not given,
    and pymongo errors.
    """
    present = database.jobs.estimated_document_count()
    if present and not force:
        raise NotEmpty(
            f"The collection job of {database.describe()} holds {present} documents already. "
            "Use --force to add to them."
        )
    new_jobs = new_tasks = 0
    for batch in _batches(jobs):
        new_tasks += _insert(database.job_tasks, [task for _, tasks in batch for task in tasks])
        new_jobs += _insert(database.jobs, [job for job, _ in batch])
        on_progress(len(batch))
    return Counts(new_jobs, new_tasks)


def _insert(collection: Collection[RawDocument], documents: list[RawDocument]) -> int:
    if not documents:
        return 0
    try:
        return len(collection.insert_many(documents, ordered=False).inserted_ids)
    except BulkWriteError as error:
        duplicates = all(f["code"] == _DUPLICATE_KEY for f in error.details["writeErrors"])
        if error.details["writeConcernErrors"] or not duplicates:
            raise
        inserted: int = error.details["nInserted"]
        return inserted


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
