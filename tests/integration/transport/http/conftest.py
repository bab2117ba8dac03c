"""A client of a port that takes small requests alone, with some jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.support.http_service import LIMITS, MOST_BYTES, HttpPort, client_of
from tests.support.store import Store


@pytest.fixture(scope="module")
def client(database: Store) -> Iterator[httpx.Client]:
    database.jobs.insert_many(
        {"job_id": f"job-{n:012x}", "domain_id": "domain-1", "status": "SUCCESS"}
        for n in range(300)
    )
    options = HttpPort(limits=replace(LIMITS, bytes=MOST_BYTES))
    with client_of(database, options) as opened:
        yield opened
