"""The oracle's analyze against the specification's examples, on the six jobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import AnalyzeAnswer, analyze, with_job
from tests.support.six_jobs import JOBS, NOW, SCOPE, Plain


def analysis(query: Plain, jobs: list[Plain] = JOBS) -> AnalyzeAnswer:
    return analyze(jobs, {"query": query}, SCOPE, NOW)


COUNT = {"n": {"operator": "count"}}


def test_analyze_folds_a_group_into_lists_as_in_the_example() -> None:
    answer = analysis(
        {
            "group_by": ["plugin_id", "status"],
            "field_group": ["status", "unknown"],
            "fields": COUNT,
        }
    )

    assert answer.ordered
    assert answer.plain()["more"] is False
    assert answer.results[0] == {
        "plugin_id": "plugin-x",
        "n": [
            {"value": 1.0, "status": "FAILURE"},
            {"value": 1.0, "status": "IN_PROGRESS"},
            {"value": 3.0, "status": "SUCCESS"},
        ],
        "_total_n": 5.0,
    }


def test_an_absent_group_by_field_is_a_null_group() -> None:
    jobs = with_job(JOBS, 1, without="collector_id")

    answer = analysis({"group_by": ["collector_id"], "fields": COUNT}, jobs)
    assert answer.results[0] == {"collector_id": None, "n": 2.0}


def test_a_fold_sorts_by_its_totals_and_averages_averages() -> None:
    fields = {"x": {"operator": "average", "key": "total_tasks"}}
    query = {"group_by": ["plugin_id", "status"], "field_group": ["status"], "fields": fields}

    answer = analysis(query | {"sort": [{"key": "x", "desc": True}]})
    totals = [row["_total_x"] for row in answer.results]
    assert totals == [6.0, pytest.approx((2 + 3 + 10 / 3) / 3)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("status", "FAILURE"),
        ({"operator": "divide", "fields": ["sum", 4]}, 0.5),
        ({"operator": "divide", "fields": ["sum", 0]}, None),
        ({"operator": "subtract", "fields": [{"operator": "add", "fields": ["n", 5]}, "sum"]}, 4.0),
        ({"operator": "multiply", "fields": ["n", "nothing"]}, None),
    ],
)
def test_select_leaves_the_selected_names_alone(source: Any, expected: Any) -> None:
    fields = {"n": {"operator": "count"}, "sum": {"operator": "sum", "key": "total_tasks"}}

    query = {"group_by": ["status"], "fields": fields, "select": {"x": source}}
    assert analysis(query, JOBS[1:2]).results == [{"x": expected}]


def test_array_fields_are_computed_over_their_elements_first() -> None:
    jobs = with_job(JOBS, 1, times=[1, 2, None])[:1] + with_job(JOBS, 2, times=[4])[1:2]
    spec = {"operator": "sum", "key": "times", "data_type": "array"}

    assert analysis({"fields": {"x": spec}}, jobs).results == [{"x": 7.0}]


def test_more_says_that_rows_follow() -> None:
    query = {"group_by": ["status"], "fields": COUNT}

    assert analysis(query | {"page": {"limit": 2}}).more
    assert not analysis(query | {"page": {"start": 2, "limit": 2}}).more


def test_added_fields_are_literals_paths_and_choices() -> None:
    big = {"if": {"__or": [{"__in": ["$total_tasks", [1, 5]]}]}, "then": "$status", "else": "no"}

    answer = analysis({"add_fields": {"x": big}, "group_by": ["x"], "fields": COUNT})
    assert answer.results == [{"x": "SUCCESS", "n": 2.0}, {"x": "no", "n": 4.0}]
