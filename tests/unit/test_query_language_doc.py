"""The tables about the query language say what the code says."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from pydantic import BaseModel

from inventory_job.query.accumulators import ACCUMULATORS
from inventory_job.query.analyses import AnalyzeQuery
from inventory_job.query.conditions import COMPARISONS, MAX_PAGE
from inventory_job.query.expressions import ARITHMETIC, OF_ONE_LIST
from inventory_job.query.fields import MINIMAL
from inventory_job.query.operators import UNWIND_OPERATORS
from inventory_job.query.schema import ListQuery, StatQuery
from inventory_job.query.stages import PROJECTIONS, Stage
from inventory_job.query.times import parse_iso, parse_relative
from inventory_job.wire.values import iso
from tests.documents import page

PAGE = page("docs/query-language.md")
NOW = datetime(2024, 3, 6, 15, 30, 45)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def section(heading: str) -> str:
    """The prose under a heading, up to the next one."""
    return re.split(r"^#+ ", PAGE.prose.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("table", "model"), [("list", ListQuery), ("stat", StatQuery), ("analyze", AnalyzeQuery)]
)
def test_every_member_of_a_query_is_in_its_table(table: str, model: type[BaseModel]) -> None:
    described = [name for cells in PAGE.rows(table) for name in quoted(cells[0])]

    assert sorted(described) == sorted(model.model_fields)


def test_every_stage_is_in_the_table() -> None:
    described = [cells[0].strip("`") for cells in PAGE.rows("stages")]

    assert sorted(described) == sorted(Stage.model_fields)


def test_every_operator_of_an_unwinds_filter_is_named() -> None:
    [row] = [cells for cells in PAGE.rows("stages") if cells[0] == "`unwind`"]

    assert set(quoted(row[2])) - {"path", "filter"} == set(UNWIND_OPERATORS)


def test_every_accumulator_is_in_the_table_with_what_goes_with_it() -> None:
    described = {
        cells[0].strip("`"): tuple(cell == "yes" for cell in cells[1:4])
        for cells in PAGE.rows("accumulators")
    }

    assert described == {
        name: (row.needs_key, row.conditional, row.of_elements)
        for name, row in ACCUMULATORS.items()
    }


def test_the_operators_of_conditions_projections_and_selects_are_named() -> None:
    [conditions] = re.findall(
        r"\*\*Conditions\*\*.*?`operator`\s\(([^)]*)\)", PAGE.prose, re.DOTALL
    )

    assert quoted(conditions) == list(COMPARISONS)
    assert set(PROJECTIONS) <= set(quoted(section("Project")))
    assert {*OF_ONE_LIST, *ARITHMETIC} <= set(quoted(section("Select")))


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
