"""Turns options of the commands into requests, as proto3 JSON; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from inventory_job.cli.client.filters import Condition
from inventory_job.cli.client.periods import FORMATS, Period

Request = dict[str, Any]

LARGEST_PAGE = 1000
"""The maximum number of rows in a response."""

COUNT = "jobs"
"""The name of the column with the number of jobs."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects jobs that meet all `conditions` and, if there are any, at least one of
    `alternatives`; `keyword` is searched for in ids."""

    conditions: tuple[Condition, ...] = ()
    alternatives: tuple[Condition, ...] = ()
    keyword: str = ""

    def narrowed(self, *conditions: Condition) -> Selection:
        """Those of the jobs that also meet `conditions`."""
        return replace(self, conditions=(*conditions, *self.conditions))

    def query(self) -> Request:
        """The fields of a query that select jobs."""
        members = {
            "filter": list(self.conditions),
            "filter_or": list(self.alternatives),
            "keyword": self.keyword,
        }
        return {name: value for name, value in members.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of at most `limit` rows from row number `start`, counted from 1."""

    start: int
    limit: int

    @classmethod
    def numbered(cls, number: int, size: int) -> Page:
        """The page with this number, counted from 1, when all have `size` rows."""
        return cls((number - 1) * size + 1, size)

    def query(self) -> Request:
        """The paging field of a query."""
        return {"page": {"start": self.start, "limit": self.limit}}


@dataclass(frozen=True, slots=True)
class Column:
    """A computed value of a group: an accumulator and its field, which a count does not have."""

    operator: str
    key: str = ""

    @property
    def name(self) -> str:
        """The column's name in the result."""
        return f"{self.operator}_{self.key.replace('.', '_')}" if self.key else COUNT

    def query(self) -> Request:
        """The column in the form common to stat and analyze, without its name."""
        return {"operator": self.operator} | ({"key": self.key} if self.key else {})


@dataclass(frozen=True, slots=True)
class Grouping:
    """How jobs are grouped into rows: one row, with `columns`, for each period of `time_field` and
    each combination of values of the fields `by`."""

    by: tuple[str, ...]
    columns: tuple[Column, ...]
    per: Period | None = None
    time_field: str = "created_at"

    def names(self) -> list[str]:
        """The names of the result's columns, in display order."""
        period = [self.per.value] if self.per else []
        return [*period, *self.by, *(column.name for column in self.columns)]


def list_request(
    selection: Selection, page: Page, sort: Sequence[Request], only: Sequence[str]
) -> Request:
    """The request for a list of jobs."""
    query = selection.query() | page.query()
    if sort:
        query["sort"] = list(sort)
    if only:
        query["only"] = list(only)
    return {"query": query}


def stat_request(
    selection: Selection, grouping: Grouping, page: Page, sort: Sequence[Request] = ()
) -> Request:
    """The stat request that groups jobs."""
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
    """The stat request for the distinct values of a field."""
    return {"query": {**selection.query(), **page.query(), "distinct": field}}


def analyze_request(
    selection: Selection,
    grouping: Grouping,
    page: Page,
    *,
    fold: Sequence[str] = (),
    sort: Sequence[Request] = (),
) -> Request:
    """The analyze request; `fold` are the fields of `by` to fold into lists."""
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
