"""The tables about the command line say what it does."""

from __future__ import annotations

import re

import pytest

from inventory_job.cli.client.calls import ExitCode
from inventory_job.cli.client.filters import SYMBOLS, parse_filter
from inventory_job.cli.main import ENTRIES
from tests.support.documents import page

PAGE = page("docs/command-line.md")
FILTERS = [
    (text.strip("`").replace("\\|", "|"), operator.strip("`"))
    for text, operator, _ in PAGE.rows("filters")
]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_command_is_in_the_table() -> None:
    described = {
        name.removeprefix("inventory-job ").split()[0]
        for cells in PAGE.rows("commands")
        for name in quoted(cells[0])
    }

    assert described == {entry.name for entry in ENTRIES}


@pytest.mark.parametrize(("text", "operator"), FILTERS)
def test_a_filter_means_the_condition_that_the_table_says(text: str, operator: str) -> None:
    assert parse_filter(text)["operator"] == operator


def test_every_symbol_is_in_the_table() -> None:
    used = {found[1] for text, _ in FILTERS if (found := re.match(r"\w+([=!~<>]+)", text))}
    named = {symbol for *_, meaning in PAGE.rows("filters") for symbol in quoted(meaning)}

    assert SYMBOLS.keys() <= used | named


def test_every_exit_status_is_in_the_table() -> None:
    assert [int(cells[0]) for cells in PAGE.rows("exit")] == [code.value for code in ExitCode]


def test_every_option_of_a_connection_has_the_variable_that_the_table_says() -> None:
    [entry] = [entry for entry in ENTRIES if entry.name == "get"]
    variables = {option: each.envvar or "" for each in entry.load().params for option in each.opts}
    described = {
        option
        for options, named, _ in PAGE.rows("options")
        for option in quoted(options)
        if {variables[given] for given in quoted(options)} - {""} == set(quoted(named))
    }

    assert described == {
        option for options, *_ in PAGE.rows("options") for option in quoted(options)
    }
    assert {option for option, variable in variables.items() if variable} <= described
