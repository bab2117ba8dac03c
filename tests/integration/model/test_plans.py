"""What counts read: an index where it holds all they need, and jobs otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from inventory_job.model.indexes import ensure_indexes
from inventory_job.query.operators import Document
from tests import oracle
from tests.support.client import Client
from tests.support.running import in_database
from tests.support.store import Store

DOMAIN = "domain-of-six"
FILTER = {"domain_id": DOMAIN}
KEYS = ("plugin_id", "status", "collector_id", "workspace_id")


@pytest.fixture(scope="module", autouse=True)
def jobs(database: Store) -> None:
    """Jobs with and without the fields that are grouped by, and all indexes."""
    for domain in (DOMAIN, "another"):
        for number in range(50):
            database.jobs.insert_many(
                {**job, "_id": f"{domain} {number} {job['job_id']}", "domain_id": domain}
                for job in oracle.six_jobs(domain)
            )
    database.jobs.insert_many(
        [
            {"_id": "bare", "domain_id": DOMAIN, "job_id": "bare", "status": "SUCCESS"},
            {"_id": "null", "domain_id": DOMAIN, "plugin_id": None, "status": "SUCCESS"},
        ]
    )
    in_database(database, ensure_indexes)


def counted(*names: str) -> list[Document]:
    keys = {name: {"$ifNull": [f"${name}", None]} for name in names}
    return [{"$group": {"_id": keys, "n": {"$sum": 1}, "last": {"$max": "$created_at"}}}]


def explained(database: Store, stages: list[Document]) -> Mapping[str, Any]:
    command = {
        "aggregate": database.jobs.name,
        "pipeline": [{"$match": FILTER}, *stages],
        "cursor": {},
    }
    answer: Mapping[str, Any] = database.jobs.database.command(
        "explain", command, verbosity="executionStats"
    )
    # Where the first stages are given to the storage engine's planner, they are not in `stages`.
    first: Mapping[str, Any] = answer["stages"][0]["$cursor"] if "stages" in answer else answer
    statistics: Mapping[str, Any] = first["executionStats"]
    return statistics


@pytest.mark.parametrize("names", [KEYS[:1], KEYS[:2], KEYS], ids=len)
def test_c4_counts_by_indexed_fields_read_no_job(database: Store, names: tuple[str, ...]) -> None:
    statistics = explained(database, counted(*names))

    assert statistics["totalDocsExamined"] == 0
    assert statistics["totalKeysExamined"] > 300


@pytest.mark.parametrize(
    ("operator", "count"), [("eq", 2), ("not", 1), ("gt", 1), ("gte", 3), ("lt", 0), ("lte", 2)]
)
def test_conditions_take_absent_for_null_whatever_indexes_there_are(
    channel: grpc.Channel, database: Store, operator: str, count: int
) -> None:
    domain = "domain-of-three"
    if not database.jobs.count_documents({"domain_id": domain}):
        database.jobs.insert_many(
            {"domain_id": domain, "status": "SUCCESS", **plugin}
            for plugin in ({}, {"plugin_id": None}, {"plugin_id": "plugin-x"})
        )
    condition = {"key": "plugin_id", "operator": operator, "value": None}
    counted = {"name": "n", "operator": "count", "conditions": [condition]}
    groups = ([{"key": "status", "name": "status"}], [{"key": "total_tasks", "name": "tasks"}])

    for keys in groups:  # the first can be read from an index alone
        stage = {"group": {"keys": keys, "fields": [counted]}}
        [row] = Client(channel, domain).rows(stage)
        assert row["n"] == count
