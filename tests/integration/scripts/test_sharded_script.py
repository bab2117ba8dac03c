"""scripts/sharded, as far as it goes without a mongos: it says so, and what it asks is right of a
replica set that is taken for a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import sharded
from pydantic import SecretStr
from pymongo import MongoClient

from inventory_job.settings import Settings
from tests.support.mongos import as_mongos
from tests.support.running import server_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def client(mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sharded.Mongo]:
    """A client of what is taken for a cluster, with the data of the script in it."""
    name = "inventory-job-test-sharded"
    monkeypatch.setattr(sharded, "DATABASE", name)
    with as_mongos(mongo_uri) as uri, MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(name)
        sharded.fill(client)
        yield client
        client.drop_database(name)


def test_without_a_mongos_it_says_that_it_checked_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "sharded.py")]
    environment = {"PATH": str(tmp_path), "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}"}

    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 2
    assert run.stderr == "there is no mongos on the PATH: nothing was checked\n"
    assert run.stdout == ""


def test_what_it_asks_of_the_service_is_right(client: sharded.Mongo) -> None:
    [(host, port)] = client.nodes
    settings = Settings(
        port=0,
        mongo_uri=SecretStr(f"mongodb://{host}:{port}/"),
        mongo_database=sharded.DATABASE,
    )
    with server_of(settings) as server, grpc.insecure_channel(server.address) as channel:
        findings = [*sharded.answers(channel), *sharded.deletes(channel, client)]

    assert len(findings) == 17
    assert [finding for finding, is_right in findings if not is_right] == []
