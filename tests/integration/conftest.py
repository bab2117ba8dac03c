"""A real server on a real MongoDB, reached through real channels."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from pydantic import SecretStr

from inventory_job.settings import Settings
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
