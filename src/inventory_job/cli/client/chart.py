"""`inventory-job chart`: jobs by period, stacked, as bars in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer
from rich.columns import Columns
from rich.console import Console
from rich.text import Text

from inventory_job.cli.client import completion, options
from inventory_job.cli.client.bars import Counts, counted, segments
from inventory_job.cli.client.calls import CallFailed, ExitCode, JobClient
from inventory_job.cli.client.cells import cell, encodable, visible
from inventory_job.cli.client.output import Answer, Format, terminal, write
from inventory_job.cli.client.periods import Period, iso, labels, now, parse_time, start_of
from inventory_job.cli.client.queries import (
    COUNT,
    LARGEST_PAGE,
    Column,
    Grouping,
    Page,
    Selection,
    stat_request,
)
from inventory_job.cli.client.session import connected, warn

_MOST_PERIODS = 1000
_MOST_PAGES = 20
_NULL = "(none)"
# Okabe and Ito's colours, which colour-blind readers can distinguish, and a filling for each,
# for terminals without colours.
_COLOURS = ("#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#e69f00", "#0072b2", "#f0e442", "#999999")
_FILLINGS = "█▓▒░▚▞▤▨"
_PLAIN_FILLINGS = "#=+-x%o."
_STATUS_INDEXES: Mapping[str, int] = {
    "SUCCESS": 0,
    "FAILURE": 1,
    "IN_PROGRESS": 2,
    "CANCELED": 3,
}
_SHORTEST_BAR = 10


@connected
def chart(
    client: JobClient,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    by: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=completion.fields, help="What bars are made of."
        ),
    ] = "status",
    per: Annotated[Period, typer.Option(help="What a bar stands for, in UTC.")] = Period.DAY,
    since: Annotated[
        str, typer.Option(help="Where to begin: 30d ago, now/m-1w, 2026-03-04.")
    ] = "30d",
    until: Annotated[
        str, typer.Option(help="Where to end, likewise; what is then is not shown.")
    ] = "now",
    on: Annotated[str, typer.Option(metavar="NAME", help="The date of a job.")] = "created_at",
    output: options.Output = Format.TABLE,
) -> None:
    """Draw how many jobs there were, by period; print the numbers when not on a terminal."""
    selected = options.selection(filters, any_filters, keyword)
    start, end = _span(since, until)
    start = start_of(per, start)
    periods = _periods(per, start, end)
    narrowed = selected.narrowed({"key": on, "value": iso(start), "operator": "datetime_gte"})
    if until.strip() != "now":  # else jobs dated later are shown as well
        narrowed = narrowed.narrowed({"key": on, "value": iso(end), "operator": "datetime_lt"})
    grouping = Grouping((by,), (Column("count"),), per, on)
    counts = _ordered(counted(periods, _found(client, narrowed, grouping)))
    warn("stat", stat_request(narrowed, grouping, Page(1, LARGEST_PAGE)))
    console = terminal()
    if output is Format.TABLE and console.is_terminal:
        draw(counts, f"jobs per {per} by {by}, UTC", console)
    else:
        write(numbers(counts, per), output)


def draw(counts: Counts, title: str, console: Console) -> None:
    """Prints the counts as bars that fill the console's width, below a title and a legend."""
    fillings = _PLAIN_FILLINGS if console.options.ascii_only else _FILLINGS
    indexes = _indexes_of(counts.series)
    console.print(Text(encodable(visible(title), console.encoding), style="bold"))
    names = [
        Text.assemble(
            (fillings[indexes[name]] * 2, _COLOURS[indexes[name]]),
            f" {encodable(visible(name), console.encoding)} {counts.total(name)}",
        )
        for name in counts.series
    ]
    console.print(Columns(names, padding=(0, 2)))
    largest = counts.largest()
    label_width = max(map(len, counts.periods), default=0)
    width = max(console.width - label_width - len(str(largest)) - 3, _SHORTEST_BAR)
    for period in counts.periods:
        row = counts.row(period)
        line = Text(f"{period:<{label_width}} ", no_wrap=True)
        for name, cells in zip(counts.series, segments(row, largest, width), strict=True):
            line.append(fillings[indexes[name]] * cells, style=_COLOURS[indexes[name]])
        line.append(f"{' ' if any(row) else ''}{sum(row)}", style="dim")
        console.print(line)


def numbers(counts: Counts, per: Period) -> Answer:
    """The counts as an answer with a row for each period."""
    columns = [per.value, *counts.series]
    rows = [
        dict(zip(columns, [period, *counts.row(period)], strict=True)) for period in counts.periods
    ]
    return Answer({"results": rows}, rows, columns)


def _indexes_of(series: Sequence[str]) -> dict[str, int]:
    """The index of each series' colour and filling; statuses have fixed ones."""
    own = {name: _STATUS_INDEXES[name] for name in series if name in _STATUS_INDEXES}
    free = iter(sorted({*range(len(_COLOURS))} - {*own.values()}))
    return {name: own[name] if name in own else next(free) for name in series}


def _ordered(counts: Counts) -> Counts:
    """The counts with statuses in a fixed order, not sorted by number."""
    indexes = _indexes_of(counts.series)
    return replace(counts, series=sorted(counts.series, key=lambda name: indexes[name]))


def _span(since: str, until: str) -> tuple[datetime, datetime]:
    time = now()
    ends: list[datetime] = []
    for option, text in (("--since", since), ("--until", until)):
        try:
            ends.append(parse_time(text, time))
        except ValueError as error:
            raise typer.BadParameter(f"{text!r}: {error}", param_hint=option) from error
    start, end = ends
    if start >= end:
        raise typer.BadParameter("it is before --since", param_hint="--until")
    return start, end


def _periods(per: Period, start: datetime, end: datetime) -> list[str]:
    found = [*islice(labels(per, start, end), _MOST_PERIODS + 1)]
    if len(found) > _MOST_PERIODS:
        reason = f"more than {_MOST_PERIODS} rows; take a longer period"
        raise typer.BadParameter(reason, param_hint="--per")
    return found


def _found(
    client: JobClient, selected: Selection, grouping: Grouping
) -> Iterator[tuple[str, str, int]]:
    """Yields period, series and number of each row; raises CallFailed for too many rows."""
    [series] = grouping.by
    for number in range(1, _MOST_PAGES + 1):
        request = stat_request(selected, grouping, Page.numbered(number, LARGEST_PAGE))
        answer = client.call("stat", request)
        rows = answer.get("results", [])
        for row in rows:
            period, name = (
                _NULL if row.get(key) is None else cell(row[key])
                for key in (grouping.names()[0], series)
            )
            yield period, name, int(row[COUNT])
        if number * LARGEST_PAGE >= answer.get("total_count", 0):
            return
    reason = f"{series} has too many values for a chart; filter, or take a longer period"
    raise CallFailed(ExitCode.FAILED, reason)
