"""Pages of jobs that do not fit into one answer of the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from inventory_job.model.client import Database
from inventory_job.model.commands import PageQuery, RawDocument
from tests.http_service import client_of

DOMAIN = "domain-of-large-jobs"
JOBS = 20
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def jobs(database: Database) -> None:
    for number in range(JOBS):
        job = {"job_id": f"job-{number:012x}", "plugin_id": "p" * MEBIBYTE}
        database.jobs.insert_one({"domain_id": DOMAIN, **job})


@pytest.fixture
def open_cursors(mongo_uri: str) -> Iterator[Any]:
    """How many cursors the server has open."""
    with MongoClient[RawDocument](mongo_uri) as mongo:

        def count() -> int:
            status = mongo.admin.command("serverStatus")
            return int(status["metrics"]["cursor"]["open"]["total"])

        yield count


def test_they_are_answered_whole(database: Database) -> None:
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
def test_no_cursor_stays_open(database: Database, open_cursors: Any, most: int) -> None:
    query = PageQuery({"domain_id": DOMAIN}, {"_id": 0}, {"job_id": 1}, 0, 1000)
    before = open_cursors()

    with database.start_session() as session:
        assert database.find_page(query, session, 20.0, most) is None

    assert open_cursors() <= before


def test_a_page_that_fits_is_had_in_one_command(database: Database) -> None:
    query = PageQuery({"domain_id": DOMAIN}, {"_id": 0, "job_id": 1}, {"job_id": -1}, 2, 3)

    with database.start_session() as session:
        page = database.find_page(query, session, 20.0, MEBIBYTE)

    assert page == [{"job_id": f"job-{number:012x}"} for number in (17, 16, 15)]
