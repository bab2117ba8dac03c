"""Rows as tables no wider than a terminal: shortens timestamps and long text, and drops the last
columns. Ids stay whole, on one line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from inventory_job.cli.client.cells import encodable, short_cell, visible

STATUS_STYLES: Mapping[str, str] = {
    "SUCCESS": "green",
    "FAILURE": "bold red",
    "IN_PROGRESS": "cyan",
    "CANCELED": "yellow",
}

_LONGEST_WORD = 22
"""Text longer than this may be shortened, or wrapped if it is a list."""

_NARROWEST = 12
"""The minimum width of a column with such text."""

_LONGEST_ID = 40
_BETWEEN = 2
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}):\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    title: str
    texts: Sequence[str]
    is_number: bool
    folds: bool
    """Whether text is wrapped rather than shortened."""

    @property
    def longest(self) -> int:
        return max(map(cell_len, [self.title, *self.texts]))

    def to_the_minute(self) -> _Column:
        return replace(self, texts=[_TIME.sub(r"\1", text) for text in self.texts])


def table(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    width: int,
    *,
    encoding: str = "utf-8",
    folded: Collection[str] = (),
) -> tuple[Table, list[str]]:
    """The rows as a table for a terminal of `width` characters and this encoding, and the names of
    the columns that do not fit. Wraps long text in the columns `folded`, and long lists in
    every column."""
    made = [_column(name, rows, encoding, name in folded) for name in columns]
    if _total([column.longest for column in made]) > width:
        made = [column.to_the_minute() for column in made]
    while len(made) > 1 and _total(_least(made)) > width:
        made.pop()
    shown = bare_table()
    for column, column_width in zip(made, _widths(made, width), strict=True):
        shown.add_column(
            Text(column.title),
            justify="right" if column.is_number else "left",
            overflow="fold" if column.folds else overflow(encoding),
            no_wrap=not column.folds or column.longest <= column_width,
            width=column_width,
        )
    for index, row in enumerate(rows):
        shown.add_row(*(Text(c.texts[index], style=_style(row.get(c.name))) for c in made))
    return shown, [visible(name) for name in columns[len(made) :]]


def bare_table() -> Table:
    """An empty table with a line below its head and two blanks between columns."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def one_line(*parts: str | tuple[str, str], encoding: str) -> Text:
    """A line of these parts, with their styles, that is shortened to the terminal's width."""
    return Text.assemble(*parts, no_wrap=True, overflow=overflow(encoding))


def overflow(encoding: str) -> Any:
    """The `overflow` that rich needs for long text: an ellipsis, if the encoding has one."""
    return "ellipsis" if encodable("…", encoding) == "…" else "crop"


def _column(name: str, rows: Sequence[Mapping[str, Any]], encoding: str, folds: bool) -> _Column:
    values = [row.get(name) for row in rows]
    present = [value for value in values if value is not None]
    return _Column(
        name,
        encodable(visible(name), encoding),
        [encodable(short_cell(value), encoding) for value in values],
        is_number=bool(present) and all(map(_is_number, present)),
        folds=folds or any(isinstance(value, list | dict) for value in present),
    )


def _least(columns: Sequence[_Column]) -> list[int]:
    """The minimum width of each column; the first, usually an id, is not shortened."""
    first, *others = (column.longest for column in columns)
    return [
        min(first, _LONGEST_ID),
        *(length if length <= _LONGEST_WORD else _NARROWEST for length in others),
    ]


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """The width of each column, together at most `width`. Columns that need more than their
    minimum share the remaining width, smallest need first."""
    if not columns:
        return []
    found = _least(columns)
    spare = max(width - _total(found), 0)
    wanting = sorted(range(len(columns)), key=lambda index: columns[index].longest - found[index])
    for position, index in enumerate(wanting):
        more = min(columns[index].longest - found[index], spare // (len(wanting) - position))
        found[index] += more
        spare -= more
    return [min(each, width) for each in found]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _BETWEEN * max(len(widths) - 1, 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _style(value: Any) -> str:
    return STATUS_STYLES.get(value, "") if isinstance(value, str) else ""
