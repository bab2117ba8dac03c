"""Connections that are there and of no use: logged out, or with silence at the other end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from pydantic import SecretStr

from inventory_job.embedded.data_directory import wait_until
from inventory_job.settings import Settings
from tests.support.client import Client
from tests.support.guarded_set import GuardedReplicaSet
from tests.support.proxy import Proxies, Proxy
from tests.support.running import server_of


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedReplicaSet]:
    with GuardedReplicaSet(tmp_path_factory.mktemp("guarded"), size=1) as members:
        yield members


def settings(uri: str) -> Settings:
    return Settings(port=0, mongo_uri=SecretStr(uri), server_selection_seconds=1.0)


def test_calls_succeed_again_after_the_user_was_dropped_and_created(
    guarded: GuardedReplicaSet,
) -> None:
    with (
        server_of(settings(guarded.uri)) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        client = Client(channel, "domain-1")

        def succeeds() -> bool:
            call = client.start("list", {})
            return call.exception() is None

        assert succeeds()
        guarded.drop_user()
        assert not succeeds()

        guarded.create_user()

        assert wait_until(succeeds, 20.0)


def test_calls_succeed_on_other_connections_than_those_on_which_nothing_comes(
    guarded: GuardedReplicaSet,
) -> None:
    """Connections that a firewall has forgotten, for instance."""
    with (
        Proxies([member.port for member in guarded.members]) as proxies,
        server_of(settings(proxies.through(guarded.uri))) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        client = Client(channel, "domain-1")
        client.list()
        proxies.each(Proxy.forsake)

        begun = time.monotonic()
        assert client.list() == {"results": [], "total_count": 0}

    assert time.monotonic() - begun < 10.0
