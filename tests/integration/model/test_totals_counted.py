"""Totals that are counted anew: what is not kept, and when following the changes fails."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import ExecutionTimeout

from inventory_job.auth.scope import Scope
from inventory_job.deadline import Deadline
from inventory_job.embedded.data_directory import wait_until
from inventory_job.errors import RequestTimeout
from inventory_job.query.filters import ScopedFilter
from tests.support.replica_set import Member, free_ports
from tests.support.store import Store
from tests.support.totals import NOON, Insert, Process, shows_in_time


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
    assert wait_until(lambda: process.cache.counters.dropped > 0, 10.0)
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
        assert process.cache.counters.misses == 3
        assert "hello" not in process.commands.sent


def test_totals_that_are_switched_off_are_counted(
    mongo_uri: str, database_name: str, domain: str
) -> None:
    with Process(mongo_uri, database_name, most=0) as process:
        assert all(process.counts(domain) for _ in range(3))
        assert "hello" not in process.commands.sent


class MillisecondLeft(Deadline):
    """A deadline just before it passes."""

    def milliseconds(self) -> int:
        return 1


def test_a_failed_count_fails_one_list_and_no_other(
    process: Process, insert: Insert, domain: str
) -> None:
    insert(*[{"domain_id": domain}] * 20_000)
    process.settle("another")
    process.total(domain)

    with pytest.raises(ExecutionTimeout):
        process.count(ScopedFilter(Scope(domain)), MillisecondLeft(0.0))

    assert process.settle(domain) == 20_000


def test_a_time_that_is_over_before_the_count_fails_one_list_and_no_other(
    process: Process, insert: Insert, domain: str
) -> None:
    insert({"domain_id": domain})
    process.settle("another")
    process.total(domain)

    with pytest.raises(RequestTimeout):
        process.count(ScopedFilter(Scope(domain)), Deadline(0.0))

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
        known.append(process.cache.is_current)
        time.sleep(0.01)

    assert sum(known) > 0.9 * len(known)
    assert shows_in_time(lambda: process.total(domain), 1 + len(known))
    assert process.cache.counters.dropped == 0


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
