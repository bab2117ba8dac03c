"""What the command line warns of in requests that a server takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.cli.client.calls import CallFailed
from inventory_job.cli.client.doubts import doubts

BY_STATUS = {"group": {"keys": [{"k": "status", "n": "s"}], "fields": [{"n": "c", "o": "count"}]}}
COUNTS = {"group_by": ["status"], "fields": {"n": {"operator": "count"}}}
FAILED = {"k": "status", "v": "FAILED", "o": "eq"}


def by(key: str) -> dict[str, Any]:
    """A group by one key, called x."""
    return {"group": {"keys": [{"k": key, "n": "x"}]}}


@pytest.mark.parametrize(
    ("method", "query", "blamed", "near"),
    [
        ("list", {"sort": [{"key": "statu"}]}, "'statu'", "status"),
        ("list", {"filter": [{"k": "status", "v": "FAILED", "o": "eq"}]}, "'FAILED'", "FAILURE"),
        ("stat", {"aggregate": [BY_STATUS, {"sort": [{"key": "cc"}]}]}, "'cc'", "c"),
        ("stat", {"aggregate": [{"group": {"keys": [{"k": "stat", "n": "s"}]}}]}, "'stat'", "stat"),
        ("stat", {"distinct": "plugin"}, "'plugin'", "plugin_id"),
        (
            "analyze",
            {
                "group_by": ["status"],
                "fields": {"n": {"operator": "count"}},
                "sort": [{"key": "m"}],
            },
            "'m'",
            "status, n",
        ),
        (
            "analyze",
            {"group_by": [{"key": "statuss"}], "fields": {"n": {"operator": "count"}}},
            "'statuss'",
            "status",
        ),
        ("list", {"unwind": {"path": "statu"}}, "'statu'", "status"),
        ("stat", {"aggregate": [{"unwind": {"path": "statu"}}]}, "'statu'", "status"),
        (
            "stat",
            {"aggregate": [{"unwind": {"path": "status", "filter": [FAILED]}}]},
            "'FAILED'",
            "FAILURE",
        ),
        ("stat", {"aggregate": [{"sort": [{"key": "statu"}]}]}, "'statu'", "status"),
        ("stat", {"aggregate": [{"limit": 1}, by("statu")]}, "'statu'", "status"),
        ("stat", {"aggregate": [BY_STATUS, by("status")]}, "'status'", "s"),
        ("stat", {"aggregate": [BY_STATUS, {"count": {"name": "n"}}, by("s")]}, "'s'", "n"),
        (
            "stat",
            {"aggregate": [BY_STATUS, {"project": {"exclude_keys": True}}, by("s")]},
            "'s'",
            "none",
        ),
        (
            "stat",
            {
                "aggregate": [
                    {"group": {"fields": [{"n": "c", "o": "count", "conditions": [FAILED]}]}}
                ]
            },
            "'FAILED'",
            "FAILURE",
        ),
        (
            "stat",
            {
                "aggregate": [
                    {
                        "group": {
                            "fields": [
                                {"n": "c", "o": "push", "fields": [{"k": "statu", "n": "x"}]}
                            ]
                        }
                    }
                ]
            },
            "'statu'",
            "status",
        ),
        ("analyze", {**COUNTS, "field_group": ["statu"]}, "'statu'", "status"),
        ("analyze", {**COUNTS, "unwind": {"path": "statu"}}, "'statu'", "status"),
        ("analyze", {**COUNTS, "select": {"a": "n"}, "sort": [{"key": "n"}]}, "'n'", "a"),
    ],
)
def test_a_slip_is_named_with_what_is_near(
    method: str, query: dict[str, Any], blamed: str, near: str
) -> None:
    [doubt] = doubts(method, {"query": query})

    assert blamed in doubt
    assert near in doubt.rpartition(";")[2]


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("list", {"sort": [{"key": "created_at", "desc": True}]}),
        ("list", {"filter": [{"k": "status", "v": "fail", "o": "contain"}]}),
        ("list", {"filter": [{"k": "status", "v": ["FAILURE", None], "o": "in"}]}),
        ("list", {"filter": [{"k": "resource_group", "v": "DOMAIN", "o": "not"}]}),
        ("stat", {"aggregate": [BY_STATUS, {"sort": [{"key": "s"}, {"key": "c"}]}]}),
        ("stat", {"aggregate": [{"count": {"name": "n"}}]}),
        ("stat", {"aggregate": [{"unwind": {"path": "status"}}, BY_STATUS]}),
        (
            "stat",
            {"aggregate": [BY_STATUS, {"project": {"fields": [{"k": "c", "n": "d"}]}}, by("s")]},
        ),
        ("stat", {"aggregate": [BY_STATUS, by("c"), {"sort": [{"key": "x"}]}]}),
        ("stat", {"aggregate": [{"project": {"fields": [{"k": "status", "n": "x"}]}}, by("x")]}),
        ("analyze", {**COUNTS, "select": {"a": "n"}, "sort": [{"key": "a"}]}),
        (
            "analyze",
            {
                "group_by": ["status", "plugin_id"],
                "field_group": ["status"],
                "fields": {"n": {"operator": "count"}},
                "sort": [{"key": "_total_n"}, {"key": "plugin_id"}],
            },
        ),
    ],
)
def test_what_is_right_is_not_doubted(method: str, query: dict[str, Any]) -> None:
    assert doubts(method, {"query": query}) == []


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["status", "nope", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["key", "k", "n", "operator", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["list", "stat", "analyze"]),
    st.dictionaries(
        st.sampled_from(["sort", "filter", "group_by", "fields", "aggregate", "distinct"]), junk
    ),
)
def test_no_request_is_too_odd_to_be_looked_at(method: str, query: dict[str, Any]) -> None:
    try:
        found = doubts(method, {"query": query})
    except CallFailed:  # it is none that could be sent
        return

    assert all(isinstance(doubt, str) for doubt in found)
