"""Commands that call a server, the jobs they show, and clients of other domains."""

from __future__ import annotations

import grpc
import pytest

from tests.cases.cli_jobs import JOBS
from tests.support.client import Tenant, tenants
from tests.support.running import ServerThread
from tests.support.shell import Shell
from tests.support.store import Store


@pytest.fixture(scope="module")
def tenant(channel: grpc.Channel, database: Store) -> Tenant:
    return tenants(channel, database)


@pytest.fixture
def shell(server: ServerThread) -> Shell:
    return Shell(server.address)


@pytest.fixture(scope="module")
def jobs(database: Store) -> None:
    database.jobs.insert_many(dict(job) for job in JOBS)
