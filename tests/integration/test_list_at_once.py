"""A page whose jobs have to be looked for among all is found while they are counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from pymongo import monitoring

from inventory_job.auth.scope import Scope
from inventory_job.errors import QueryRefused
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import Totals
from inventory_job.model.indexes import CoveringIndexes
from inventory_job.model.operation import Killer
from inventory_job.query.conditions import Page
from inventory_job.query.fields import SHOWN
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.plans import ListPlan
from tests import oracle

DOMAIN = "domain-of-six"
BY_STATUS = {"status": 1, "_id": 1}
NEWEST_FIRST = {"created_at": -1, "_id": 1}
_SECONDS = 10.0


class Meeting(monitoring.CommandListener):
    """Holds up each find until a count has begun, if it is to `wait`."""

    def __init__(self) -> None:
        self.waits = False
        self.names: list[str] = []
        self._counting = threading.Event()
        self.met: list[bool] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Waits, or tells that there is no need to."""
        self.names.append(event.command_name)
        if event.command_name == "aggregate":
            self._counting.set()
        elif event.command_name == "find" and self.waits:
            self.met.append(self._counting.wait(_SECONDS))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


class Waiting:
    """A call that somebody waits for, with what is to end when nobody does."""

    def __init__(self) -> None:
        self.ends: list[Callable[[], None]] = []

    def remaining(self) -> float:
        return 60.0

    def on_end(self, end: Callable[[], None]) -> bool:
        self.ends.append(end)
        return True


@pytest.fixture
def meeting() -> Meeting:
    return Meeting()


@pytest.fixture
def manager(mongo_uri: str, database_name: str, meeting: Meeting) -> Iterator[JobManager]:
    with (
        closing(Database(mongo_uri, database_name, listeners=[meeting])) as database,
        closing(Killer(database)) as killer,
        closing(Totals(database, 0)) as totals,
    ):
        database.jobs.insert_many(oracle.six_jobs(DOMAIN))
        yield JobManager(database, killer, totals, CoveringIndexes(database))
        database.jobs.delete_many({})


def plan(order: dict[str, Any], limit: int, *conditions: dict[str, Any]) -> ListPlan:
    jobs = ScopedFilter(Scope(DOMAIN), conditions)
    return ListPlan(jobs, order, SHOWN, Page(limit=limit))


def test_page_and_total_are_read_at_once(manager: JobManager, meeting: Meeting) -> None:
    meeting.waits = True
    call = Waiting()

    page = manager.list(plan(BY_STATUS, 2), call)

    assert meeting.met == [True]
    assert (len(page.documents), page.total) == (2, 6)
    assert len(call.ends) == 2


def test_the_newest_jobs_are_found_before_they_are_counted(
    manager: JobManager, meeting: Meeting
) -> None:
    call = Waiting()

    page = manager.list(plan(NEWEST_FIRST, 2), call)

    assert (len(page.documents), page.total) == (2, 6)
    assert [name for name in meeting.names if name in {"find", "aggregate"}] == [
        "find",
        "aggregate",
    ]
    assert len(call.ends) == 1


def test_a_page_that_proves_its_total_waits_for_no_count(manager: JobManager) -> None:
    page = manager.list(plan(BY_STATUS, 10), Waiting())

    assert (len(page.documents), page.total) == (6, 6)


def test_what_mongodb_refuses_of_both_is_told_once(manager: JobManager) -> None:
    wrong = {"job_id": {"$regex": "("}}

    with pytest.raises(QueryRefused, match="error 51091"):
        manager.list(plan(BY_STATUS, 2, wrong), Waiting())
