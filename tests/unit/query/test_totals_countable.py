"""Which filters' totals can be kept, and what single jobs mean to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.query.countable import Countable, countable
from inventory_job.query.filters import ScopedFilter
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import plan_list
from inventory_job.wire.decode import decode
from tests.cases.moments import NOW
from tests.support.lower_half import message

DOMAIN = Scope("domain-1")
NOON = datetime(2026, 3, 7, 12)


def filtered(key: str, operator: str, value: Any) -> dict[str, Any]:
    return {"query": {"filter": [{"key": key, "value": value, "operator": operator}]}}


def listed(request: dict[str, Any], scope: Scope = DOMAIN) -> Countable | None:
    """What is countable of a list."""
    decoded = decode(message("list", request))
    return countable(plan_list(decoded, scope, ParseContext(Limits(), NOW)).jobs)


def where(*conditions: dict[str, Any], scope: Scope = DOMAIN) -> Countable:
    """The jobs that meet all of the conditions."""
    jobs = countable(ScopedFilter(scope, conditions))
    assert jobs is not None
    return jobs


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"plugin_id": "plugin-1", "collector_id": "collector-1", "workspace_id": "workspace-1"},
        filtered("plugin_id", "eq", None),
        filtered("plugin_id", "not", "plugin-1"),
        filtered("plugin_id", "in", ["plugin-1", None]),
        filtered("plugin_id", "not_in", ["plugin-1"]),
        filtered("request_secret_id", "exists", True),
        filtered("created_at", "datetime_gte", "2026-03-07T00:00:00Z"),
        filtered("created_at", "lt", "2026-03-07"),
        filtered("created_at", "timediff_gte", "now/d-30d"),
        {"query": {"filter_or": [{"key": "plugin_id", "value": "plugin-1", "operator": "eq"}]}},
    ],
    ids=str,
)
def test_comparisons_of_steady_fields_are_countable(request_: dict[str, Any]) -> None:
    assert listed(request_) is not None


@pytest.mark.parametrize(
    "request_",
    [
        {"status": "SUCCESS"},
        {"job_id": "job-1"},
        {"query": {"keyword": "job-1"}},
        filtered("id", "not", "0" * 24),
        filtered("status", "exists", False),
        filtered("total_tasks", "eq", 3),
        filtered("updated_at", "datetime_gte", "2026-03-07"),
        filtered("finished_at", "eq", None),
        filtered("plugin_id", "contain", "aws"),
        filtered("plugin_id", "not_contain", "aws"),
        filtered("plugin_id", "contain_in", ["aws"]),
        filtered("plugin_id", "not_contain_in", ["aws"]),
        filtered("plugin_id", "regex", "^aws"),
        filtered("plugin_id", "regex_in", ["^aws"]),
        filtered("plugin_id", "gt", "aws"),
        filtered("plugin_id", "eq", "broken \ufffd"),
        filtered("plugin_id", "in", [f"plugin-{number}" for number in range(1000)]),
        {
            "query": {
                "filter_or": [
                    {"key": "plugin_id", "value": "plugin-1", "operator": "eq"},
                    {"key": "status", "value": "SUCCESS", "operator": "eq"},
                ]
            }
        },
    ],
    ids=lambda request: str(request)[:100],
)
def test_other_conditions_are_not_countable(request_: dict[str, Any]) -> None:
    assert listed(request_) is None


def test_several_comparisons_in_one_are_not_countable() -> None:
    between = {"created_at": {"$gte": NOON, "$lt": NOON}}

    assert countable(ScopedFilter(DOMAIN, (between,))) is None


def test_the_same_list_asked_for_twice_is_one_countable() -> None:
    countables = [listed(filtered("plugin_id", "in", ["a", "b"])) for _ in range(2)]

    assert len({*countables}) == 1


@pytest.mark.parametrize(
    "other",
    [
        where(scope=Scope("domain-2")),
        where(scope=Scope("domain-1", ("workspace-1",))),
        where({"plugin_id": "a"}),
        where({"plugin_id": {"$in": ["a"]}}),
        where({"$or": [{"plugin_id": "a"}, {"plugin_id": "b"}]}),
        where({"plugin_id": "a"}, {"plugin_id": "b"}),
    ],
    ids=["domain", "workspace", "equality", "in", "or", "and"],
)
def test_filters_that_differ_are_not_one_countable(other: Countable) -> None:
    assert other not in {where(), where({"plugin_id": "b"}), where({"plugin_id": None})}


@pytest.mark.parametrize(
    ("jobs", "job", "included"),
    [
        (where(), {}, True),
        (where(), {"domain_id": "domain-2"}, False),
        (where(), {"domain_id": None}, False),
        (where(scope=Scope("domain-1", ("w", "*"))), {"workspace_id": "*"}, True),
        (where(scope=Scope("domain-1", ("w", "*"))), {"workspace_id": "v"}, False),
        (where({"plugin_id": "a"}, {"collector_id": "c"}), {"plugin_id": "a"}, False),
        (where({"$or": [{"plugin_id": "a"}, {"collector_id": "c"}]}), {"plugin_id": "a"}, True),
        (where({"$or": [{"plugin_id": "a"}, {"collector_id": "c"}]}), {"plugin_id": "b"}, False),
        (where({"plugin_id": None}), {}, True),
        (where({"plugin_id": {"$exists": True}}), {"plugin_id": None}, True),
        (where({"plugin_id": {"$exists": True}}), {}, False),
        (where({"created_at": {"$gte": NOON}}), {"created_at": NOON}, True),
        (
            where({"created_at": {"$gte": NOON}}),
            {"created_at": NOON - timedelta(milliseconds=1)},
            False,
        ),
        (where({"created_at": {"$gte": NOON}}), {}, False),
    ],
)
def test_a_job_counts_when_it_meets_all_conditions(
    jobs: Countable, job: dict[str, Any], included: bool
) -> None:
    assert jobs.includes({"domain_id": "domain-1"} | job) is included


@pytest.mark.parametrize(
    ("jobs", "job", "included"),
    [
        (where({"plugin_id": "a"}), {"plugin_id": ["a", "b"]}, None),
        (where({"plugin_id": "a"}), {"plugin_id": "\ufffd"}, None),
        (where({"plugin_id": {"$ne": "a"}}), {"plugin_id": 7}, None),
        (where({"plugin_id": "a"}, {"collector_id": "b"}), {"plugin_id": 7}, False),
        (
            where({"$or": [{"plugin_id": "a"}, {"collector_id": "b"}]}),
            {"plugin_id": 7, "collector_id": "b"},
            True,
        ),
    ],
    ids=["list", "broken text", "number", "another says no", "another says yes"],
)
def test_of_values_that_only_mongodb_can_compare_it_is_not_known(
    jobs: Countable, job: dict[str, Any], included: bool | None
) -> None:
    assert jobs.includes({"domain_id": "domain-1"} | job) is included
