"""Clients of the domains that the cases of stat and analyze are about."""

from __future__ import annotations

import grpc
import pytest
from bson import ObjectId

from tests import oracle
from tests.cases import stats
from tests.support.client import Client, Tenant, tenants
from tests.support.store import Store

DOMAIN = "domain-of-six"


@pytest.fixture(scope="module")
def client(channel: grpc.Channel, database: Store) -> Client:
    """A client of the domain with the six jobs."""
    database.jobs.insert_many(oracle.six_jobs(DOMAIN))
    return Client(channel, DOMAIN)


@pytest.fixture(scope="module")
def nested(channel: grpc.Channel, database: Store) -> Client:
    """A client of a domain with jobs that have lists and documents."""
    database.jobs.insert_many(
        job | {"_id": ObjectId(), "job_id": f"job-{n:012x}", "domain_id": "domain-nested"}
        for n, job in enumerate(stats.NESTED, start=1)
    )
    return Client(channel, "domain-nested")


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)
