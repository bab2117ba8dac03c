"""What the command line warns of in requests that a server takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.cli.client.calls import CallFailed
from inventory_job.cli.client.doubts import doubts

BY_STATUS = {"group": {"keys": [{"k": "status", "n": "s"}], "fields": [{"n": "c", "o": "count"}]}}


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
        ("stat", {"aggregate": [{"unwind": {"path": "x"}}, BY_STATUS]}),
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
