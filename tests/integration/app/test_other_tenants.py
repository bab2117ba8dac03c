"""Requests meant to reach other tenants' jobs (S1 of the known defects).

What counts is what the database is asked: nothing at all for a refused request, and nothing
outside of the caller's scope for any other.
"""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from tests.support.attacks import COUNT, DOMAIN, LOOKUP, SECRET, VICTIM, assert_harmless
from tests.support.client import Client, Recorder
from tests.support.store import Store

OF_THE_VICTIM = {"$match": {"domain_id": VICTIM}}


def lookups() -> dict[str, Any]:
    return {
        "of jobs by a pipeline": {"from": "job", "pipeline": [OF_THE_VICTIM], "as": "x"},
        "of jobs": {**LOOKUP, "from": "job"},
        "of another collection": {**LOOKUP, "from": "secret"},
        "of another database": {**LOOKUP, "from": {"db": "admin", "coll": "system.users"}},
        "of tasks by a pipeline": {**LOOKUP, "pipeline": [OF_THE_VICTIM]},
        "of tasks by a pipeline alone": {"from": "job_task", "pipeline": [], "as": "x"},
        "with variables": {**LOOKUP, "let": {"x": "$$ROOT"}},
        "with a variable": {**LOOKUP, "localField": "$$ROOT"},
        "into a stage": {**LOOKUP, "as": "$x"},
    }


@pytest.mark.parametrize("lookup", lookups().values(), ids=lookups())
def test_s1_no_other_lookup_reaches_the_database(
    client: Client, recorder: Recorder, lookup: dict[str, Any]
) -> None:
    analyze = {"lookup": [LOOKUP, lookup], "group_by": ["x"], "fields": COUNT}
    listing = {"lookup": [lookup], "sort": [{"key": "x"}]}

    with recorder.recording() as commands:
        refusals = [
            client.refused("analyze", {"query": analyze}),
            client.refused("list", {"query": listing}),
        ]

    assert [each.status for each in refusals] == [grpc.StatusCode.PERMISSION_DENIED] * 2
    assert commands == []


@pytest.mark.parametrize("field", ["job_id", "workspace_id", "nothing"])
def test_s1_the_allowed_lookup_joins_nothing_of_another_tenant(
    client: Client, recorder: Recorder, field: str
) -> None:
    """Whatever fields are compared: absent ones are equal everywhere."""
    lookup = {**LOOKUP, "localField": field, "foreignField": field}
    query = {
        "lookup": [lookup],
        "unwind": {"path": "tasks"},
        "group_by": ["tasks.domain_id", "tasks.provider"],
        "fields": COUNT,
    }

    with recorder.recording() as commands:
        answer = client.analyze(query)

    assert_harmless(commands)
    assert {next(iter(command)) for command in commands} == {"aggregate"}
    assert len([command for command in commands if "$lookup" in str(command)]) == 1
    assert {row["domain_id"] for row in answer["results"]} <= {DOMAIN}
    assert SECRET not in str(answer)


ATTEMPTS: list[tuple[str, dict[str, Any]]] = [
    ("list", {"filter": [{"k": "domain_id", "o": "eq", "v": VICTIM}]}),
    ("list", {"filter_or": [{"k": "domain_id", "o": "exists", "v": True}]}),
    ("list", {"filter_or": [{"k": "domain_id", "o": "regex", "v": ".*"}], "keyword": "job"}),
    ("list", {"sort": [{"key": "domain_id"}], "count_only": True}),
    ("list", {"add_fields": {"domain_id": DOMAIN}, "sort": [{"key": "domain_id"}]}),
    ("list", {"lookup": [LOOKUP], "sort": [{"key": "tasks.provider"}]}),
    ("stat", {"distinct": "domain_id"}),
    ("stat", {"distinct": "plugin_id", "filter_or": [{"k": "id", "o": "not"}]}),
    ("stat", {"aggregate": [{"group": {"keys": [{"k": "domain_id", "n": "d"}]}}]}),
    ("stat", {"aggregate": [{"limit": 100}]}),
    ("analyze", {"group_by": ["domain_id", "plugin_id"], "fields": COUNT}),
    ("analyze", {"add_fields": {"domain_id": VICTIM}, "group_by": ["domain_id"], "fields": COUNT}),
]


@pytest.mark.parametrize(("method", "query"), ATTEMPTS, ids=str)
def test_no_query_reads_another_tenants_jobs(
    client: Client, recorder: Recorder, method: str, query: dict[str, Any]
) -> None:
    with recorder.recording() as commands:
        answer = client.call(method, {"query": query})

    assert commands
    assert_harmless(commands)
    assert SECRET not in str(answer)


@pytest.mark.parametrize("method", ["get", "delete"])
def test_another_tenants_job_is_not_found(
    client: Client, recorder: Recorder, database: Store, method: str
) -> None:
    database.jobs.insert_one({"job_id": "job-of-the-victim", "domain_id": VICTIM})

    with recorder.recording() as commands:
        refused = client.refused(method, {"job_id": "job-of-the-victim"})

    assert refused.status is grpc.StatusCode.NOT_FOUND
    assert_harmless([command for command in commands if "find" in command])
    assert {next(iter(command)) for command in commands} <= {"find", "abortTransaction"}
    assert database.jobs.find_one({"job_id": "job-of-the-victim"})
