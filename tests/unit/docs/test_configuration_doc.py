"""The tables of settings, limits and indexes say what the code says."""

from __future__ import annotations

import pytest
import tables

from inventory_job.model.documents import OWN_INDEXES
from tests.support.documents import page

CONFIGURATION = page("docs/configuration.md")


@pytest.mark.parametrize("name", tables.MODELS)
def test_the_page_lists_every_setting_with_its_default(name: str) -> None:
    assert CONFIGURATION.marked(name) == tables.table(tables.MODELS[name])


def test_tables_are_written_between_their_comments() -> None:
    stale = CONFIGURATION.text.replace("| `port` |", "| `harbour` |")

    assert tables.with_tables(stale) == CONFIGURATION.text


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table of limits"):
        tables.with_tables(CONFIGURATION.text.replace("<!-- limits: end -->", ""))


def test_every_index_of_this_server_is_described() -> None:
    described = [cells[0].strip("`") for cells in page("docs/operations.md").rows("indexes")]

    assert described == [index.name for index in OWN_INDEXES]
