"""Totals that are kept: right at once for one's own deletes, within a second for what others do."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.errors import PyMongoError

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.model.client import Database
from inventory_job.model.commands import RawDocument
from inventory_job.model.counts.cache import Totals
from inventory_job.query.filters import ScopedFilter
from tests.replica_set import Member, free_ports

PROMISED_SECONDS = 1.0
NOON = datetime(2026, 3, 7, 12)


class Commands(monitoring.CommandListener):
    """Names of the commands sent, those on one collection with its name."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Notes a command."""
        self.sent.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


class Counter:
    """Totals of a database of their own, asked for as lists ask for them."""

    def __init__(self, database: Database, totals: Totals, commands: Commands) -> None:
        self.database = database
        self.totals = totals
        self.commands = commands

    def total(self, domain_id: str, *conditions: dict[str, Any]) -> int:
        """The number of the domain's jobs that meet the conditions."""
        jobs = ScopedFilter(Scope(domain_id), conditions)
        with self.database.start_session() as session:
            return self.totals.count(
                jobs,
                session,
                lambda: self.database.jobs.count_documents(jobs.document, session=session),
            )

    def settle(self, domain_id: str, *conditions: dict[str, Any]) -> int:
        """Asks until the total is kept, and says what it is."""

        def is_known() -> bool:
            before = self.totals.figures.hits
            self.total(domain_id, *conditions)
            return self.totals.figures.hits > before

        assert wait_until(is_known, 20.0)
        return self.total(domain_id, *conditions)

    def counts(self, domain_id: str, *conditions: dict[str, Any]) -> bool:
        """Whether it counts to tell the total."""
        before = len(self.commands.sent)
        self.total(domain_id, *conditions)
        return "aggregate" in self.commands.sent[before:]


@pytest.fixture
def insert(database: Database) -> Iterator[Callable[..., Any]]:
    """Inserts jobs, as other services do."""

    def insert(*jobs: RawDocument) -> list[Any]:
        return list(database.jobs.insert_many(dict(job) for job in jobs).inserted_ids)

    yield insert
    database.jobs.delete_many({})


@contextmanager
def counting(uri: str, name: str, most: int = 1000) -> Iterator[Counter]:
    """A process of its own, so to say: its own connections and totals."""
    commands = Commands()
    with (
        closing(Database(uri, name, listeners=[commands])) as opened,
        closing(Totals(opened, most)) as totals,
    ):
        yield Counter(opened, totals, commands)


@pytest.fixture
def counter(mongo_uri: str, database_name: str) -> Iterator[Counter]:
    """A process that keeps totals."""
    with counting(mongo_uri, database_name) as counter:
        yield counter


@pytest.fixture
def domain() -> str:
    return f"domain-{uuid.uuid4().hex[:12]}"


Insert = Callable[..., list[Any]]


def shows_in_time(read: Callable[[], Any], expected: Any) -> bool:
    """Whether the expected answer comes within the time promised, and then stays."""
    return wait_until(lambda: read() == expected, PROMISED_SECONDS) and all(
        read() == expected for _ in range(3)
    )


def test_a_repeated_total_is_not_counted(counter: Counter, insert: Insert, domain: str) -> None:
    insert({"domain_id": domain}, {"domain_id": domain})
    assert counter.settle(domain) == 2

    assert not counter.counts(domain)


