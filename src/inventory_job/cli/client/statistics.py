"""`inventory-job stat` and `analyze`: aggregated rows of many jobs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from inventory_job.cli.client import completion, options
from inventory_job.cli.client.calls import CallFailed, ExitCode, JobClient, Plain
from inventory_job.cli.client.output import Answer, Format, arranged, write
from inventory_job.cli.client.periods import Period
from inventory_job.cli.client.queries import (
    Column,
    Grouping,
    Page,
    analyze_request,
    distinct_request,
    stat_request,
)
from inventory_job.cli.client.session import connected, warn
from inventory_job.cli.paths import expanded

_FIRST_PAGE = Page(1, 100)
_NUMBER = (Column("count"),)
"""What is computed of jobs when no column is asked for."""

By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAMES",
        autocompletion=completion.fields,
        help="A row for each set of values of these fields: plugin_id,status.",
    ),
]
Count = Annotated[bool, typer.Option("--count", help="Count jobs; so it is when nothing else is.")]
QueryFile = Annotated[
    Path | None,
    typer.Option(
        "--query",
        metavar="FILE",
        callback=expanded,
        help="The whole query as JSON or YAML instead of other options; '-' is standard input.",
    ),
]


def _fields(does: str) -> Any:
    return typer.Option(
        metavar="NAMES", autocompletion=completion.fields, help=f"{does} of these fields."
    )


Sum = Annotated[list[str] | None, _fields("Sum")]
Average = Annotated[list[str] | None, _fields("Average")]
Least = Annotated[list[str] | None, _fields("Least")]
Most = Annotated[list[str] | None, _fields("Greatest")]


@connected
def stat(
    client: JobClient,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    by: By = None,
    per: Annotated[Period | None, typer.Option(help="A row for each period, in UTC.")] = None,
    on: Annotated[
        str, typer.Option(metavar="NAME", help="The date that --per is about.")
    ] = "created_at",
    count: Count = False,
    sum: Sum = None,  # noqa: A002 - the name of the option
    average: Average = None,
    min: Least = None,  # noqa: A002
    max: Most = None,  # noqa: A002
    distinct: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", autocompletion=completion.fields, help="The values of a field instead."
        ),
    ] = None,
    sort: options.Sort = None,
    page: options.PageNumber = 1,
    page_size: options.PageSize = _FIRST_PAGE.limit,
    query: QueryFile = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Count jobs and add up their numbers, by fields and periods."""
    selected = options.selection(filters, any_filters, keyword)
    columns = _columns(count=count, sum=sum, average=average, min=min, max=max)
    grouping = Grouping(options.names("--by", by), columns or _NUMBER, per, on)
    shown = Page.numbered(page, page_size)
    first: list[str] = []
    if query is not None:
        given = (filters, any_filters, keyword, by, per, sort, distinct, shown != _FIRST_PAGE)
        request = _whole_query(query, given, columns)
    elif distinct is not None:
        if by or per or columns or sort:
            raise typer.BadParameter("it goes with filters and pages only", param_hint="--distinct")
        request, first = distinct_request(selected, distinct, shown), [distinct]
    else:
        request = stat_request(selected, grouping, shown, options.sorting(sort))
        first = grouping.names()
    answer = client.call("stat", request)
    warn("stat", request)
    total = int(answer.get("total_count", 0))
    _write(answer, first, output, _note(answer, total))


@connected
def analyze(
    client: JobClient,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    by: By = None,
    count: Count = False,
    sum: Sum = None,  # noqa: A002 - the name of the option
    average: Average = None,
    min: Least = None,  # noqa: A002
    max: Most = None,  # noqa: A002
    fold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            autocompletion=completion.fields,
            help="Fold these fields of --by into lists, with totals.",
        ),
    ] = None,
    sort: options.Sort = None,
    page: options.PageNumber = 1,
    page_size: options.PageSize = _FIRST_PAGE.limit,
    query: QueryFile = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Count jobs and add up their numbers, by fields, folded if need be."""
    selected = options.selection(filters, any_filters, keyword)
    columns = _columns(count=count, sum=sum, average=average, min=min, max=max)
    grouping = Grouping(options.names("--by", by), columns or _NUMBER)
    shown = Page.numbered(page, page_size)
    first: list[str] = []
    if query is not None:
        given = (filters, any_filters, keyword, by, fold, sort, shown != _FIRST_PAGE)
        request = _whole_query(query, given, columns)
    else:
        request = analyze_request(
            selected,
            grouping,
            shown,
            fold=options.names("--fold", fold),
            sort=options.sorting(sort),
        )
        first = grouping.names()
    answer = client.call("analyze", request)
    warn("analyze", request)
    _write(answer, first, output, "more rows follow" if answer.get("more") else "")


def _columns(*, count: bool, **fields: list[str] | None) -> tuple[Column, ...]:
    counted = _NUMBER if count else ()
    computed = (
        Column(operator, key)
        for operator, keys in fields.items()
        for key in options.names(f"--{operator}", keys)
    )
    return (*counted, *computed)


def _write(answer: Plain, first: list[str], output: Format, note: str) -> None:
    results: list[Any] = answer.get("results", [])
    if all(isinstance(row, dict) for row in results):
        columns, rows = arranged(results, first)
        results = [*rows]
    else:  # of a distinct query
        columns = first or ["value"]
        rows = [{columns[0]: value} for value in results]
    rest = {name: value for name, value in sorted(answer.items()) if name != "results"}
    write(Answer({"results": results, **rest}, rows, columns, note), output)


def _note(answer: Plain, total: int) -> str:
    count = len(answer.get("results", []))
    return f"{count} of {total} rows; --page and --page-size show others" if count < total else ""


class _Loader(yaml.SafeLoader):
    """A YAML loader that keeps dates as text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # YAML includes most JSON, but not tabs.
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader


def _whole_query(file: Path, given: tuple[object, ...], columns: tuple[Column, ...]) -> Plain:
    """The request with the query in `file`. Raises CallFailed, and typer.BadParameter if options
    that would build a query are given as well."""
    if any(given) or columns:
        raise typer.BadParameter(
            "it is the whole query, without other options", param_hint="--query"
        )
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        query = _parsed(text)
    except OSError as error:
        raise CallFailed(ExitCode.USAGE, f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CallFailed(ExitCode.USAGE, f"{file} is neither JSON nor YAML: {error}") from error
    if not isinstance(query, dict) or not all(isinstance(name, str) for name in query):
        raise CallFailed(ExitCode.USAGE, f"{file} holds no query: a query is a dictionary")
    return query if "query" in query else {"query": query}
