"""Reads that an event loop waits for: their answers, and what becomes of all that goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from pymongo import MongoClient, monitoring

from inventory_job.errors import NotAtOnce
from inventory_job.model import channels as channels_module
from inventory_job.model.channels import Channels
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument
from tests.channel_reads import asking, found, refused, with_channels

DOMAIN = "domain-1"
SLOW = {"$where": "sleep(100) || true"}
"""Takes a tenth of a second for each job."""

FRUITLESS = {"$where": "sleep(100) && false"}
"""Takes as long for all of them."""


@pytest.fixture(scope="module")
def jobs(database: Database) -> Database:
    database.jobs.insert_many(
        {"job_id": f"job-{n}", "domain_id": DOMAIN, "size": n} for n in range(200)
    )
    database.jobs.insert_one({"job_id": "job-large", "text": "x" * (2 * 1024 * 1024)})
    database.jobs.insert_one({"job_id": "job-half", "text": "x" * (512 * 1024)})
    return database


def opened(uri: str, name: str) -> int:
    """How many connections of ours there are to a server."""
    with MongoClient[RawDocument](uri) as client:
        operations = client.admin.aggregate([{"$currentOp": {"idleConnections": True}}])
        return sum(each.get("appName") == name for each in operations)


def at_work(uri: str) -> int:
    """How many commands of these tests are at work in the database."""
    with MongoClient[RawDocument](uri) as client:
        match = {"$match": {"command.filter.$where": {"$exists": True}, "op": "query"}}
        return len([*client.admin.aggregate([{"$currentOp": {}}, match])])


async def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < ends
        await asyncio.sleep(0.02)


def test_many_at_once_each_have_their_own_answer_over_few_connections(
    jobs: Database, mongo_uri: str, database_name: str
) -> None:
    name = "channels-many"
    uri = f"{mongo_uri}&appName={name}"

    async def work(channels: Channels) -> tuple[list[Any], int]:
        await found(channels, {"job_id": "job-0"})
        reads = (found(channels, {"job_id": f"job-{n}"}) for n in range(200))
        answers = await asyncio.gather(*reads)
        return answers, await asyncio.to_thread(opened, mongo_uri, name)

    with closing(Database(uri, database_name)) as database:
        answers, connections = with_channels(database, work, 3)

    assert [answer["size"] for answer in answers] == [*range(200)]
    # Those that watch the server are two, and one asks it questions of the driver's.
    assert 1 <= connections <= 3 + 3


def test_the_first_reads_do_not_wait_for_a_connection(jobs: Database) -> None:
    async def work(channels: Channels) -> None:
        begun = time.monotonic()
        await refused(channels, asking({"job_id": "job-0"}))
        assert time.monotonic() - begun < 0.1

    with_channels(jobs, work)


@pytest.mark.parametrize("pool", [1, 2, 7])
def test_a_small_pool_is_left_to_threads(
    jobs: Database, mongo_uri: str, database_name: str, pool: int
) -> None:
    async def work(channels: Channels) -> None:
        for _ in range(20):
            await refused(channels, asking({"job_id": "job-0"}))
            await asyncio.sleep(0.01)

    with closing(Database(f"{mongo_uri}&maxPoolSize={pool}", database_name)) as narrow:
        with_channels(narrow, work)


def test_reads_from_secondaries_are_the_drivers(
    jobs: Database, mongo_uri: str, database_name: str
) -> None:
    async def work(channels: Channels) -> None:
        for _ in range(20):
            await refused(channels, asking({"job_id": "job-0"}))
            await asyncio.sleep(0.01)

    uri = f"{mongo_uri}&readPreference=secondaryPreferred"
    with closing(Database(uri, database_name)) as database:
        with_channels(database, work)


class Listener(monitoring.CommandListener):
    """Notes what it is told of finds, and when that ends."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._note(event)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self._note(event)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._note(event)

    def _note(self, event: Any) -> None:
        if event.command_name == "find":
            self.told.append(event)


def test_who_listens_to_the_drivers_commands_is_told_of_these(
    jobs: Database, mongo_uri: str, database_name: str
) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        await refused(channels, asking({"$nonsense": 1}))

    listener = Listener()
    with closing(Database(mongo_uri, database_name, listeners=[listener])) as database:
        with_channels(database, work)

    begun, done, begun_again, failed = listener.told
    assert begun.command["filter"] == {"job_id": "job-0"}
    assert begun.database_name == done.database_name == database_name
    assert (done.request_id, done.connection_id) == (begun.request_id, begun.connection_id)
    assert done.reply["cursor"]["firstBatch"][0]["job_id"] == "job-0"
    assert 0 < done.duration_micros < 10**7
    assert failed.request_id == begun_again.request_id != begun.request_id
    assert failed.failure["codeName"] == "BadValue"


