"""The shape of a query: which fields and operators, and nothing of what was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.auth.scope import Scope
from inventory_job.query.filters import Page, ScopedFilter
from inventory_job.query.plans import DistinctPlan, JobPlan, ListPlan, Plan, RowsPlan
from inventory_job.query.shape import shape, shape_of

SECRET = "SECRET-4711"


def test_fields_and_operators_stay_and_values_go() -> None:
    filter_ = {"domain_id": SECRET, "status": {"$in": [SECRET, "b"]}, "total_tasks": {"$gt": 3}}

    assert json.loads(shape(filter_)) == [
        {"domain_id": "?", "status": {"$in": ["?"]}, "total_tasks": {"$gt": "?"}}
    ]


def test_stages_keep_their_references_to_fields() -> None:
    group = {"$group": {"_id": "$plugin_id", "jobs": {"$sum": 1}}}

    assert json.loads(shape({}, [group])) == [
        {},
        {"$group": {"_id": "$plugin_id", "jobs": {"$sum": "?"}}},
    ]


def test_what_looks_like_a_reference_is_a_value_in_filters_and_literals() -> None:
    hidden = f"${SECRET.replace('-', '_')}"
    stages: list[dict[str, object]] = [
        {"$match": {"a": hidden}},
        {"$addFields": {"b": {"$literal": hidden}}},
    ]

    assert hidden not in shape({"plugin_id": hidden}, stages)


def test_directions_of_sorts_stay() -> None:
    stages = [{"$sort": {"created_at": -1, "_id": 1}}]

    assert json.loads(shape({}, stages)) == [{}, {"$sort": {"created_at": -1, "_id": 1}}]


JOBS = ScopedFilter(Scope("domain-1"), ({"job_id": SECRET},))
GROUP: dict[str, Any] = {"$group": {"_id": "$status"}}
ORDER = {"created_at": -1}
PLANS: dict[str, tuple[Plan, list[Any]]] = {
    "job": (JobPlan(JOBS, SECRET), []),
    "list": (
        ListPlan(JOBS, ORDER, ("job_id",), Page(start=11, limit=10)),
        [{"$sort": ORDER}, {"$skip": "?"}, {"$limit": "?"}],
    ),
    "first page": (ListPlan(JOBS, ORDER, (), Page()), [{"$sort": ORDER}, {"$limit": "?"}]),
    "count": (ListPlan(JOBS, ORDER, (), Page(), count_only=True), [{"$count": "?"}]),
    "distinct": (DistinctPlan(JOBS, "plugin_id", Page(), 9), [{"$distinct": "$plugin_id"}]),
    "rows": (RowsPlan(JOBS, (GROUP,), Page()), [GROUP, {"$limit": "?"}]),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_has_the_shape_of_its_filter_and_of_what_follows(name: str) -> None:
    plan, stages = PLANS[name]

    assert json.loads(shape_of(plan)) == [
        {"domain_id": "?", "$and": [{"job_id": "?"}]},
        *stages,
    ]


def test_a_long_shape_is_cut() -> None:
    assert len(shape({f"field_{n}": 1 for n in range(500)})) == 1000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "$or", "$in"]), values), st.lists(values))
def test_no_value_is_ever_shown(filter_: dict[str, object], members: list[object]) -> None:
    assert SECRET not in shape(filter_, [{"$group": {"m": member}} for member in members])
    assert SECRET not in shape({}, [{"$sort": {"m": member}} for member in members])
