"""Pages far from the first: the right jobs, also while others write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import MaxKey, Regex, Timestamp
from pymongo import monitoring

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.model.indexes import ensure_indexes
from inventory_job.results import StoredDocument
from tests.support.lower_half import LowerHalf, message
from tests.support.running import in_database
from tests.support.store import Store

FAR = 2000
PROMISED_SECONDS = 1.0
NOON = datetime(2026, 3, 7, 12)
DOMAIN = "domain-deep"
WORKSPACES = ("workspace-1", "workspace-2", "*")
SORTED_LAST: list[Any] = [None, "yesterday", 20260307, True, [NOON], {"at": NOON}]
SORTED_FIRST: list[Any] = [Timestamp(1, 1), Regex("x"), MaxKey()]


class Finds(monitoring.CommandListener):
    """The find commands that were sent, one after the other."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Notes a command."""
        if event.command_name == "find":
            self.sent.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


def job(number: int, **fields: Any) -> StoredDocument:
    """One of many jobs, of which seven at a time begin at once."""
    return {
        "job_id": f"job-{number:06d}",
        "domain_id": DOMAIN,
        "workspace_id": WORKSPACES[number % 3],
        "plugin_id": f"plugin-{number % 2}",
        "created_at": NOON - timedelta(seconds=number // 7),
        **fields,
    }


class Tenant:
    """Pages of the tenant's jobs, as this server gives them and as MongoDB has them."""

    def __init__(self, lower: LowerHalf, store: Store) -> None:
        self._lower = lower
        self._store = store

    def page(
        self, start: int, limit: int, workspace: str | None = None, **query: Any
    ) -> tuple[list[str], int]:
        """The ids on a page, and the total."""
        page = {"start": start, "limit": limit}
        scope = Scope(DOMAIN, (workspace, "*") if workspace else ())
        request = message("list", {"query": {"page": page, **query}})
        answer = self._lower.answer("list", request, scope)
        return [found["job_id"] for found in answer["results"]], answer["total_count"]

    def stored(
        self, start: int, limit: int, *, newest_first: bool = True, **filter_: Any
    ) -> tuple[list[str], int]:
        """What the page should be."""
        found = self._store.jobs.find(
            {"domain_id": DOMAIN, **filter_},
            {"job_id": 1},
            hint={"$natural": 1},
            allow_disk_use=True,
        ).sort([("created_at", -1 if newest_first else 1), ("_id", 1)])
        ids = [str(document["job_id"]) for document in found]
        return ids[start - 1 : start - 1 + limit], len(ids)


@pytest.fixture
def jobs(database: Store) -> Iterator[Store]:
    """Many jobs, some with dates that are none."""
    in_database(database, ensure_indexes)
    database.jobs.insert_many(job(number) for number in range(FAR + 800))
    database.jobs.insert_many(
        job(number, created_at=value) for number, value in enumerate(SORTED_LAST, 90_000)
    )
    database.jobs.insert_one({"job_id": "job-bare", "domain_id": DOMAIN})
    yield database
    database.jobs.delete_many({})


@pytest.fixture
def finds() -> Finds:
    return Finds()


@pytest.fixture
def tenant(jobs: Store, finds: Finds) -> Iterator[Tenant]:
    """A server that keeps totals."""
    with LowerHalf(jobs, NOON, most_totals=1000, listeners=[finds]) as lower:
        yield Tenant(lower, jobs)


@pytest.mark.parametrize("start", [FAR + 1, FAR + 300, FAR + 790, FAR + 800, FAR + 805, FAR + 900])
def test_a_page_is_what_mongodb_has(tenant: Tenant, start: int) -> None:
    for limit in (1, 50, 1000):
        expected = tenant.stored(start, limit)
        assert [tenant.page(start, limit) for _ in range(3)] == [expected] * 3


def test_pages_are_those_of_their_filter_and_order(tenant: Tenant) -> None:
    both = [{"k": "plugin_id", "v": ["plugin-0", "plugin-1"], "o": "in"}]
    others = [{"k": "created_at", "v": "2026-03-07T11:59:58Z", "o": "datetime_lt"}]
    oldest_first = [{"key": "created_at", "desc": False}]
    for _ in range(3):
        assert tenant.page(FAR + 50, 9) == tenant.stored(FAR + 50, 9)
        assert tenant.page(FAR + 50, 9, filter=both) == tenant.stored(
            FAR + 50, 9, plugin_id={"$in": ["plugin-0", "plugin-1"]}
        )
        assert tenant.page(FAR + 50, 9, filter=others) == tenant.stored(
            FAR + 50, 9, created_at={"$lt": NOON - timedelta(seconds=2)}
        )
        assert tenant.page(1500, 9, workspace="workspace-1") == tenant.stored(
            1500, 9, workspace_id={"$in": ["workspace-1", "*"]}
        )
        assert tenant.page(FAR + 50, 9, sort=oldest_first) == tenant.stored(
            FAR + 50, 9, newest_first=False
        )


def test_new_jobs_move_a_page_on(tenant: Tenant, jobs: Store) -> None:
    start = FAR + 101
    assert tenant.page(start, 10) == tenant.stored(start, 10)

    jobs.jobs.insert_many(job(100_000 + n, created_at=NOON) for n in range(20))

    def is_right() -> bool:
        return tenant.page(start, 10) == tenant.stored(start, 10)

    assert wait_until(is_right, PROMISED_SECONDS)


@pytest.mark.parametrize("value", SORTED_FIRST, ids=lambda value: type(value).__name__)
def test_what_is_sorted_before_all_dates_counts(tenant: Tenant, jobs: Store, value: object) -> None:
    start = FAR + 101
    assert tenant.page(start, 10) == tenant.stored(start, 10)

    jobs.jobs.insert_one(job(100_000, created_at=value))

    def is_right() -> bool:
        return tenant.page(start, 10) == tenant.stored(start, 10)

    assert wait_until(is_right, PROMISED_SECONDS)
    assert is_right()


def test_pages_are_right_without_kept_totals_and_known_indexes(jobs: Store) -> None:
    with LowerHalf(jobs, NOON) as lower:
        tenant = Tenant(lower, jobs)

        assert tenant.page(FAR + 101, 10) == tenant.stored(FAR + 101, 10)


@pytest.mark.parametrize("seed", range(3))
def test_pages_stay_right_while_others_write(tenant: Tenant, jobs: Store, seed: int) -> None:
    source = random.Random(seed)
    starts = [source.randrange(FAR, FAR + 790) for _ in range(3)]

    def insert() -> None:
        at = NOON - timedelta(seconds=source.randrange(400))
        jobs.jobs.insert_one(job(source.randrange(200_000, 900_000), created_at=at))

    def delete() -> None:
        jobs.jobs.delete_one({"job_id": f"job-{source.randrange(FAR):06d}"})

    def move() -> None:
        numbered = {"job_id": f"job-{source.randrange(FAR):06d}"}
        jobs.jobs.update_one(numbered, {"$set": {"created_at": NOON}})

    writes: list[Callable[[], None]] = [insert, insert, delete, move]
    for _ in range(8):
        for start in starts:
            tenant.page(start, 20)
        for _ in range(source.randrange(1, 4)):
            source.choice(writes)()
        expected = [tenant.stored(start, 20) for start in starts]

        def are_right(expected: list[tuple[list[str], int]] = expected) -> bool:
            return [tenant.page(start, 20) for start in starts] == expected

        assert wait_until(are_right, PROMISED_SECONDS)


def test_the_index_in_the_order_of_the_page_is_named(tenant: Tenant, finds: Finds) -> None:
    tenant.page(1, 10)
    everywhere = finds.sent[-1]["hint"]
    tenant.page(1, 10, workspace="workspace-1")
    in_workspace = finds.sent[-1]["hint"]
    tenant.page(1, 10, filter=[{"k": "status", "v": "SUCCESS", "o": "eq"}])

    assert everywhere == "inventory_job_domain_newest"
    assert in_workspace == "inventory_job_workspace_newest"
    assert "hint" not in finds.sent[-1]


def test_a_page_is_found_also_when_its_index_was_dropped(tenant: Tenant, jobs: Store) -> None:
    tenant.page(1, 10)
    jobs.jobs.drop_index("inventory_job_domain_newest")

    assert tenant.page(FAR, 10) == tenant.stored(FAR, 10)
