"""What becomes of reads in an event loop when networks and servers fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from inventory_job.model import channels as channels_module
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database
from tests.channel_reads import asking, found, refused, with_channels
from tests.guarded_set import GuardedReplicaSet
from tests.proxy import Line, Proxies, Proxy
from tests.replica_set import ReplicaSet


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedReplicaSet]:
    with GuardedReplicaSet(tmp_path_factory.mktemp("guarded"), size=1) as members:
        yield members


@pytest.fixture
def proxied(guarded: GuardedReplicaSet) -> Iterator[tuple[Database, Proxies]]:
    """A database behind a network that can be harmed, with two jobs."""
    with ExitStack() as resources:
        proxies = resources.enter_context(Proxies([member.port for member in guarded.members]))
        database = resources.enter_context(
            closing(Database(proxies.through(guarded.uri), "inventory"))
        )
        database.jobs.drop()
        database.jobs.insert_many([{"job_id": "job-0", "size": 0}, {"job_id": "job-1", "size": 1}])
        yield database, proxies


def test_answers_that_come_bit_by_bit_are_put_together(
    proxied: tuple[Database, Proxies],
) -> None:
    database, proxies = proxied

    async def work(channels: Channels) -> None:
        assert (await found(channels, {"job_id": "job-0"}))["size"] == 0
        proxies.each(lambda proxy: setattr(proxy, "line", Line(bytes_per_second=400.0)))
        assert (await channels.read(asking({"job_id": "job-1"})))["ok"] == 1

    try:
        with_channels(database, work, 1)
    finally:
        proxies.each(lambda proxy: setattr(proxy, "line", Line()))


def test_what_breaks_off_is_left_to_threads(proxied: tuple[Database, Proxies]) -> None:
    database, proxies = proxied

    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        proxies.each(lambda proxy: setattr(proxy, "line", Line(reset_after=0)))
        await refused(channels, asking({"job_id": "job-0"}))
        proxies.each(lambda proxy: setattr(proxy, "line", Line()))
        assert (await found(channels, {"job_id": "job-1"}))["size"] == 1

    with_channels(database, work)


def test_connections_that_are_reset_while_idle_are_not_used(
    proxied: tuple[Database, Proxies],
) -> None:
    database, proxies = proxied

    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        proxies.each(Proxy.reset)
        async with asyncio.timeout(5):
            while channels._all:  # noqa: ASYNC110  until it is known here
                await asyncio.sleep(0.01)
        assert (await found(channels, {"job_id": "job-1"}))["size"] == 1

    with_channels(database, work)


def test_reads_on_connections_on_which_nothing_comes_are_left_to_threads_in_time(
    proxied: tuple[Database, Proxies],
) -> None:
    """Of a firewall that has forgotten them, or a server that stands still."""
    database, proxies = proxied

    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        proxies.each(Proxy.forsake)
        begun = time.monotonic()
        await refused(channels, asking({"job_id": "job-0"}, 60.0))
        assert time.monotonic() - begun < 10.0
        assert (await found(channels, {"job_id": "job-1"}))["size"] == 1

    with_channels(database, work)


def test_reads_go_on_after_the_user_was_dropped_and_created(guarded: GuardedReplicaSet) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        guarded.drop_user()
        await refused(channels, asking({"job_id": "job-0"}))
        guarded.create_user()
        # As model.operation does when a thread is refused.
        assert database.renew_connections()
        await found(channels, {"job_id": "job-0"})

    with closing(Database(guarded.uri, "inventory")) as database:
        database.jobs.drop()
        database.jobs.insert_one({"job_id": "job-0"})
        with_channels(database, work)


def test_reads_follow_the_primary(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        await asyncio.to_thread(members.step_down)
        await asyncio.to_thread(members.await_primary)
        await asyncio.to_thread(
            database.jobs.update_one, {"job_id": "job-0"}, {"$set": {"size": 7}}
        )
        # The driver knows the new primary, having written to it: what an old one has is not read.
        assert (await found(channels, {"job_id": "job-0"}))["size"] == 7

    with ReplicaSet(tmp_path_factory.mktemp("set")) as members:
        uri = f"{members.uri}&w=majority"
        with closing(Database(uri, "inventory", server_selection_seconds=15.0)) as database:
            database.jobs.insert_one({"job_id": "job-0", "size": 0})
            with_channels(database, work)


def test_a_connection_that_alone_is_forgotten_is_given_up(
    proxied: tuple[Database, Proxies], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's own connections live, so that nobody says that the server is gone."""
    database, proxies = proxied

    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        [channel] = channels._all
        port = channel.loan.socket.getsockname()[1]
        proxies.each(lambda proxy: proxy.forsake(port))
        begun = time.monotonic()
        await refused(channels, asking({"job_id": "job-0"}, 60.0))
        assert time.monotonic() - begun < 10.0
        assert (await found(channels, {"job_id": "job-1"}))["size"] == 1

    monkeypatch.setattr(channels_module, "_LONGEST_SECONDS", 1.0)
    with_channels(database, work, 1)
