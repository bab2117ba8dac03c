"""Deletes whose answers are lost on the way from the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from inventory_job.auth.scope import Scope
from inventory_job.errors import NotFound
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import Totals
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.model.operation import Killer
from inventory_job.query.plans import JobPlan, plan_job
from inventory_job.query.schema import JobRequest
from tests.lower_half import Unbounded


class Lossy:
    """A collection of which one answer does not arrive, that to the method `lost`."""

    def __init__(self, collection: Any, lost: str) -> None:
        self._collection = collection
        self._lost: str | None = lost

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)
        if name != self._lost:
            return method
        self._lost = None

        def lose(*arguments: Any, **named: Any) -> Any:
            method(*arguments, **named)
            raise AutoReconnect("connection closed")

        return lose


@pytest.fixture
def alone(
    database: Database, mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """The database without transactions."""
    with closing(Database(mongo_uri, database.name)) as made:
        monkeypatch.setattr(made, "has_transactions", lambda: False)
        made.jobs.drop()
        yield made


@pytest.fixture
def manager(alone: Database) -> Iterator[JobManager]:
    with closing(Killer(alone)) as killer, closing(Totals(alone, 0)) as totals:
        yield JobManager(alone, killer, totals, CoveringIndexes(alone))


def plan(job_id: str) -> JobPlan:
    return plan_job(JobRequest(job_id=job_id), Scope("domain-1"))


def test_a_delete_that_was_done_is_not_answered_with_not_found(
    alone: Database, manager: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone.jobs.insert_one({"job_id": "job-1", "domain_id": "domain-1"})
    monkeypatch.setattr(alone, "jobs", Lossy(alone.jobs, "delete_one"))

    manager.delete(plan("job-1"), Unbounded())

    assert alone.jobs.count_documents({}) == 0


def test_a_job_that_never_was_is_not_found_whatever_was_lost(
    alone: Database, manager: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "jobs", Lossy(alone.jobs, "find_one"))

    with pytest.raises(NotFound):
        manager.delete(plan("job-1"), Unbounded())
