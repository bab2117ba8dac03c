"""Requests meant to run code (S2 to S5 of the known defects).

The database is asked nothing at all for a refused request, and evaluates nothing that any other
holds.
"""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from tests.support.attacks import COUNT, VICTIM, assert_harmless
from tests.support.client import Client, Recorder


def expressions() -> dict[str, Any]:
    script = {"body": "function() { return 1 }", "args": [], "lang": "js"}
    return {
        "__function": {"if": {"__function": script}, "then": 1, "else": 0},
        "$function": {"if": {"$function": script}, "then": 1, "else": 0},
        "function for a value": {"$function": script},
        "function as an operand": {
            "if": {"__eq": [{"__function": script}, 1]},
            "then": 1,
            "else": 0,
        },
        "accumulator": {"if": {"__accumulator": script}, "then": 1, "else": 0},
        "expression": {"if": {"__expr": {"$gt": [1, 0]}}, "then": 1, "else": 0},
        "cond": {"if": {"__cond": [True, 1, 0]}, "then": 1, "else": 0},
        "let": {"if": {"__let": {"vars": {}, "in": "$$ROOT"}}, "then": 1, "else": 0},
        "in a branch": {"if": {"__eq": [1, 1]}, "then": {"$getField": "x"}, "else": 0},
        "variable": "$$ROOT",
        "variable as an operand": {"if": {"__eq": ["$$USER_ROLES", 1]}, "then": 1, "else": 0},
        "deep": {"if": {"__and": [{"__not": [{"__function": script}]}]}, "then": 1, "else": 0},
    }


@pytest.mark.parametrize("expression", expressions().values(), ids=expressions())
def test_s2_no_other_expression_reaches_the_database(
    client: Client, recorder: Recorder, expression: Any
) -> None:
    added = {"add_fields": {"x": expression}}

    with recorder.recording() as commands:
        refusals = [
            client.refused("analyze", {"query": {**added, "fields": COUNT}}),
            client.refused("list", {"query": {**added, "sort": [{"key": "x"}]}}),
        ]

    assert [each.status for each in refusals] == [grpc.StatusCode.INVALID_ARGUMENT] * 2
    assert [each.code for each in refusals] == ["ERROR_INVALID_PARAMETER"] * 2
    assert commands == []


KEYS = ["__raw__", "status__ne", "status__regex", "domain_id__in", "pk", "_cls", "$or", "$nor",
        "$expr", "$where", "$comment", "domain_id.x", "id__not__in"]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("lists", ["filter", "filter_or"])
@pytest.mark.parametrize(
    "compared",
    [{"o": "eq", "v": {"domain_id": VICTIM}}, {"o": "in", "v": [VICTIM]}, {"o": "regex", "v": "x"}],
    ids=["dictionary", "list", "text"],
)
def test_s3_a_key_is_a_field_and_nothing_else(
    client: Client, recorder: Recorder, key: str, lists: str, compared: dict[str, Any]
) -> None:
    query = {lists: [{"k": key, **compared}]}
    requests: dict[str, dict[str, Any]] = {
        "list": {},
        "stat": {"distinct": "status"},
        "analyze": {"fields": COUNT},
    }

    with recorder.recording() as commands:
        refusals = [
            client.refused(method, {"query": {**query, **rest}})
            for method, rest in requests.items()
        ]

    for each in refusals:
        assert each.status is grpc.StatusCode.INVALID_ARGUMENT
        assert each.paths[0] == f"query.{lists}[0].k"
        assert f"a job has no field {key!r}" in each.details
    assert commands == []


@pytest.mark.parametrize("sort", ["status__ne", "$natural", "$where", "domain_id__x"])
def test_s3_a_sort_key_is_no_operator(client: Client, recorder: Recorder, sort: str) -> None:
    with recorder.recording() as commands:
        refused = client.refused("list", {"query": {"sort": [{"key": sort}]}})

    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert commands == []


DICTIONARIES = [
    {"$ne": "x"},
    {"$gt": ""},
    {"$where": "1"},
    {"$regex": ".*"},
    {"$oid": "0" * 24},
    {},
]


@pytest.mark.parametrize("value", DICTIONARIES, ids=str)
@pytest.mark.parametrize(
    "operator",
    ["eq", "not", "lt", "lte", "gt", "gte", "contain", "not_contain", "regex", "exists",
     "datetime_lt", "timediff_lt"],
)  # fmt: skip
def test_s4_a_dictionary_is_no_value(
    client: Client, recorder: Recorder, operator: str, value: Any
) -> None:
    key = "created_at" if operator.endswith("_lt") else "status"

    with recorder.recording() as commands:
        refused = client.refused(
            "list", {"query": {"filter": [{"k": key, "o": operator, "v": value}]}}
        )

    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.paths == ["query.filter[0].v"]
    assert commands == []


