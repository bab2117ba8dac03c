"""Totals that are kept: right at once for one's own deletes, within a second for what others do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from inventory_job.embedded.data_directory import wait_until
from inventory_job.results import StoredDocument
from tests.support.store import Store
from tests.support.stored_values import VALUES, as_stored
from tests.support.totals import NOON, PROMISED_SECONDS, Insert, Process, shows_in_time


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


def test_a_total_that_has_to_be_counted_is_of_now(
    process: Process, insert: Insert, domain: str
) -> None:
    process.settle(domain)

    for number in range(20):
        plugin = {"plugin_id": f"plugin-{number}"}
        assert process.total(domain, plugin) == 0
        insert({"domain_id": domain, **plugin})
        assert process.total(domain, plugin) == 1


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
    assert process.cache.counters.dropped == 0


def test_an_own_delete_shows_at_once(process: Process, insert: Insert, domain: str) -> None:
    insert(*[{"domain_id": domain}] * 20)
    process.settle(domain)

    for left in reversed(range(20)):
        process.delete_one({"domain_id": domain})

        assert process.total(domain) == left
        assert process.total(domain) == left
