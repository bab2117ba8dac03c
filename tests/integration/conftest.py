"""A real server on a real MongoDB, reached through real channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from inventory_job.results import StoredDocument
from inventory_job.settings import Settings
from tests.support.client import Recorder
from tests.support.running import ServerThread, server_of


@pytest.fixture(scope="module")
def settings(mongo_uri: str, database_name: str) -> Settings:
    """Settings of a server on a database of its own, without authentication."""
    return Settings(port=0, mongo_uri=SecretStr(mongo_uri), mongo_database=database_name)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[ServerThread]:
    """A server running in this process."""
    with server_of(settings) as served:
        yield served


@pytest.fixture(scope="module")
def channel(server: ServerThread) -> Iterator[grpc.Channel]:
    """A channel to the server."""
    with grpc.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def recorder(database_name: str) -> Recorder:
    """Records the commands that the calls of a client send to this module's database."""
    return Recorder(database_name)


@pytest.fixture(scope="module")
def running(mongo_uri: str, database_name: str) -> Iterator[Callable[[], int]]:
    """How many commands are at work on the jobs of this module's database."""
    with MongoClient[StoredDocument](mongo_uri) as mongo:

        def count() -> int:
            at_work: list[dict[str, Any]] = [
                {"$currentOp": {}},
                {"$match": {"ns": f"{database_name}.job", "op": {"$in": ["command", "query"]}}},
            ]
            return len(list(mongo.admin.aggregate(at_work)))

        yield count
