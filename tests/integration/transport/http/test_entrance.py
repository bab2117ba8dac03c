"""What a server tells the page at `/` before it asks for jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from inventory_job.embedded.demo_data import LARGEST_TENANT
from inventory_job.settings import Settings
from tests.support.running import server_of
from tests.support.store import Store
from tests.support.tokens import Issuer, key_file_text


def entrance(database: Store, **settings: Any) -> dict[str, str]:
    """What a server with these settings answers."""
    given = Settings(
        mongo_uri=SecretStr(database.uri),
        mongo_database=database.name,
        port=0,
        http=True,
        http_port=0,
        **settings,
    )
    with server_of(given) as server:
        answer: dict[str, str] = httpx.get(
            f"http://{server.http_address}/home/entrance.json"
        ).json()
        return answer


def test_a_server_that_trusts_everybody_offers_the_domain_of_its_demo_data(
    database: Store,
) -> None:
    assert entrance(database) == {"auth_mode": "none"}

    database.jobs.insert_one({"job_id": "job-1", "domain_id": LARGEST_TENANT})

    assert entrance(database) == {"auth_mode": "none", "domain": LARGEST_TENANT}


def test_a_server_that_trusts_everybody_offers_the_domain_of_calls_that_name_none(
    database: Store,
) -> None:
    assert entrance(database, default_domain_id="domain-1")["domain"] == "domain-1"


def test_a_server_that_asks_for_tokens_offers_none(database: Store, tmp_path: Path) -> None:
    database.jobs.insert_one({"job_id": "job-2", "domain_id": LARGEST_TENANT})
    keys = tmp_path / "keys.json"
    keys.write_text(key_file_text(Issuer(LARGEST_TENANT)))

    assert entrance(database, auth_mode="jwt", auth_key_file=keys) == {"auth_mode": "jwt"}
