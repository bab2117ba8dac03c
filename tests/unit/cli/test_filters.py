"""Filters of the command line: what each means, and that all others are refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import example, given
from hypothesis import strategies as st

from inventory_job.cli.client.filters import (
    SYMBOLS,
    InvalidFilter,
    parse_filter,
    parse_names,
    parse_sort,
)
from inventory_job.query.operators import OPERATORS
from inventory_job.stubs.spaceone.api.core.v2.query_pb2 import Filter

ANY_TEXT = st.text(st.characters())
"""Any text that a command line can hold: lone surrogates stand for bytes that are no UTF-8."""

NEARLY_FILTERS = st.tuples(
    st.sampled_from(["status", "!finished_at", "a.b", "", "9"]),
    st.sampled_from([*SYMBOLS, "", " = ", "==", "!"]),
    st.text(st.sampled_from('a,"\\ now-7d!=~<>') | st.characters()),
).map("".join)

MEANINGS = {
    "status=FAILURE": ("status", "eq", "FAILURE"),
    "status!=SUCCESS": ("status", "not", "SUCCESS"),
    "status=FAILURE,CANCELED": ("status", "in", ["FAILURE", "CANCELED"]),
    "status!=FAILURE, CANCELED": ("status", "not_in", ["FAILURE", "CANCELED"]),
    "plugin_id~aws": ("plugin_id", "contain", "aws"),
    "plugin_id!~aws": ("plugin_id", "not_contain", "aws"),
    "plugin_id~aws,azure": ("plugin_id", "contain_in", ["aws", "azure"]),
    "plugin_id!~aws,azure": ("plugin_id", "not_contain_in", ["aws", "azure"]),
    "plugin_id=~^a{1,2}$": ("plugin_id", "regex", "^a{1,2}$"),
    'plugin_id=~"a"': ("plugin_id", "regex", '"a"'),
    "total_tasks>=3": ("total_tasks", "gte", "3"),
    "total_tasks > 3": ("total_tasks", "gt", "3"),
    "total_tasks<3": ("total_tasks", "lt", "3"),
    "total_tasks<=3": ("total_tasks", "lte", "3"),
    "created_at>=2026-03-04": ("created_at", "gte", "2026-03-04"),
    "created_at>=now-7d": ("created_at", "timediff_gte", "now-7d"),
    "created_at > now/d - 12h": ("created_at", "timediff_gt", "now/d - 12h"),
    "created_at<now": ("created_at", "timediff_lt", "now"),
    "created_at<=now/w": ("created_at", "timediff_lte", "now/w"),
    "plugin_id>nowhere": ("plugin_id", "gt", "nowhere"),
    'plugin_id>"now"': ("plugin_id", "gt", "now"),
    "finished_at=null": ("finished_at", "eq", None),
    "finished_at!=null": ("finished_at", "not", None),
    "plugin_id=null,x": ("plugin_id", "in", [None, "x"]),
    'plugin_id="null"': ("plugin_id", "eq", "null"),
    "plugin_id~null": ("plugin_id", "contain", "null"),
    "plugin_id=": ("plugin_id", "eq", ""),
    "plugin_id=a=b": ("plugin_id", "eq", "a=b"),
    'plugin_id="a,b"': ("plugin_id", "eq", "a,b"),
    'plugin_id= "a \\"b\\"" , c': ("plugin_id", "in", ['a "b"', "c"]),
    "finished_at": ("finished_at", "exists", True),
    "!finished_at": ("finished_at", "exists", False),
    " ! finished_at ": ("finished_at", "exists", False),
}


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items(), ids=MEANINGS)
def test_a_filter_is_a_condition_of_the_query_language(
    text: str, meaning: tuple[str, str, Any]
) -> None:
    key, operator, value = meaning

    assert parse_filter(text) == {"key": key, "value": value, "operator": operator}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no filter"),
        ("=FAILURE", "is no filter"),
        ("9=1", "is no filter"),
        ("a b=1", "is no filter"),
        ("$where=1", "is no filter"),
        ("!status=FAILURE", "'!' goes before a field alone"),
        ("total_tasks<1,2", "< takes one value"),
        ('plugin_id="a', "ends with a quote"),
        ('plugin_id="a"b', "ends with a quote"),
        (r'plugin_id="\x"', "backslashes are as in JSON"),
        ("plugin_id=\udcff", "is not Unicode text"),
        (r'plugin_id="\ud800"', "surrogate"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidFilter, match=reason) as refused:
        parse_filter(text)

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("created_at>=yesterday", "created_at>=now-1d"),
        ("finished_at < Today", "finished_at<now/d"),
        ("updated_at<=7d", "updated_at<=now-7d"),
        ("updated_at>12h ago", "updated_at>now-12h"),
    ],
)
def test_for_a_time_in_words_the_relative_one_is_suggested(text: str, suggestion: str) -> None:
    with pytest.raises(InvalidFilter, match="is no time") as refused:
        parse_filter(text)

    assert f"did you mean {suggestion}?" in str(refused.value)


@pytest.mark.parametrize("text", ["job_id>=yesterday", "created_at=yesterday", "plugin_id>7d"])
def test_words_for_times_are_texts_where_no_time_is_compared(text: str) -> None:
    assert parse_filter(text)["value"] in {"yesterday", "7d"}


@given(ANY_TEXT | NEARLY_FILTERS)
@example('a="\\')
def test_any_text_is_a_filter_that_a_message_can_hold_or_is_refused_by_name(text: str) -> None:
    reason, condition = "", None
    try:
        condition = parse_filter(text)
    except InvalidFilter as refused:
        reason = str(refused)

    if condition is None:
        assert repr(text) in reason
    else:
        assert ParseDict(condition, Filter()).operator in OPERATORS


@given(st.text())
def test_a_value_in_quotes_is_taken_as_it_is(value: str) -> None:
    condition = parse_filter(f"plugin_id={json.dumps(value)}")

    assert condition == {"key": "plugin_id", "value": value, "operator": "eq"}


def test_a_name_behind_a_minus_sorts_descending() -> None:
    assert parse_sort("-created_at, status") == [
        {"key": "created_at", "desc": True},
        {"key": "status", "desc": False},
    ]


@pytest.mark.parametrize("text", ["", ",", "a,,b", "-", "\udcff"])
def test_a_list_with_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_names(text)
