"""What tests of kept totals share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inventory_job.results import StoredDocument
from tests.support.store import Store
from tests.support.totals import Process


@pytest.fixture
def insert(database: Store) -> Iterator[Callable[..., Any]]:
    """Inserts jobs, as other services do."""

    def insert(*jobs: StoredDocument) -> list[Any]:
        return list(database.jobs.insert_many(dict(job) for job in jobs).inserted_ids)

    yield insert
    database.jobs.delete_many({})


@pytest.fixture
def process(mongo_uri: str, database_name: str) -> Iterator[Process]:
    with Process(mongo_uri, database_name) as process:
        yield process


@pytest.fixture
def domain() -> str:
    return f"domain-{uuid.uuid4().hex[:12]}"