@pytest.mark.parametrize("operator", ["in", "not_in", "contain_in", "not_contain_in", "regex_in"])
def test_s4_a_dictionary_is_no_item(client: Client, recorder: Recorder, operator: str) -> None:
    with recorder.recording() as commands:
        refused = client.refused(
            "list", {"query": {"filter": [{"k": "status", "o": operator, "v": ["x", {"$ne": 1}]}]}}
        )

    assert refused.paths == ["query.filter[0].v[1]"]
    assert commands == []


def test_s4_a_match_never_passes_its_dictionary_on(client: Client, recorder: Recorder) -> None:
    condition = {"k": "status", "o": "match", "v": {"$where": "sleep(1000)"}}

    with recorder.recording() as commands:
        assert client.numbers({"filter": [condition]}) == []

    assert_harmless(commands)


def stages(key: str) -> dict[str, Any]:
    """Stages with an expression in the place of each key and name."""
    count = {"o": "count", "n": "n"}
    return {
        "group key": {"group": {"keys": [{"k": key, "n": "x"}]}},
        "group field": {"group": {"fields": [{"o": "max", "k": key, "n": "x"}]}},
        "pushed field": {
            "group": {"fields": [{"o": "push", "n": "x", "fields": [{"k": key, "n": "x"}]}]}
        },
        "condition": {"group": {"fields": [{**count, "conditions": [{"k": key, "o": "eq"}]}]}},
        "project": {"project": {"fields": [{"k": key, "n": "x"}]}},
        "sort": {"sort": [{"key": key}]},
        "unwind": {"unwind": {"path": key}},
        "unwind filter": {"unwind": {"path": "x", "filter": [{"k": key, "o": "eq", "v": 1}]}},
        "name of a key": {"group": {"keys": [{"k": "x", "n": key}]}},
        "name of a field": {"group": {"fields": [{"o": "count", "n": key}]}},
        "name of a count": {"count": {"name": key}},
        "name in a project": {"project": {"fields": [{"k": "x", "n": key}]}},
    }


@pytest.mark.parametrize("key", ["$ROOT", "$$ROOT", "$status", "a.$b"])
@pytest.mark.parametrize("place", stages(""))
def test_s5_a_key_is_no_expression(
    client: Client, recorder: Recorder, key: str, place: str
) -> None:
    with recorder.recording() as commands:
        refused = client.refused("stat", {"query": {"aggregate": [stages(key)[place]]}})

    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.code == "ERROR_INVALID_PARAMETER"
    assert commands == []


@pytest.mark.parametrize(
    "part",
    [
        {"group_by": ["$ROOT"]},
        {"group_by": [{"key": "$$ROOT", "name": "x"}]},
        {"group_by": [{"key": "x", "name": "$x"}]},
        {"fields": {"x": {"operator": "max", "key": "$ROOT"}}},
        {"fields": {"$x": {"operator": "count"}}},
        {"fields": {"x": {"operator": "push", "fields": {"x": "$$ROOT"}}}},
        {"select": {"x": "$$ROOT"}},
        {"select": {"x": {"operator": "add", "fields": ["$$NOW", 1]}}},
        {"select": {"x": {"operator": "size", "key": "$n"}}},
        {"select": {"$x": "n"}},
        {"sort": [{"key": "$n"}]},
        {"unwind": {"path": "$$ROOT"}},
        {"add_fields": {"$x": 1}},
    ],
    ids=str,
)
def test_s5_no_part_of_an_analyze_is_an_expression(
    client: Client, recorder: Recorder, part: dict[str, Any]
) -> None:
    with recorder.recording() as commands:
        refused = client.refused("analyze", {"query": {"fields": COUNT, **part}})

    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert commands == []


def test_s5_values_are_literals(client: Client, recorder: Recorder) -> None:
    condition = {"k": "status", "o": "eq", "v": "$status"}
    counted = {"group": {"fields": [{"o": "count", "n": "n", "conditions": [condition]}]}}
    found = {"filter": [condition], "aggregate": [{"count": {"name": "n"}}]}

    with recorder.recording() as commands:
        assert client.rows(counted) == [{"n": 0}]
        assert client.stat(found)["results"] == []

    assert_harmless(commands)
    assert {"$eq": ["$status", {"$literal": "$status"}]} in commands[0]["pipeline"][1]["$group"][
        "n"
    ]["$sum"]["$cond"][0]["$and"]
