"""Totals that are kept: right at once for one's own deletes, within a second for what others do."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import ExecutionTimeout

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.query.filters import ScopedFilter
from inventory_job.results import StoredDocument
from tests.support.counting import Counting
from tests.support.replica_set import Member, free_ports
from tests.support.store import Store
from tests.support.stored_values import VALUES, as_stored

PROMISED_SECONDS = 1.0
NOON = datetime(2026, 3, 7, 12)


class Process(Counting):
    """A process that keeps totals, of domains here."""

    def total(self, domain_id: str, *conditions: dict[str, Any]) -> int:
        """The number of the domain's jobs that meet the conditions."""
        return self.count(ScopedFilter(Scope(domain_id), conditions))

    def settle(self, domain_id: str, *conditions: dict[str, Any]) -> int:
        """Asks until the total is kept, and says what it is."""
        jobs = ScopedFilter(Scope(domain_id), conditions)
        assert wait_until(lambda: self.knows(jobs), 20.0)
        return self.count(jobs)

    def counts(self, domain_id: str, *conditions: dict[str, Any]) -> bool:
        """Whether it counts to tell the total."""
        before = len(self.commands.sent)
        self.total(domain_id, *conditions)
        return "aggregate" in self.commands.sent[before:]


@pytest.fixture
def insert(database: Store) -> Iterator[Callable[..., Any]]:
    """Inserts jobs, as other services do."""

    def insert(*jobs: StoredDocument) -> list[Any]:
        return list(database.jobs.insert_many(dict(job) for job in jobs).inserted_ids)

    yield insert
    database.jobs.delete_many({})


@pytest.fixture
def process(mongo_uri: str, database_name: str) -> Iterator[Process]:
    with Process(mongo_uri, database_name) as process:
        yield process


@pytest.fixture
def domain() -> str:
    return f"domain-{uuid.uuid4().hex[:12]}"


Insert = Callable[..., list[Any]]


def shows_in_time(read: Callable[[], Any], expected: Any) -> bool:
    """Whether the expected answer comes within the time promised, and then stays."""
    return wait_until(lambda: read() == expected, PROMISED_SECONDS) and all(
        read() == expected for _ in range(3)
    )


def test_a_repeated_total_is_not_counted(process: Process, insert: Insert, domain: str) -> None:
    insert({"domain_id": domain}, {"domain_id": domain})
    assert process.settle(domain) == 2

    assert not process.counts(domain)


