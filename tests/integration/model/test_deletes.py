"""Deletes without transactions whose answers are lost on the way from the database."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from inventory_job.auth.scope import Scope
from inventory_job.deadline import Deadline
from inventory_job.errors import NotFound, Unavailable
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import CountCache
from inventory_job.model.deletes import Deletes
from inventory_job.query.countable import countable
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.plans import JobPlan
from tests.support.running import in_database
from tests.support.store import Store


class Lossy:
    """A collection of which one answer does not arrive, that to the method `lost`."""

    def __init__(self, collection: Any, lost: str) -> None:
        self._collection = collection
        self._lost: str | None = lost

    def with_options(self, **_: Any) -> Lossy:
        return self

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)
        if name != self._lost:
            return method
        self._lost = None

        async def lose(*arguments: Any, **named: Any) -> Any:
            await method(*arguments, **named)
            raise AutoReconnect("connection closed")

        return lose


def plan(job_id: str) -> JobPlan:
    return JobPlan(ScopedFilter(Scope("domain-1"), ({"job_id": job_id},)), job_id)


@pytest.fixture
def stored(database: Store) -> Store:
    database.jobs.drop()
    database.job_tasks.drop()
    database.jobs.insert_one({"job_id": "job-1", "domain_id": "domain-1"})
    database.job_tasks.insert_one({"job_id": "job-1", "domain_id": "domain-1"})
    return database


Delete = Callable[[str], Coroutine[Any, Any, None]]


def deleting(
    store: Store,
    prepare: Callable[[Database], None],
    work: Callable[[Delete], Coroutine[Any, Any, None]],
) -> None:
    """Runs `work` with a delete on the database of a store, taken for one without transactions."""

    async def run(database: Database) -> None:
        async def never() -> bool:
            return False

        database.has_transactions = never  # type: ignore[method-assign]
        prepare(database)
        manager = JobManager(database, CountCache(database, 0))
        await work(lambda job_id: manager.delete(plan(job_id), Deadline.after(20.0)))

    in_database(store, run)


def lose(collection: str, method: str) -> Callable[[Database], None]:
    """Has the answer to a collection's method lost, once."""
    return lambda database: setattr(
        database, collection, Lossy(getattr(database, collection), method)
    )


def test_a_delete_whose_last_answer_is_lost_is_unavailable_not_not_found(stored: Store) -> None:
    async def work(delete: Delete) -> None:
        with pytest.raises(Unavailable):
            await delete("job-1")

    deleting(stored, lose("jobs", "delete_one"), work)

    assert stored.jobs.count_documents({}) == 0
    assert stored.job_tasks.count_documents({}) == 0


def test_a_delete_that_ended_after_the_tasks_can_be_repeated(stored: Store) -> None:
    async def work(delete: Delete) -> None:
        with pytest.raises(Unavailable):
            await delete("job-1")
        assert stored.jobs.count_documents({}) == 1

        await delete("job-1")

    deleting(stored, lose("job_tasks", "delete_many"), work)

    assert stored.jobs.count_documents({}) == 0
    assert stored.job_tasks.count_documents({}) == 0


def test_a_job_that_never_was_is_not_found(stored: Store) -> None:
    async def work(delete: Delete) -> None:
        with pytest.raises(NotFound):
            await delete("job-2")

    deleting(stored, lambda _: None, work)
    assert stored.jobs.count_documents({}) == 1


def test_only_a_delete_of_a_job_drops_totals(stored: Store) -> None:
    kept: list[int] = []

    async def run(database: Database) -> None:
        counts = CountCache(database)
        assert (jobs := countable(ScopedFilter(Scope("domain-2")))) is not None
        assert not counts.counters.begin(jobs), "only what is asked for again is kept"
        assert counts.counters.begin(jobs)
        deletes = Deletes(database, counts.counters)
        for job_id in ("job-2", "job-1"):
            await deletes.delete(plan(job_id))
            kept.append(counts.counters.kept)

    in_database(stored, run)

    assert kept == [1, 0]
