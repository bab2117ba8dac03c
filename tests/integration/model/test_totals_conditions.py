"""What is known of a single job, so that totals need no counting, is what MongoDB makes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.query.countable import countable
from inventory_job.query.filters import ScopedFilter
from inventory_job.results import StoredDocument
from tests.support.store import Store
from tests.support.stored_values import VALUES, as_stored

NOON = datetime(2026, 3, 7, 12)
DOMAIN = "domain-of-all-values"
DOMAIN_OF_ALL_TYPES = "domain-of-all-types"

_VALUES = ["a", "b", "", "A", None, ["a"], ["b", None], [], {"x": "a"}, 7, True, "absent"]
_MOMENTS = [NOON, NOON - timedelta(days=1), None, "2026-03-07", [NOON], 7, "absent"]
_CONDITIONS: list[StoredDocument] = [
    {"plugin_id": "a"},
    {"plugin_id": None},
    {"plugin_id": {"$ne": "a"}},
    {"plugin_id": {"$ne": None}},
    {"plugin_id": {"$in": ["a", None]}},
    {"plugin_id": {"$in": []}},
    {"plugin_id": {"$nin": ["a", None]}},
    {"plugin_id": {"$nin": []}},
    {"plugin_id": {"$exists": True}},
    {"plugin_id": {"$exists": False}},
    {"created_at": NOON},
    {"created_at": {"$lt": NOON}},
    {"created_at": {"$lte": NOON}},
    {"created_at": {"$gt": NOON - timedelta(days=1)}},
    {"created_at": {"$gte": NOON}},
    {"created_at": {"$ne": NOON}},
    {"$or": [{"plugin_id": "a"}, {"created_at": {"$gte": NOON}}]},
]


@pytest.fixture(scope="module")
def jobs(database: Store) -> list[StoredDocument]:
    """Jobs with every value in one field and every value in another, as stored."""
    made = [
        {"domain_id": DOMAIN, "job_id": f"job-{number}"}
        | ({} if value == "absent" else {"plugin_id": value})
        | ({} if moment == "absent" else {"created_at": moment})
        for number, (value, moment) in enumerate(product(_VALUES, _MOMENTS))
    ]
    database.jobs.insert_many(dict(job) for job in made)
    return made


@pytest.mark.parametrize("condition", _CONDITIONS, ids=[*map(str, range(len(_CONDITIONS)))])
def test_what_is_known_of_a_job_is_what_mongodb_finds(
    database: Store, jobs: list[StoredDocument], condition: StoredDocument
) -> None:
    filter_ = ScopedFilter(Scope(DOMAIN), (condition,))
    found = {job["job_id"] for job in database.jobs.find(filter_.document)}
    same = countable(filter_)
    assert same is not None

    known = {job["job_id"]: same.includes(job) for job in jobs}

    judged = {job_id: answer for job_id, answer in known.items() if answer is not None}
    assert {job_id for job_id, answer in judged.items() if answer} == found & judged.keys()
    assert len(judged) > len(jobs) / 4


@pytest.fixture(scope="module")
def jobs_of_all_types(database: Store) -> list[StoredDocument]:
    """Jobs with a value of every BSON type in one of the two fields, as read."""
    made: list[StoredDocument] = [
        {"domain_id": DOMAIN_OF_ALL_TYPES, "job_id": f"job-{field}-{name}", field: value}
        for field in ("plugin_id", "created_at")
        for name, value in VALUES.items()
    ]
    database.jobs.insert_many(map(as_stored, made))
    return list(database.jobs.find({"domain_id": DOMAIN_OF_ALL_TYPES}))


@pytest.mark.parametrize("condition", _CONDITIONS, ids=[*map(str, range(len(_CONDITIONS)))])
def test_what_is_known_of_a_job_is_right_whatever_is_stored(
    database: Store, jobs_of_all_types: list[StoredDocument], condition: StoredDocument
) -> None:
    filter_ = ScopedFilter(Scope(DOMAIN_OF_ALL_TYPES), (condition,))
    found = {job["job_id"] for job in database.jobs.find(filter_.document)}
    same = countable(filter_)
    assert same is not None

    known = {job["job_id"]: same.includes(job) for job in jobs_of_all_types}

    assert {job_id for job_id, answer in known.items() if answer} <= found
    assert not {job_id for job_id, answer in known.items() if answer is False} & found