def test_what_another_service_inserts_is_added_within_a_second_without_counting(
    counter: Counter, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws"})
    counter.settle(domain)
    counter.settle(domain, {"plugin_id": "aws"})
    counter.settle(domain, {"plugin_id": "oci"})
    counter.commands.sent.clear()

    insert({"domain_id": domain, "plugin_id": "aws"}, {"domain_id": "another"})

    assert shows_in_time(lambda: counter.total(domain), 2)
    assert counter.total(domain, {"plugin_id": "aws"}) == 2
    assert counter.total(domain, {"plugin_id": "oci"}) == 0
    assert "aggregate" not in counter.commands.sent


def test_what_another_service_inserts_in_a_transaction_is_added(
    counter: Counter, database: Database, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    counter.settle(domain)

    with database.start_session() as session, session.start_transaction():
        database.jobs.insert_many([{"domain_id": domain}, {"domain_id": domain}], session=session)

    assert shows_in_time(lambda: counter.total(domain), 3)
    assert not counter.counts(domain)


def test_totals_counted_while_others_write_are_exact(
    counter: Counter, database: Database, insert: Insert, domain: str
) -> None:
    insert(*[{"domain_id": domain}] * 20_000)
    counter.settle(domain)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            insert({"domain_id": domain})

    everything: list[RawDocument] = [{"plugin_id": {"$ne": str(number)}} for number in range(20)]
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        for condition in everything * 2:
            counter.total(domain, condition)
        done.set()
        writing.result()

    truth = database.jobs.count_documents({"domain_id": domain})
    for condition in everything:
        assert shows_in_time(partial(counter.total, domain, condition), truth)
    assert not counter.counts(domain, everything[-1])


@pytest.mark.parametrize("number", [1, 3])
def test_what_another_service_deletes_shows_within_a_second(
    counter: Counter, database: Database, insert: Insert, domain: str, number: int
) -> None:
    insert(*[{"domain_id": domain}] * 3)
    counter.settle(domain)

    for _ in range(number):
        database.jobs.delete_one({"domain_id": domain})

    assert shows_in_time(lambda: counter.total(domain), 3 - number)


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"plugin_id": "oci"}},
        {"$unset": {"plugin_id": 1}},
        {"$rename": {"plugin_id": "plugin"}},
        {"$set": {"domain_id": "another"}},
        [{"$replaceWith": {"_id": "$_id", "domain_id": "$domain_id"}}],
    ],
    ids=["set", "unset", "rename", "moved", "replaced"],
)
def test_what_another_service_changes_shows_within_a_second(
    counter: Counter, database: Database, insert: Insert, domain: str, change: Any
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws"})
    counter.settle(domain, {"plugin_id": "aws"})

    database.jobs.update_one({"domain_id": domain}, change)

    assert shows_in_time(lambda: counter.total(domain, {"plugin_id": "aws"}), 0)


@pytest.mark.parametrize(
    "change",
    [{"$set": {"plugin_id.0": "oci"}}, {"$pop": {"plugin_id": -1}}],
    ids=["an element", "a shorter list"],
)
def test_changes_within_a_list_show_within_a_second(
    counter: Counter, database: Database, insert: Insert, domain: str, change: Any
) -> None:
    insert({"domain_id": domain, "plugin_id": ["aws", "azure"]})
    assert counter.settle(domain, {"plugin_id": "aws"}) == 1

    database.jobs.update_one({"domain_id": domain}, change)

    assert shows_in_time(lambda: counter.total(domain, {"plugin_id": "aws"}), 0)


def test_a_replaced_job_shows_within_a_second(
    counter: Counter, database: Database, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    counter.settle(domain)

    database.jobs.replace_one({"domain_id": domain}, {"domain_id": "another"})

    assert shows_in_time(lambda: counter.total(domain), 0)


def test_a_job_under_way_does_not_cost_its_domain_the_totals(
    counter: Counter, database: Database, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws", "status": "IN_PROGRESS"})
    counter.settle(domain)
    counter.settle(domain, {"plugin_id": "aws"})

    for number in range(20):
        change = {"$inc": {"success_tasks": 1}, "$set": {"updated_at": NOON, "status": str(number)}}
        database.jobs.update_one({"domain_id": domain}, change)
    insert({"domain_id": domain, "plugin_id": "aws"})

    assert wait_until(lambda: counter.total(domain) == 2, PROMISED_SECONDS)
    assert counter.totals.figures.dropped == 0


def test_an_own_delete_shows_at_once(counter: Counter, insert: Insert, domain: str) -> None:
    insert(*[{"domain_id": domain}] * 20)
    counter.settle(domain)

    for left in reversed(range(20)):
        with counter.database.start_session() as session:
            with session.start_transaction():
                counter.database.jobs.delete_one({"domain_id": domain}, session=session)
            counter.totals.forget(domain, session.operation_time)

        assert counter.total(domain) == left
        assert counter.total(domain) == left


@pytest.mark.parametrize(
    "condition",
    [{"status": "SUCCESS"}, {"job_id": "job-1"}, {"updated_at": {"$gte": NOON}}],
    ids=["status", "job_id", "updated_at"],
)
def test_a_filter_that_is_not_countable_is_counted(
    counter: Counter, insert: Insert, domain: str, condition: dict[str, Any]
) -> None:
    insert({"domain_id": domain})
    counter.settle(domain)

    assert all(counter.counts(domain, condition) for _ in range(4))


def test_a_killed_stream_is_opened_anew(
    counter: Counter, database: Database, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    counter.settle(domain)

    kill_streams(database)
    insert({"domain_id": domain})

    assert shows_in_time(lambda: counter.total(domain), 2)
    assert wait_until(lambda: counter.totals.figures.dropped > 0, 10.0)
    assert counter.settle(domain) == 2


def test_a_dropped_collection_has_no_jobs(
    counter: Counter, database: Database, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    counter.settle(domain)

    database.jobs.drop()

    assert shows_in_time(lambda: counter.total(domain), 0)
    insert({"domain_id": domain})
    assert shows_in_time(lambda: counter.total(domain), 1)
    assert counter.settle(domain) == 1


@pytest.mark.parametrize(
    "option", ["readPreference=secondaryPreferred", "readConcernLevel=linearizable"]
)
def test_reads_that_ask_for_something_else_than_the_primary_has_are_counted(
    mongo_uri: str, database_name: str, domain: str, option: str
) -> None:
    with counting(f"{mongo_uri}&{option}", database_name) as counter:
        assert all(counter.counts(domain) for _ in range(3))
        assert counter.totals.figures.bypasses == 3
        assert "hello" not in counter.commands.sent


def test_totals_that_are_switched_off_are_counted(
    mongo_uri: str, database_name: str, domain: str
) -> None:
    with counting(mongo_uri, database_name, most=0) as counter:
        assert all(counter.counts(domain) for _ in range(3))
        assert "hello" not in counter.commands.sent


def test_a_failed_count_fails_one_list_and_no_other(
    counter: Counter, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    counter.settle("another")
    counter.total(domain)
    ended = counter.database.start_session()
    ended.end_session()

    with pytest.raises(PyMongoError):
        counter.totals.count(ScopedFilter(Scope(domain)), ended, lambda: 0)

    assert counter.settle(domain) == 1


def test_once_closed_every_total_is_counted(counter: Counter, domain: str) -> None:
    counter.settle(domain)

    counter.totals.close()

    assert counter.counts(domain)


def counts_always(counter: Counter, domain: str) -> bool:
    """Whether it counts, even after it has tried to follow the changes."""
    counter.total(domain)
    tried = wait_until(lambda: "hello" in counter.commands.sent, 10.0)
    return tried and all(counter.counts(domain) for _ in range(5))


def test_where_the_database_refuses_change_streams_every_total_is_counted(
    mongo_uri: str, database_name: str, domain: str
) -> None:
    with counting(mongo_uri, f"{database_name}-view") as counter:
        database = counter.database.jobs.database
        database.create_collection("job", viewOn="elsewhere", pipeline=[])

        assert counts_always(counter, domain)

        database.client.drop_database(database.name)


def test_on_a_standalone_server_every_total_is_counted(tmp_path: Path, domain: str) -> None:
    mongod = Member(tmp_path / "standalone", free_ports(1)[0], set_name=None)
    mongod.start()
    try:
        assert wait_until(mongod.answers, 30.0)
        with counting(f"mongodb://{mongod.host}/", "inventory") as counter:
            assert counts_always(counter, domain)
    finally:
        mongod.kill()


def kill_streams(database: Database) -> None:
    """Kills the change streams of the database, as an operator might."""
    admin = database.jobs.database.client.admin
    cursors = admin.aggregate(
        [
            {"$currentOp": {"idleCursors": True, "allUsers": True}},
            {"$match": {"ns": f"{database.name}.job", "cursor.tailable": True}},
        ]
    )
    killed = [cursor["cursor"]["cursorId"] for cursor in cursors]
    assert killed
    database.jobs.database.command({"killCursors": "job", "cursors": killed})
