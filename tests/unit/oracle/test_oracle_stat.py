"""The oracle's stat against the specification's examples, on the six jobs."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, ObjectId
from bson.datetime_ms import DatetimeMS

from tests.oracle import NotEvaluable, Refused, StatAnswer, same_rows, stat, with_job
from tests.support.six_jobs import JOBS, NOW, SCOPE, Plain


def condition(key: str, operator: str, value: Any) -> Plain:
    return {"k": key, "o": operator, "v": value}


def aggregate(*stages: Plain, jobs: list[Plain] = JOBS) -> StatAnswer:
    return stat(jobs, {"query": {"aggregate": list(stages)}}, SCOPE, NOW)


def rows(*stages: Plain, jobs: list[Plain] = JOBS) -> list[Any]:
    return aggregate(*stages, jobs=jobs).results


COUNT_BY_STATUS = {
    "group": {"keys": [{"k": "status", "n": "status"}], "fields": [{"o": "count", "n": "n"}]}
}


def test_stat_counts_by_status_as_in_the_worked_example() -> None:
    answer = aggregate(COUNT_BY_STATUS, {"sort": [{"key": "n", "desc": True}, {"key": "status"}]})

    assert answer.ordered
    assert answer.plain() == {
        "results": [
            {"status": "SUCCESS", "n": 4.0},
            {"status": "FAILURE", "n": 1.0},
            {"status": "IN_PROGRESS", "n": 1.0},
        ],
        "total_count": 3,
    }


def test_groups_come_in_the_order_of_their_keys_when_nothing_else_is_asked() -> None:
    answer = aggregate(COUNT_BY_STATUS)

    assert answer.ordered
    assert [row["status"] for row in answer.results] == ["FAILURE", "IN_PROGRESS", "SUCCESS"]


def test_a_sort_leaves_the_order_of_ties_open() -> None:
    answer = aggregate(COUNT_BY_STATUS, {"sort": [{"key": "n"}]}, {"limit": 1})

    assert not answer.ordered
    assert same_rows(answer, [{"status": "FAILURE", "n": 1.0}])
    assert same_rows(answer, [{"status": "IN_PROGRESS", "n": 1.0}])
    assert not same_rows(answer, [{"status": "SUCCESS", "n": 4.0}])


def test_group_keys_not_excluded_stay_in_the_row() -> None:
    fields = [{"k": "status", "n": "st"}, {"k": "n", "n": "cnt"}]

    kept = rows(COUNT_BY_STATUS, {"project": {"fields": fields}})
    excluded = rows(COUNT_BY_STATUS, {"project": {"fields": fields, "exclude_keys": True}})
    assert kept[0] == {"st": "FAILURE", "cnt": 1.0, "status": "FAILURE"}
    assert excluded[0] == {"st": "FAILURE", "cnt": 1.0}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"o": "sum", "k": "total_tasks"}, 21.0),
        ({"o": "sum", "k": "status"}, 0.0),
        ({"o": "average", "k": "total_tasks"}, 3.5),
        ({"o": "average", "k": "status"}, None),
        ({"o": "max", "k": "created_at"}, "2026-03-06T06:00:00.000Z"),
        ({"o": "min", "k": "collector_id"}, "collector-a"),
        ({"o": "push", "k": "nowhere"}, []),
        ({"o": "first", "k": "nowhere"}, None),
        ({"o": "merge_objects", "k": "nowhere"}, {}),
    ],
)
def test_an_accumulator_over_all_jobs(field: Plain, expected: Any) -> None:
    assert rows({"group": {"fields": [field | {"n": "x"}]}}) == [{"x": expected}]


@pytest.mark.parametrize(
    ("operator", "conditions", "expected"),
    [
        ("count", [("status", "eq", "SUCCESS"), ("total_tasks", "gt", 4)], 2.0),
        ("count", [("status", "not", "SUCCESS")], 2.0),
        ("count", [("collector_id", "eq", None)], 1.0),
        ("count", [("plugin_id", "eq", "$plugin_id")], 0.0),
        ("count", [("nowhere", "lt", 5)], 6.0),
        ("sum", [("total_tasks", "lte", 2)], 3.0),
        ("average", [("total_tasks", "gte", 5)], 11 / 6),
    ],
)
def test_conditions_count_other_rows_as_zero(
    operator: str, conditions: list[tuple[str, str, Any]], expected: float
) -> None:
    specs = [condition(*parts) for parts in conditions]
    field = {"o": operator, "k": "total_tasks", "n": "x", "conditions": specs}

    assert rows({"group": {"fields": [field]}}) == [{"x": pytest.approx(expected)}]


def test_a_set_and_an_unsorted_push_may_come_in_any_order() -> None:
    fields = [{"o": "add_to_set", "k": "plugin_id", "n": "x"}, push("plugin_id") | {"n": "y"}]
    answer = aggregate({"group": {"fields": fields}}, jobs=JOBS[4:])

    either, other = ["plugin-x", "plugin-y"], ["plugin-y", "plugin-x"]
    assert same_rows(answer, [{"x": either, "y": other}])
    assert same_rows(answer, [{"x": other, "y": either}])
    assert not same_rows(answer, [{"x": ["plugin-x"] * 2, "y": either}])


def test_a_push_of_documents_writes_dates_to_the_second_and_keeps_a_sort() -> None:
    fields = [{"k": "created_at", "n": "at"}, {"k": "total_tasks", "n": "of"}]
    push = {"group": {"fields": [{"o": "push", "n": "x", "fields": fields}]}}

    (row,) = rows({"sort": [{"key": "total_tasks", "desc": True}]}, push)
    assert row["x"][0] == {"at": "2026-03-06T06:00:00Z", "of": 6.0}
    assert [entry["of"] for entry in row["x"]] == [6, 5, 4, 3, 2, 1]


def test_first_follows_a_sort_and_is_open_without_one() -> None:
    first = {"group": {"fields": [{"o": "first", "k": "total_tasks", "n": "x"}]}}

    assert rows({"sort": [{"key": "total_tasks", "desc": True}]}, first) == [{"x": 6.0}]
    assert same_rows(aggregate(first), [{"x": 2.0}])
    assert not same_rows(aggregate(first), [{"x": 7.0}])


@pytest.mark.parametrize(
    ("date_format", "expected"),
    [
        ("year", 2026.0),
        ("month", 3.0),
        ("day", 4.0),
        ("%Y-%m-%d", "2026-03-04"),
        ("%G-%V %j %H%%", "2026-10 063 04%"),
    ],
)
def test_a_date_format_makes_a_key_of_a_date(date_format: str, expected: Any) -> None:
    key = {"k": "created_at", "n": "at", "date_format": date_format}

    answer = rows({"group": {"keys": [key]}}, jobs=JOBS[3:4])
    assert answer == [{"at": expected}]


def test_a_date_format_of_what_is_no_date_is_null() -> None:
    stage = {"group": {"keys": [{"k": "finished_at", "n": "at", "date_format": "%Y"}]}}

    assert rows(stage)[0] == {"at": None}
    for odd in ("2026-03-04", DatetimeMS(300_000_000_000_000), 7):
        assert {"at": None} in rows(stage, jobs=with_job(JOBS, 1, finished_at=odd))


def test_the_date_of_a_value_that_is_open_is_open() -> None:
    by_status = {
        "keys": [{"k": "status", "n": "status"}],
        "fields": [{"o": "first", "k": "created_at", "n": "any"}],
    }
    by_year = {"keys": [{"k": "any", "n": "year", "date_format": "year"}]}

    with pytest.raises(NotEvaluable):
        rows({"group": by_status}, {"group": by_year})


def test_absent_counts_as_null_in_group_keys() -> None:
    jobs = with_job(JOBS, 1, without="collector_id")
    one, other = {"k": "collector_id", "n": "c"}, {"k": "resource_group", "n": "r"}
    count = [{"o": "count", "n": "n"}]

    single = rows({"group": {"keys": [one], "fields": count}}, jobs=jobs)
    double = aggregate({"group": {"keys": [one, other], "fields": count}}, jobs=jobs)
    assert single[0] == {"c": None, "n": 2.0}
    assert double.results[0] == {"c": None, "r": "WORKSPACE", "n": 2.0}


def test_unwind_drops_null_and_absent_and_passes_scalars() -> None:
    jobs = with_job(JOBS, 1, tags=[{"k": "Env"}, {"k": "team"}, {"k": None}])
    tags = {"path": "tags", "filter": [condition("tags.k", "contain", "E")]}

    assert rows({"unwind": {"path": "collector_id"}}, {"count": {"name": "n"}}) == [{"n": 5.0}]
    assert len(rows({"unwind": tags}, jobs=jobs)) == 2


@pytest.mark.parametrize(("desc", "expected"), [(False, [3, 1, 2]), (True, [1, 2, 3])])
def test_a_sort_takes_an_arrays_least_element_or_its_greatest(
    desc: bool, expected: list[int]
) -> None:
    jobs = [JOBS[0] | {"x": [1, 9]}, JOBS[1] | {"x": 5}, JOBS[2] | {"x": []}]

    answer = aggregate({"sort": [{"key": "x", "desc": desc}]}, jobs=jobs)
    assert [row["total_tasks"] for row in answer.results] == expected


def test_a_count_of_nothing_is_no_row() -> None:
    answer = aggregate({"skip": 6}, {"count": {"name": "n"}})

    assert answer.plain() == {"results": [], "total_count": 0}


def test_raw_documents_show_their_id_as_text_and_come_in_any_order() -> None:
    answer = aggregate({"project": {"fields": [{"k": "total_tasks", "n": "x"}]}}, {"limit": 2})

    assert same_rows(answer, [{"_id": f"{5:024x}", "x": 5.0}, {"_id": f"{3:024x}", "x": 3.0}])
    assert not same_rows(answer, [{"_id": f"{5:024x}", "x": 5.0}] * 2)


def test_project_operators() -> None:
    jobs = with_job(JOBS, 1, pairs=[["a", 1], ["b", 2]], doc={"c": 3}, all=[1, 2, "x"])[:1]
    operators = {"pairs": "array_to_object", "doc": "object_to_array", "all": "sum"}
    fields = [{"k": key, "n": key, "o": operator} for key, operator in operators.items()]

    (row,) = rows({"project": {"fields": fields, "exclude_keys": True}}, jobs=jobs)
    assert row == {"pairs": {"a": 1.0, "b": 2.0}, "doc": [{"k": "c", "v": 3.0}], "all": 3.0}


def test_the_size_of_what_is_not_an_array_is_refused() -> None:
    with pytest.raises(Refused):
        rows({"project": {"fields": [{"k": "status", "n": "x", "o": "size"}]}})


def test_distinct_shows_null_but_not_absent_and_pages_after_sorting() -> None:
    jobs = with_job(JOBS, 1, without="collector_id")
    query = {"distinct": "collector_id", "page": {"start": 2, "limit": 1}}

    answer = stat(jobs, {"query": query}, SCOPE, NOW)
    assert answer.plain() == {"results": ["collector-a"], "total_count": 3}
    assert stat(jobs, {"query": {"distinct": "nowhere"}}, SCOPE, NOW).results == []


def test_values_read_as_a_struct_has_them() -> None:
    values = [Decimal128("1.5"), float("nan"), float("-inf"), ObjectId("0" * 24), b"\x00", None]
    jobs = with_job(JOBS, 1, values=[*values, {"at": NOW}])[:1]

    stages = {"unwind": {"path": "values"}}, {"group": {"fields": [push("values")]}}
    shown = [1.5, "NaN", "-Infinity", "0" * 24, "AA==", None, {"at": "2026-03-06T12:00:00.000Z"}]
    assert same_rows(aggregate(*stages, jobs=jobs), [{"x": shown}])


def push(key: str) -> Plain:
    return {"o": "push", "k": key, "n": "x"}


def test_a_mismatch_says_what_is_wrong_and_tolerates_rounding() -> None:
    answer = aggregate({"group": {"fields": [{"o": "sum", "k": "total_tasks", "n": "x"}]}})

    assert answer.mismatch({"results": [{"x": 21.0000000001}], "total_count": 1}) is None
    assert "21.1" in (answer.mismatch({"results": [{"x": 21.1}], "total_count": 1}) or "")
    assert "total_count" in (answer.mismatch({"results": [{"x": 21.0}], "total_count": 2}) or "")
