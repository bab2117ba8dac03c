"""The table of differences speaks of nothing that no test holds."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import ROOT, page

NUMBERS = [cells[0] for cells in page("docs/differences.md").rows("differences")]
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))


def test_the_table_has_rows() -> None:
    assert len(NUMBERS) == len(set(NUMBERS)) > 20


@pytest.mark.parametrize("number", NUMBERS)
def test_each_difference_is_held_by_a_test_of_its_number(number: str) -> None:
    assert re.search(rf"^def test_{number.lower()}_", TESTS, re.MULTILINE)


def test_each_numbered_test_is_a_row_of_the_table() -> None:
    tested = {
        number.upper() for number in re.findall(r"^def test_([swc]\d+)_", TESTS, re.MULTILINE)
    }

    assert tested == set(NUMBERS)
