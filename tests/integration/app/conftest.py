"""A client, and the commands that its calls send to the database."""

from __future__ import annotations

import grpc
import pytest

from tests import oracle
from tests.support.attacks import DOMAIN, SECRET, VICTIM
from tests.support.client import Client, Recorder
from tests.support.store import Store


@pytest.fixture(scope="module")
def client(recorder: Recorder, channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs; the victim has the same ones and a secret."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    database.jobs.insert_many(
        {**job, "_id": f"stranger {job['job_id']}", "plugin_id": SECRET}
        for job in oracle.six_jobs(VICTIM)
    )
    database.job_tasks.insert_many(
        {"job_id": "job-000000000001", "domain_id": domain, "provider": provider}
        for domain, provider in ((DOMAIN, "aws"), (VICTIM, SECRET))
    )
    return Client(channel, DOMAIN)
