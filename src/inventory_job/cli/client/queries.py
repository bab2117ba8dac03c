"""Options of the commands → requests, as proto3 JSON; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inventory_job.cli.client.filters import Condition
from inventory_job.cli.client.periods import FORMATS, Period

Request = dict[str, Any]

LARGEST_PAGE = 1000
"""The most rows of one answer."""

COUNT = "jobs"
"""What the number of jobs is called in results."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs: those that meet all of `conditions`, and one of `alternatives` if there are
    any; `keyword` is looked for in ids."""

    conditions: tuple[Condition, ...] = ()
    alternatives: tuple[Condition, ...] = ()
    keyword: str = ""

    def query(self) -> Request:
        """The members of a query that select."""
        members = {
            "filter": list(self.conditions),
            "filter_or": list(self.alternatives),
            "keyword": self.keyword,
        }
        return {name: value for name, value in members.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """The page `number`, from 1, of `size` rows."""

    number: int
    size: int

    @property
    def start(self) -> int:
        """The number of its first row, from 1."""
        return (self.number - 1) * self.size + 1

    def query(self) -> Request:
        """The member of a query that pages."""
        return {"page": {"start": self.start, "limit": self.size}}


@dataclass(frozen=True, slots=True)
class Column:
    """A computed value of a group: an accumulator, and the field it is of unless it counts."""

    operator: str
    key: str = ""

    @property
    def name(self) -> str:
        """What it is called in the result."""
        return f"{self.operator}_{self.key.replace('.', '_')}" if self.key else COUNT

    def query(self) -> Request:
        """It, as both stat and analyze take it but for the name."""
        return {"operator": self.operator} | ({"key": self.key} if self.key else {})


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rows are made of: one for each period of `time_field` and each set of values of the
    fields `by`, holding `columns`."""

    by: tuple[str, ...]
    columns: tuple[Column, ...]
    per: Period | None = None
    time_field: str = "created_at"

    def names(self) -> list[str]:
        """The columns of the result, in the order in which they are shown."""
        period = [self.per.value] if self.per else []
        return [*period, *self.by, *(column.name for column in self.columns)]


def list_request(
    selection: Selection, page: Page, sort: Sequence[Request], only: Sequence[str]
) -> Request:
    """The request of a list."""
    query = selection.query() | page.query()
    if sort:
        query["sort"] = list(sort)
    if only:
        query["only"] = list(only)
    return {"query": query}


def stat_request(
    selection: Selection, grouping: Grouping, page: Page, sort: Sequence[Request] = ()
) -> Request:
    """The request of a stat that groups."""
    keys: list[Request] = [{"key": key, "name": key} for key in grouping.by]
    if grouping.per:
        period = {"key": grouping.time_field, "name": grouping.per.value}
        keys.insert(0, period | {"date_format": FORMATS[grouping.per]})
    fields = [{"name": column.name, **column.query()} for column in grouping.columns]
    stages: list[Request] = [{"group": {"keys": keys, "fields": fields}}]
    if sort:
        stages.append({"sort": list(sort)})
    return {"query": {**selection.query(), **page.query(), "aggregate": stages}}


def distinct_request(selection: Selection, field: str, page: Page) -> Request:
    """The request of a stat for the values of a field."""
    return {"query": {**selection.query(), **page.query(), "distinct": field}}


def analyze_request(
    selection: Selection,
    grouping: Grouping,
    page: Page,
    *,
    fold: Sequence[str] = (),
    sort: Sequence[Request] = (),
) -> Request:
    """The request of an analyze; `fold` are the fields of `by` to fold into lists."""
    query = {
        **selection.query(),
        **page.query(),
        "group_by": list(grouping.by),
        "fields": {column.name: column.query() for column in grouping.columns},
    }
    if fold:
        query["field_group"] = list(fold)
    if sort:
        query["sort"] = list(sort)
    return {"query": query}


def job_request(job_id: str) -> Request:
    """The request of a get or a delete."""
    return {"job_id": job_id}


def running_request(
    selection: Selection, sort: Sequence[Request], start: int, most: int
) -> Request:
    """The request of a list of running jobs: `most` of them from number `start`, from 0."""
    running: Condition = {"key": "status", "value": "IN_PROGRESS", "operator": "eq"}
    chosen = Selection((running, *selection.conditions), selection.alternatives, selection.keyword)
    page = {"page": {"start": start + 1, "limit": most}}
    return {"query": chosen.query() | page | {"sort": list(sort)}}
