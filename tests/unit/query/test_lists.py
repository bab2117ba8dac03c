"""Order, page and fields of a list, from request to plan."""

from __future__ import annotations

from typing import Any

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.query.fields import MINIMAL, SHOWN
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import ListPlan, plan_list
from inventory_job.wire.decode import decode
from tests.cases import expressions
from tests.cases.expressions import ExpressionCase
from tests.cases.moments import NOW
from tests.support.lower_half import message

DOMAIN = Scope("domain-a")


def plan(query: dict[str, Any], scope: Scope = DOMAIN) -> ListPlan:
    decoded = decode(message("list", {"query": query}))
    return plan_list(decoded, scope, ParseContext(Limits(), NOW))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ([], [("created_at", -1), ("_id", 1)]),
        ([{"key": "status"}], [("status", 1), ("_id", 1)]),
        (
            [{"key": "status", "desc": True}, {"key": "total_tasks"}],
            [("status", -1), ("total_tasks", 1), ("_id", 1)],
        ),
        ([{"key": "status"}, {"key": "status", "desc": True}], [("status", 1), ("_id", 1)]),
        ([{"key": "id", "desc": True}], [("_id", -1)]),
    ],
    ids=["none", "one", "two", "the same twice", "id"],
)
def test_an_order_ends_with_the_id(sort: list[Any], order: list[tuple[str, int]]) -> None:
    assert list(plan({"sort": sort}).order.items()) == order


@pytest.mark.parametrize(
    ("page", "skip", "size"),
    [
        ({}, 0, 1000),
        ({"start": 1, "limit": 10}, 0, 10),
        ({"start": 11, "limit": 10}, 10, 10),
        ({"start": 0, "limit": 0}, 0, 1000),
        ({"start": 7}, 6, 1000),
        ({"limit": 1000}, 0, 1000),
        ({"limit": 1001}, 0, 1000),
        ({"start": 2**32 - 1, "limit": 2**32 - 1}, 2**32 - 2, 1000),
    ],
    ids=["none", "first", "second", "zeros", "no limit", "most", "more", "utmost"],
)
def test_a_page_starts_from_1_and_has_1000_jobs_at_most(
    page: dict[str, int], skip: int, size: int
) -> None:
    planned = plan({"page": page}).page

    assert (planned.skip, planned.size) == (skip, size)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, SHOWN),
        ({"minimal": True}, MINIMAL),
        ({"only": ["status", "job_id"]}, ("job_id", "status")),
        ({"only": ["id"]}, ()),
        ({"only": ["plugin_id"], "minimal": True}, ("job_id", "status", "plugin_id", *MINIMAL[2:])),
    ],
    ids=["all", "minimal", "only", "only the id, which is never shown", "union"],
)
def test_the_fields_read_are_those_shown(query: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert plan(query).fields == fields


def test_sort_keys_are_not_read_unless_they_are_asked_for() -> None:
    assert plan({"only": ["job_id"], "sort": [{"key": "status"}]}).fields == ("job_id",)


def test_added_fields_and_lookups_are_left_out_unless_they_are_sorted_by() -> None:
    lookup = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}
    query = {
        "unwind": {"path": "status"},
        "lookup": [lookup],
        "add_fields": {"x": 1},
        "sort": [{"key": "status"}],
    }

    assert plan(query).computed == ()


@pytest.mark.parametrize("case", expressions.CASES, ids=lambda case: case.name)
def test_an_added_field_becomes(case: ExpressionCase) -> None:
    planned = plan({"add_fields": {"x": case.written}, "sort": [{"key": "x", "desc": True}]})

    assert planned.computed == ({"$addFields": {"_added": {"x": case.compiled}}},)
    assert planned.order == {"_added.x": -1, "_id": 1}


def test_a_lookup_carries_the_scope() -> None:
    lookup = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}
    scope = Scope("domain-a", ("workspace-1", "*"))

    planned = plan({"lookup": [lookup], "sort": [{"key": "tasks.status"}]}, scope)

    assert planned.computed == (
        {
            "$lookup": {
                **lookup,
                "pipeline": [
                    {
                        "$match": {
                            "domain_id": "domain-a",
                            "workspace_id": {"$in": ["workspace-1", "*"]},
                        }
                    }
                ],
            }
        },
    )
