"""Pages of jobs that do not fit into one answer of the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from inventory_job.auth.scope import Scope
from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest
from inventory_job.model.client import Database
from inventory_job.model.reading import Reader
from inventory_job.query.filters import Page, ScopedFilter
from inventory_job.query.plans import ListPlan
from inventory_job.results import StoredDocument
from tests.support.http_service import client_of
from tests.support.running import in_database
from tests.support.store import Store

DOMAIN = "domain-of-large-jobs"
JOBS = 20
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def jobs(database: Store) -> None:
    for number in range(JOBS):
        job = {"job_id": f"job-{number:012x}", "plugin_id": "p" * MEBIBYTE}
        database.jobs.insert_one({"domain_id": DOMAIN, **job})


@pytest.fixture
def open_cursors(mongo_uri: str) -> Iterator[Any]:
    """How many cursors the server has open."""
    with MongoClient[StoredDocument](mongo_uri) as mongo:

        def count() -> int:
            status = mongo.admin.command("serverStatus")
            return int(status["metrics"]["cursor"]["open"]["total"])

        yield count


def test_they_are_answered_whole(database: Store) -> None:
    with client_of(database) as http:
        response = http.post(
            "/inventory/v1/job/list",
            json={"query": {"page": {"limit": 1000}, "sort": [{"key": "job_id"}]}},
            headers={"x-domain-id": DOMAIN},
            timeout=60,
        )

    results = response.json()["results"]
    assert [result["job_id"] for result in results] == [f"job-{n:012x}" for n in range(JOBS)]
    assert {len(result["plugin_id"]) for result in results} == {MEBIBYTE}


@pytest.mark.parametrize("most", [MEBIBYTE, 100 * MEBIBYTE], ids=["too large", "in pieces"])
def test_no_cursor_stays_open(database: Store, open_cursors: Any, most: int) -> None:
    before = open_cursors()

    if most == MEBIBYTE:
        with pytest.raises(InvalidRequest, match="larger than 1048576 bytes"):
            page(database, most)
    else:
        assert len(page(database, most)) == JOBS

    assert open_cursors() <= before


def page(store: Store, most: int) -> list[StoredDocument]:
    plan = ListPlan(
        ScopedFilter(Scope(DOMAIN), ()),
        {"job_id": 1},
        ("job_id", "plugin_id"),
        Page(start=1, limit=1000),
    )

    async def read(database: Database) -> list[StoredDocument]:
        rows, number = await Reader(database, most).page(plan, Deadline.after(20.0))
        jobs = rows.decoded()
        assert len(jobs) == number
        return jobs

    return in_database(store, read)
