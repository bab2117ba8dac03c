"""The tables about the query language say what the code says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from google.protobuf.message import Message

from inventory_job.auth.scope import Scope
from inventory_job.errors import InvalidRequest
from inventory_job.query.accumulators import ACCUMULATORS
from inventory_job.query.fields import MINIMAL
from inventory_job.query.filters import MAX_PAGE
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import plan_analyze, plan_stat
from inventory_job.query.times import parse_iso, parse_relative
from inventory_job.stubs.spaceone.api.core.v2 import query_pb2
from inventory_job.wire.values import iso
from tests.support.documents import page

PAGE = page("docs/query-language.md")
NOW = datetime(2024, 3, 6, 15, 30, 45)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def section(heading: str) -> str:
    """The prose under a heading, up to the next one."""
    return re.split(r"^#+ ", PAGE.prose.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]


def supported(
    plan: Callable[[Mapping[str, Any], Scope, ParseContext], object], query: Mapping[str, Any]
) -> set[str]:
    """The operators that the refusal of an unknown one lists."""
    with pytest.raises(InvalidRequest) as refused:
        plan({"query": query}, Scope("domain-a"), ParseContext(Limits(), NOW))
    [listed] = re.findall(r"unknown operator 'nope'; supported: ([^)]*)", str(refused.value))
    return set(listed.split(", "))


def stat(stage: Mapping[str, Any]) -> set[str]:
    return supported(plan_stat, {"aggregate": [stage]})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("list", query_pb2.Query),
        ("stat", query_pb2.StatisticsQuery),
        ("analyze", query_pb2.AnalyzeQuery),
        ("stages", query_pb2.StatisticsAggregate),
    ],
)
def test_every_member_of_the_message_is_in_its_table(table: str, message: type[Message]) -> None:
    described = [name for cells in PAGE.rows(table) for name in quoted(cells[0])]

    assert sorted(described) == sorted(message.DESCRIPTOR.fields_by_name)


def test_every_operator_of_an_unwinds_filter_is_named() -> None:
    [row] = [cells for cells in PAGE.rows("stages") if cells[0] == "`unwind`"]
    condition = {"key": "status", "operator": "nope", "value": "x"}

    known = stat({"unwind": {"path": "status", "filter": [condition]}})

    assert set(quoted(row[2])) - {"path", "filter"} == known


def test_every_accumulator_is_in_the_table_with_what_goes_with_it() -> None:
    described = {
        cells[0].strip("`"): tuple(cell == "yes" for cell in cells[1:4])
        for cells in PAGE.rows("accumulators")
    }

    assert described == {
        name: (row.needs_key, row.conditional, row.of_elements)
        for name, row in ACCUMULATORS.items()
    }


def test_every_operator_of_conditions_is_named() -> None:
    paragraph = PAGE.prose.partition("**Conditions**")[2]
    named = quoted(paragraph.partition("`operator` (")[2].partition(")")[0])
    condition = {"key": "status", "operator": "nope", "value": "x"}
    field = {"operator": "count", "name": "n", "conditions": [condition]}

    assert set(named) == stat({"group": {"fields": [field]}})


def test_every_operator_of_a_projection_is_named() -> None:
    field = {"name": "n", "key": "status", "operator": "nope"}

    assert stat({"project": {"fields": [field]}}) <= set(quoted(section("Project")))


def test_every_operator_of_a_select_is_named() -> None:
    fields = {"jobs": {"operator": "count"}}
    known = supported(plan_analyze, {"fields": fields, "select": {"n": {"operator": "nope"}}})

    assert known <= set(quoted(section("Select")))


def test_the_fields_of_minimal_and_the_size_of_a_page_are_named() -> None:
    assert set(MINIMAL) <= set(quoted(section("Which fields")))
    assert f"at most {MAX_PAGE}." in section("Pages")


@pytest.mark.parametrize(("text", "moment"), PAGE.rows("times"))
def test_a_time_is_what_the_table_says(text: str, moment: str) -> None:
    if moment == "refused":
        with pytest.raises(ValueError, match="not a"):
            parse_iso(text.strip("`"))
    else:
        assert iso(parse_iso(text.strip("`"))) == moment


@pytest.mark.parametrize(("text", "moment"), PAGE.rows("relative times"))
def test_a_relative_time_is_what_the_table_says(text: str, moment: str) -> None:
    if moment == "refused":
        with pytest.raises(ValueError, match="not a relative time"):
            parse_relative(text.strip("`"), NOW)
    else:
        assert iso(parse_relative(text.strip("`"), NOW)) == moment