def test_what_another_service_inserts_is_added_within_a_second_without_counting(
    process: Process, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws"})
    process.settle(domain)
    process.settle(domain, {"plugin_id": "aws"})
    process.settle(domain, {"plugin_id": "oci"})
    process.commands.sent.clear()

    insert({"domain_id": domain, "plugin_id": "aws"}, {"domain_id": "another"})

    assert shows_in_time(lambda: process.total(domain), 2)
    assert process.total(domain, {"plugin_id": "aws"}) == 2
    assert process.total(domain, {"plugin_id": "oci"}) == 0
    assert "aggregate" not in process.commands.sent


@pytest.mark.parametrize("field", ["domain_id", "plugin_id", "created_at"])
def test_an_inserted_job_may_hold_any_type(
    process: Process, database: Store, insert: Insert, domain: str, field: str
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws", "created_at": NOON})
    conditions = {"plugin_id": {"$in": ["aws", None]}, "created_at": {"$lte": NOON}}
    process.settle(domain, conditions)
    job = {"domain_id": domain, "plugin_id": "aws", "created_at": NOON}

    database.jobs.insert_many(as_stored(job | {field: value}) for value in VALUES.values())

    right = database.jobs.count_documents({"domain_id": domain, **conditions})
    assert shows_in_time(lambda: process.total(domain, conditions), right)
    process.settle(domain, conditions)
    insert(job)
    assert shows_in_time(lambda: process.total(domain, conditions), right + 1)


def test_what_another_service_inserts_in_a_transaction_is_added(
    process: Process, database: Store, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle(domain)

    with database.client.start_session() as session, session.start_transaction():
        database.jobs.insert_many([{"domain_id": domain}, {"domain_id": domain}], session=session)

    assert shows_in_time(lambda: process.total(domain), 3)
    assert not process.counts(domain)


def test_totals_counted_while_others_write_are_exact(
    process: Process, database: Store, insert: Insert, domain: str
) -> None:
    insert(*[{"domain_id": domain}] * 20_000)
    process.settle(domain)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            insert({"domain_id": domain})

    everything: list[StoredDocument] = [{"plugin_id": {"$ne": str(number)}} for number in range(20)]
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        for condition in everything * 2:
            process.total(domain, condition)
        done.set()
        writing.result()

    truth = database.jobs.count_documents({"domain_id": domain})
    for condition in everything:
        assert shows_in_time(partial(process.total, domain, condition), truth)
    assert not process.counts(domain, everything[-1])


@pytest.mark.parametrize("number", [1, 3])
def test_what_another_service_deletes_shows_within_a_second(
    process: Process, database: Store, insert: Insert, domain: str, number: int
) -> None:
    insert(*[{"domain_id": domain}] * 3)
    process.settle(domain)

    for _ in range(number):
        database.jobs.delete_one({"domain_id": domain})

    assert shows_in_time(lambda: process.total(domain), 3 - number)


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
    process: Process, database: Store, insert: Insert, domain: str, change: Any
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws"})
    process.settle(domain, {"plugin_id": "aws"})

    database.jobs.update_one({"domain_id": domain}, change)

    assert shows_in_time(lambda: process.total(domain, {"plugin_id": "aws"}), 0)


@pytest.mark.parametrize(
    "change",
    [{"$set": {"plugin_id.0": "oci"}}, {"$pop": {"plugin_id": -1}}],
    ids=["an element", "a shorter list"],
)
def test_changes_within_a_list_show_within_a_second(
    process: Process, database: Store, insert: Insert, domain: str, change: Any
) -> None:
    insert({"domain_id": domain, "plugin_id": ["aws", "azure"]})
    assert process.settle(domain, {"plugin_id": "aws"}) == 1

    database.jobs.update_one({"domain_id": domain}, change)

    assert shows_in_time(lambda: process.total(domain, {"plugin_id": "aws"}), 0)


def test_a_replaced_job_shows_within_a_second(
    process: Process, database: Store, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle(domain)

    database.jobs.replace_one({"domain_id": domain}, {"domain_id": "another"})

    assert shows_in_time(lambda: process.total(domain), 0)


def test_a_job_under_way_does_not_cost_its_domain_the_totals(
    process: Process, database: Store, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain, "plugin_id": "aws", "status": "IN_PROGRESS"})
    process.settle(domain)
    process.settle(domain, {"plugin_id": "aws"})

    for number in range(20):
        change = {"$inc": {"success_tasks": 1}, "$set": {"updated_at": NOON, "status": str(number)}}
        database.jobs.update_one({"domain_id": domain}, change)
    insert({"domain_id": domain, "plugin_id": "aws"})

    assert wait_until(lambda: process.total(domain) == 2, PROMISED_SECONDS)
    assert process.stats.dropped == 0


def test_an_own_delete_shows_at_once(process: Process, insert: Insert, domain: str) -> None:
    insert(*[{"domain_id": domain}] * 20)
    process.settle(domain)

    for left in reversed(range(20)):
        process.delete_one({"domain_id": domain}, domain)

        assert process.total(domain) == left
        assert process.total(domain) == left


@pytest.mark.parametrize(
    "condition",
    [{"status": "SUCCESS"}, {"job_id": "job-1"}, {"updated_at": {"$gte": NOON}}],
    ids=["status", "job_id", "updated_at"],
)
def test_a_filter_that_is_not_countable_is_counted(
    process: Process, insert: Insert, domain: str, condition: dict[str, Any]
) -> None:
    insert({"domain_id": domain})
    process.settle(domain)

    assert all(process.counts(domain, condition) for _ in range(4))


def test_a_killed_stream_is_opened_anew(
    process: Process, database: Store, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle(domain)

    kill_streams(database)
    insert({"domain_id": domain})

    assert shows_in_time(lambda: process.total(domain), 2)
    assert wait_until(lambda: process.stats.dropped > 0, 10.0)
    assert process.settle(domain) == 2


def test_a_dropped_collection_has_no_jobs(
    process: Process, database: Store, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle(domain)

    database.jobs.drop()

    assert shows_in_time(lambda: process.total(domain), 0)
    insert({"domain_id": domain})
    assert shows_in_time(lambda: process.total(domain), 1)
    assert process.settle(domain) == 1


@pytest.mark.parametrize(
    "option", ["readPreference=secondaryPreferred", "readConcernLevel=linearizable"]
)
def test_reads_that_ask_for_something_else_than_the_primary_has_are_counted(
    mongo_uri: str, database_name: str, domain: str, option: str
) -> None:
    with Process(f"{mongo_uri}&{option}", database_name) as process:
        assert all(process.counts(domain) for _ in range(3))
        assert process.stats.bypasses == 3
        assert "hello" not in process.commands.sent


def test_totals_that_are_switched_off_are_counted(
    mongo_uri: str, database_name: str, domain: str
) -> None:
    with Process(mongo_uri, database_name, most=0) as process:
        assert all(process.counts(domain) for _ in range(3))
        assert "hello" not in process.commands.sent


def test_a_failed_count_fails_one_list_and_no_other(
    process: Process, insert: Insert, domain: str
) -> None:
    insert(*[{"domain_id": domain}] * 20_000)
    process.settle("another")
    process.total(domain)

    with pytest.raises(ExecutionTimeout):
        process.count(ScopedFilter(Scope(domain)), lambda: 0.001)

    assert process.settle(domain) == 20_000


def test_a_time_that_is_over_before_the_count_fails_one_list_and_no_other(
    process: Process, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle("another")
    process.total(domain)

    def no_time() -> float:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        process.count(ScopedFilter(Scope(domain)), no_time)

    assert process.settle(domain) == 1


def test_totals_stay_known_while_others_write_steadily(
    process: Process, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle(domain)
    known: list[bool] = []

    ends = time.monotonic() + 5.0
    while time.monotonic() < ends:
        insert({"domain_id": domain})
        known.append(process.stats.is_current)
        time.sleep(0.01)

    assert sum(known) > 0.9 * len(known)
    assert shows_in_time(lambda: process.total(domain), 1 + len(known))
    assert process.stats.dropped == 0


def test_once_closed_every_total_is_counted(process: Process, domain: str) -> None:
    process.settle(domain)

    process.close_counts()

    assert process.counts(domain)


def counts_always(process: Process, domain: str) -> bool:
    """Whether it counts, even after it has tried to follow the changes."""
    process.total(domain)
    tried = wait_until(lambda: "hello" in process.commands.sent, 10.0)
    return tried and all(process.counts(domain) for _ in range(5))


def test_where_the_database_refuses_change_streams_every_total_is_counted(
    mongo_uri: str, database_name: str, domain: str
) -> None:
    name = f"{database_name}-view"
    with Store(mongo_uri, name) as store:
        store.client[name].create_collection("job", viewOn="elsewhere", pipeline=[])
        with Process(mongo_uri, name) as process:
            assert counts_always(process, domain)
        store.client.drop_database(name)


def test_on_a_standalone_server_every_total_is_counted(tmp_path: Path, domain: str) -> None:
    mongod = Member(tmp_path / "standalone", free_ports(1)[0], set_name=None)
    mongod.start()
    try:
        assert wait_until(mongod.answers, 30.0)
        with Process(f"mongodb://{mongod.host}/", "inventory") as process:
            assert counts_always(process, domain)
    finally:
        mongod.kill()


def kill_streams(database: Store) -> None:
    """Kills the change streams of the database, as an operator might."""
    cursors = database.client.admin.aggregate(
        [
            {"$currentOp": {"idleCursors": True, "allUsers": True}},
            {"$match": {"ns": f"{database.name}.job", "cursor.tailable": True}},
        ]
    )
    killed = [cursor["cursor"]["cursorId"] for cursor in cursors]
    assert killed
    database.client[database.name].command({"killCursors": "job", "cursors": killed})
