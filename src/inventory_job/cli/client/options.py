"""The options that several commands share, and their conversion to requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from inventory_job.cli.client import completion
from inventory_job.cli.client.filters import InvalidFilter, parse_filter, parse_names, parse_sort
from inventory_job.cli.client.output import Format
from inventory_job.cli.client.queries import LARGEST_PAGE, Request, Selection

Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        "-f",
        metavar="FILTER",
        autocompletion=completion.filters,
        help="Jobs must meet this; may be repeated. status=FAILURE, status=FAILURE,CANCELED, "
        "'status!=SUCCESS', 'created_at>=now-7d', plugin_id~aws (contains), '!~' (does not), "
        "'=~' (regular expression), finished_at=null, FIELD and '!FIELD' (exists or not).",
    ),
]
AnyFilters = Annotated[
    list[str] | None,
    typer.Option(
        "--any",
        metavar="FILTER",
        autocompletion=completion.filters,
        help="Jobs must meet one of these; may be repeated.",
    ),
]
Keyword = Annotated[str, typer.Option("--keyword", "-k", help="Text within the job's id.")]
Sort = Annotated[
    list[str] | None,
    typer.Option(
        "--sort",
        "-s",
        metavar="NAMES",
        autocompletion=completion.sort_keys,
        help="What to sort by, most significant first; '-' is descending: -created_at,status.",
    ),
]
PageNumber = Annotated[int, typer.Option("--page", min=1, help="Page to show, from 1.")]
PageSize = Annotated[int, typer.Option("--page-size", min=1, max=LARGEST_PAGE, help="Its rows.")]
Interval = Annotated[
    float, typer.Option("--interval", "-n", min=0.5, help="Seconds from one look to the next.")
]
Output = Annotated[
    Format,
    typer.Option(
        "--output",
        "-o",
        help="How the answer is written; csv-bom is CSV with the mark by which Excel knows UTF-8.",
    ),
]


def selection(
    filters: Sequence[str] | None, any_filters: Sequence[str] | None, keyword: str
) -> Selection:
    """The jobs that these options select; raises typer.BadParameter."""
    with _blamed_on("--filter"):
        conditions = tuple(map(parse_filter, filters or ()))
    with _blamed_on("--any"):
        alternatives = tuple(map(parse_filter, any_filters or ()))
    return Selection(conditions, alternatives, keyword)


def sorting(sort: Sequence[str] | None) -> list[Request]:
    """The sort keys that these options give; raises typer.BadParameter."""
    with _blamed_on("--sort"):
        return [key for text in sort or () for key in parse_sort(text)]


def names(option: str, texts: Sequence[str] | None) -> tuple[str, ...]:
    """The names in the lists that `option` was given; raises typer.BadParameter."""
    with _blamed_on(option):
        return tuple(dict.fromkeys(name for text in texts or () for name in parse_names(text)))


@contextmanager
def _blamed_on(option: str) -> Iterator[None]:
    try:
        yield
    except InvalidFilter as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
