"""A server in mode identity, and the identity service that it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from inventory_job.settings import Settings
from tests.support.identity import IdentityService
from tests.support.identity_callers import (
    OWN_TOKEN,
    Client,
    MakeSettings,
    serving,
)
from tests.support.store import Store
from tests.support.tokens import Issuer


@pytest.fixture(autouse=True, scope="module")
def stored(database: Store) -> None:
    database.jobs.insert_many(
        {"job_id": f"job-{number}", "domain_id": f"domain-{number}"} for number in (1, 2)
    )


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture
def identity(issuer: Issuer) -> Iterator[IdentityService]:
    service = IdentityService(OWN_TOKEN, issuer, Issuer("domain-2"))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def make_settings(mongo_uri: str, database_name: str, identity: IdentityService) -> MakeSettings:
    def make(**given: Any) -> Settings:
        return Settings(
            **{
                "port": 0,
                "mongo_uri": SecretStr(mongo_uri),
                "mongo_database": database_name,
                "auth_mode": "identity",
                "identity_endpoint": identity.endpoint,
                "identity_token": SecretStr(OWN_TOKEN),
                "identity_seconds": 1.0,
                **given,
            }
        )

    return make


@pytest.fixture
def client(make_settings: MakeSettings) -> Iterator[Client]:
    with serving(make_settings()) as made:
        yield made
