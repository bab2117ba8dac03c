"""Stages of a stat, from request to pipeline."""

from __future__ import annotations

from typing import Any

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import DistinctPlan, RowsPlan, plan_stat
from inventory_job.wire.decode import decode
from tests.cases import stages, stats
from tests.cases.moments import NOW
from tests.cases.stats import StatCase
from tests.support.lower_half import message


def plan(query: dict[str, Any]) -> RowsPlan | DistinctPlan:
    decoded = decode(message("stat", {"query": query}))
    return plan_stat(decoded, Scope("domain-a"), ParseContext(Limits(), NOW))


def pipeline(*aggregate: dict[str, Any]) -> list[dict[str, Any]]:
    planned = plan({"aggregate": [*aggregate]})
    assert isinstance(planned, RowsPlan)
    return list(planned.stages)


@pytest.mark.parametrize("case", [*stats.CASES, *stages.CASES], ids=lambda case: case.name)
def test_stages_become(case: StatCase) -> None:
    compiled = pipeline(*case.aggregate)

    assert compiled == case.pipeline
    # Dictionaries are equal in any order, but MongoDB sorts by the first key first.
    assert str(compiled) == str(case.pipeline)


def test_short_and_long_spellings_are_the_same() -> None:
    short = {
        "group": {
            "keys": [{"k": "status", "n": "s"}],
            "fields": [
                {"o": "sum", "k": "total_tasks", "n": "x",
                 "conditions": [{"k": "status", "o": "eq", "v": "SUCCESS"}]},
                {"o": "push", "n": "y", "fields": [{"k": "job_id", "n": "id"}]},
            ],
        }
    }  # fmt: skip
    long = {
        "group": {
            "keys": [{"key": "status", "name": "s"}],
            "fields": [
                {"operator": "sum", "key": "total_tasks", "name": "x",
                 "conditions": [{"key": "status", "operator": "eq", "value": "SUCCESS"}]},
                {"operator": "push", "name": "y", "fields": [{"key": "job_id", "name": "id"}]},
            ],
        }
    }  # fmt: skip

    assert pipeline(short) == pipeline(long)


def test_the_filter_is_within_the_scope() -> None:
    query = {
        "aggregate": [{"count": {"name": "n"}}],
        "filter": [{"k": "status", "v": "SUCCESS", "o": "eq"}],
        "filter_or": [{"k": "total_tasks", "v": 1, "o": "gt"}],
        "page": {"start": 3, "limit": 2},
    }

    planned = plan(query)

    assert planned.jobs.document == {
        "domain_id": "domain-a",
        "$and": [{"status": "SUCCESS"}, {"$or": [{"total_tasks": {"$gt": 1}}]}],
    }
    assert (planned.page.skip, planned.page.size) == (2, 2)


def test_aggregate_wins_over_distinct() -> None:
    query = {"aggregate": [{"count": {"name": "n"}}], "distinct": "status"}

    assert isinstance(plan(query), RowsPlan)


@pytest.mark.parametrize("path", ["status", "collector_info.secrets", "nothing"])
def test_distinct_takes_any_path(path: str) -> None:
    planned = plan({"distinct": path})

    assert isinstance(planned, DistinctPlan)
    assert planned.path == path


def test_rows_of_unwound_lists_differ_by_their_elements_too() -> None:
    """Or else two elements of one job change places from page to page."""
    assert pipeline({"unwind": {"path": "tags"}}, {"sort": [{"key": "status"}]}) == [
        {"$unwind": "$tags"},
        {"$sort": {"status": 1, "_id": 1, "tags": 1}},
    ]


def test_rows_keep_their_id_until_they_are_sorted() -> None:
    alone = {"project": {"fields": [{"k": "status", "n": "s"}], "exclude_keys": True}}
    sort = {"sort": [{"key": "s"}]}

    assert pipeline(alone, {"limit": 2}, sort, sort) == [
        {"$sort": {"_id": 1}},
        {"$project": {"s": "$status"}},
        {"$limit": 2},
        {"$sort": {"s": 1, "_id": 1}},
        {"$sort": {"s": 1, "_id": 1}},
        {"$project": {"_id": 0}},
    ]


def test_projected_elements_distinguish_rows() -> None:
    fields = [{"k": "tags.key", "n": "k"}, {"k": "tagsets", "n": "t"}, {"k": "status", "n": "s"}]
    unwind: dict[str, Any] = {"unwind": {"path": "tags"}}

    stages = pipeline(unwind, {"project": {"fields": fields}}, {"sort": [{"key": "s"}]})

    assert stages[-1] == {"$sort": {"s": 1, "_id": 1, "k": 1}}