def test_the_read_concern_and_the_api_version_are_those_of_the_connection_string(
    jobs: Database, mongo_uri: str, database_name: str
) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})

    with MongoClient[RawDocument](mongo_uri) as client:
        watched = client[database_name]
        watched.command("profile", 2)
        try:
            uri = f"{mongo_uri}&readConcernLevel=majority"
            with closing(Database(uri, database_name)) as database:
                with_channels(database, work)
        finally:
            watched.command("profile", 0)
        [profiled] = watched["system.profile"].find({"command.filter": {"job_id": "job-0"}})

    assert profiled["command"]["readConcern"]["level"] == "majority"


def test_answers_come_whole_that_take_many_pieces(jobs: Database) -> None:
    async def work(channels: Channels) -> int:
        return len((await found(channels, {"job_id": "job-half"}))["text"])

    assert with_channels(jobs, work) == 512 * 1024


def test_large_answers_are_left_to_threads_and_others_go_on(jobs: Database) -> None:
    async def work(channels: Channels) -> None:
        for _ in range(3):
            await found(channels, {"job_id": "job-0"})
            await refused(channels, asking({"job_id": "job-large"}))
        await found(channels, {"job_id": "job-0"})

    with_channels(jobs, work)


def test_what_the_database_refuses_is_left_to_threads_and_others_go_on(jobs: Database) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        await refused(channels, asking({"$nonsense": 1}))
        await refused(channels, asking({**SLOW, "domain_id": DOMAIN}, 0.05))
        await found(channels, {"job_id": "job-0"})

    with_channels(jobs, work)


def test_a_read_that_nobody_waits_for_is_ended_in_the_database(
    jobs: Database, mongo_uri: str
) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        reading = asyncio.create_task(channels.read(asking(FRUITLESS, 60.0)))
        await eventually(lambda: at_work(mongo_uri) == 1)

        reading.cancel()

        # Of 20 seconds it would take.
        await eventually(lambda: at_work(mongo_uri) == 0, 5.0)
        await found(channels, {"job_id": "job-0"})

    with_channels(jobs, work, 1 + 1)


def test_an_answer_that_nobody_waits_for_is_not_given_to_the_next(jobs: Database) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        for number in range(100):
            reading = asyncio.create_task(channels.read(asking({"job_id": f"job-{number}"})))
            await asyncio.sleep(0)
            reading.cancel()
            assert (await found(channels, {"job_id": f"job-{199 - number}"}))[
                "size"
            ] == 199 - number

    with_channels(jobs, work, 2)


def test_who_is_cancelled_just_when_a_connection_is_free_does_not_keep_it(jobs: Database) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        for _ in range(50):
            slow = asyncio.create_task(found(channels, {"job_id": "job-1"}))
            await asyncio.sleep(0)
            waiting = asyncio.create_task(channels.read(asking({"job_id": "job-2"})))
            await slow
            waiting.cancel()
        await asyncio.wait_for(found(channels, {"job_id": "job-0"}), 5)

    with_channels(jobs, work, 1)


def test_connections_that_nobody_needs_are_closed(
    jobs: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        await asyncio.sleep(1.0)
        await refused(channels, asking({"job_id": "job-0"}))
        await found(channels, {"job_id": "job-0"})

    monkeypatch.setattr(channels_module, "_LONGEST_REST_SECONDS", 0.1)
    with_channels(jobs, work)


@pytest.mark.parametrize(
    "value",
    ["\ud800", 2**70, object(), "x" * 10**5],
    ids=["surrogate", "number", "object", "long"],
)
def test_what_cannot_be_sent_costs_no_connection(jobs: Database, value: object) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        for _ in range(5):
            await refused(channels, asking({"job_id": value}))
            assert (await asyncio.wait_for(found(channels, {"job_id": "job-0"}), 5))["size"] == 0

    with_channels(jobs, work, 1 + 1)


def test_a_connection_that_is_no_good_any_more_is_not_handed_to_who_waits(
    jobs: Database, mongo_uri: str, database_name: str
) -> None:
    async def work(channels: Channels) -> None:
        await found(channels, {"job_id": "job-0"})
        slow = asyncio.create_task(channels.read(asking({**SLOW, "size": 1})))
        await asyncio.sleep(0.02)
        waiting = asyncio.create_task(channels.read(asking({"job_id": "job-0"})))
        await asyncio.sleep(0)
        assert fresh.renew_connections()
        await slow
        with pytest.raises(NotAtOnce):
            await waiting

    # One that has renewed nothing yet: that is done once a second.
    with closing(Database(mongo_uri, database_name)) as fresh:
        with_channels(fresh, work, 1)
