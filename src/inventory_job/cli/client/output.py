"""Writes responses to standard output: tables for people; JSON, YAML, CSV, TSV for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console, RenderableType
from rich.text import Text

from inventory_job.cli.client.cells import (
    cell,
    csv_cell,
    encodable,
    escaped,
    visible,
)
from inventory_job.cli.client.tables import table

Row = Mapping[str, Any]

_BOM = "\ufeff"


class Format(StrEnum):
    """The output format."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    CSV_BOM = "csv-bom"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to show: `whole`, and its `rows` with the `columns` to show.

    `note` tells people what the table does not show. `folded` are columns whose text a table shows
    in full, on several lines if need be.
    """

    whole: Any
    rows: Sequence[Row]
    columns: Sequence[str]
    note: str = ""
    folded: tuple[str, ...] = ()


def terminal() -> Console:
    """A console on standard output, without rich's markup and highlighting."""
    return Console(markup=False, highlight=False, emoji=False)


def write(answer: Answer, form: Format) -> None:
    """Writes the answer to standard output. The note of a table that does not go to a terminal
    goes to standard error."""
    console = terminal()
    if form is Format.TABLE and console.is_terminal:
        for part in as_table(answer, console):
            console.print(part)
        return
    encoding = console.encoding
    sys.stdout.write(encodable(_WRITERS[form](answer, encoding), encoding))
    if form is Format.TABLE and answer.note:
        sys.stderr.write(f"{answer.note}\n")


def as_table(answer: Answer, console: Console) -> list[RenderableType]:
    """The rows as a table that fits the console, then notes on what the table does not show."""
    shown, left_out = table(
        answer.columns,
        answer.rows,
        console.width,
        encoding=console.encoding,
        folded=answer.folded,
    )
    parts: list[RenderableType] = [shown]
    if left_out:
        names = encodable(", ".join(left_out), console.encoding)
        parts.append(Text(f"no room for {names}; --output shows them", style="dim"))
    if answer.note:
        parts.append(Text(answer.note, style="dim"))
    return parts


def plain_table(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """A line with the column names and one for each row, with tabs between cells."""
    lines = [[visible(name) for name in columns]]
    lines += [[cell(row.get(name)) for name in columns] for row in rows]
    return "".join("\t".join(line) + "\n" for line in lines)


def arranged(rows: Iterable[Row], first: Sequence[str] = ()) -> tuple[list[str], list[Row]]:
    """The columns of the rows, `first` before the others by name; and the rows in that order of
    columns, as the members of a Struct have no order."""
    found = [*rows]
    present = {name for row in found for name in row}
    leading = [name for name in first if name in present or not found]
    columns = [*leading, *sorted(present.difference(leading))]
    return columns, [{name: _sorted(row[name]) for name in columns if name in row} for row in found]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _escaped(dump: Callable[[bool], str], encoding: str) -> str:
    """What `dump` returns, safe for a terminal; in ASCII (True) if the encoding lacks something."""
    text = dump(False)
    return escaped(text if encodable(text, encoding) == text else dump(True))


def _json(answer: Answer, encoding: str) -> str:
    def dump(is_ascii: bool) -> str:
        return json.dumps(answer.whole, ensure_ascii=is_ascii, indent=2) + "\n"

    return _escaped(dump, encoding)


class _Dumper(yaml.SafeDumper):
    """A YAML dumper that puts text with unsafe characters in double quotes."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if visible(text) != text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml(answer: Answer, encoding: str) -> str:
    def dump(is_ascii: bool) -> str:
        text: str = yaml.dump(
            answer.whole, Dumper=_Dumper, sort_keys=False, allow_unicode=not is_ascii
        )
        return text

    return _escaped(dump, encoding)


def _csv(answer: Answer, _: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(csv_cell(name) for name in answer.columns)
    writer.writerows([csv_cell(row.get(name)) for name in answer.columns] for row in answer.rows)
    return text.getvalue()


def _csv_bom(answer: Answer, encoding: str) -> str:
    """CSV with a byte order mark, if the encoding can represent it."""
    mark = _BOM if encodable(_BOM, encoding) == _BOM else ""
    return mark + _csv(answer, encoding)


_WRITERS = {
    Format.TABLE: lambda answer, _: plain_table(answer.columns, answer.rows),
    Format.JSON: _json,
    Format.YAML: _yaml,
    Format.CSV: _csv,
    Format.CSV_BOM: _csv_bom,
}
