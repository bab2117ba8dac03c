"""Models of the requests, and plans: compiled queries, each with a filter that contains the scope.

Every `plan_*` takes a decoded request (plain dictionaries that hold only the fields that the caller
set) and the caller's scope. It raises InvalidRequest with every problem of the request
(docs/query-language.md), or PermissionDenied for a refused lookup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, StrictStr, ValidationError

from inventory_job.auth.scope import Scope
from inventory_job.errors import InvalidRequest
from inventory_job.query.analyze import AnalyzeQuery, compile_analyze
from inventory_job.query.fields import FIELDS
from inventory_job.query.filters import Page, ScopedFilter, compile_filter
from inventory_job.query.limits import check_size
from inventory_job.query.lists import NEWEST_FIRST, ListQuery
from inventory_job.query.names import ParseContext, Strict
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, problems_of
from inventory_job.query.stages import StatQuery, compile_stages

_Request = TypeVar("_Request", bound=Strict)


def _status(value: Any) -> str:
    # proto3 enums are open: a number without a name is decoded as that number.
    if not isinstance(value, str):
        raise fault(f"there is no status with the number {value}")
    return value


class ListRequest(Strict):
    """JobsQuery."""

    query: ListQuery = ListQuery()
    job_id: StrictStr = ""
    status: Annotated[str, PlainValidator(_status)] = ""
    collector_id: StrictStr = ""
    plugin_id: StrictStr = ""
    workspace_id: StrictStr = ""


class JobRequest(Strict):
    """JobRequest: the id of one job."""

    job_id: StrictStr


class StatRequest(Strict):
    """JobStatQuery."""

    query: StatQuery


class AnalyzeRequest(Strict):
    """JobAnalyzeQuery."""

    query: AnalyzeQuery


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One job by id, within a scope."""

    jobs: ScopedFilter
    job_id: str


@dataclass(frozen=True, slots=True)
class ListPlan:
    """A page of the jobs that match, and their total number.

    `order` maps paths to 1 or -1; `fields` are the JobInfo fields to return; `computed` are the
    stages, between filter and sort, that compute sort keys which are not stored.
    """

    jobs: ScopedFilter
    order: Document
    fields: tuple[str, ...]
    page: Page
    count_only: bool = False
    computed: tuple[Document, ...] = ()

    @property
    def is_newest_first(self) -> bool:
        """Whether the order is the default of a list without a sort."""
        return [*self.order.items()] == [*NEWEST_FIRST.items()]


@dataclass(frozen=True, slots=True)
class DistinctPlan:
    """A page of the distinct values at one path, and their number; the call fails above `limit`."""

    jobs: ScopedFilter
    path: str
    page: Page
    limit: int


@dataclass(frozen=True, slots=True)
class RowsPlan:
    """A page of the rows of a pipeline."""

    jobs: ScopedFilter
    stages: tuple[Document, ...]
    page: Page


Plan = JobPlan | ListPlan | DistinctPlan | RowsPlan


def plan_job(request: Mapping[str, Any], scope: Scope, context: ParseContext) -> JobPlan:
    """The plan of a get or delete."""
    job_id = _parse(JobRequest, request, context).job_id
    return JobPlan(ScopedFilter(scope, ({"job_id": job_id},)), job_id)


def plan_list(request: Mapping[str, Any], scope: Scope, context: ParseContext) -> ListPlan:
    """The plan of a list; the fields of the request beside `query` become equality conditions."""
    parsed = _parse(ListRequest, request, context)
    query, unwound = parsed.query, parsed.query.unwound()
    direct = {name: value for name, value in parsed if name != "query" and value}
    jobs = compile_filter(query, scope, direct, {"query.unwind.filter": unwound})
    jobs = replace(jobs, conditions=(*jobs.conditions, *unwound))
    order, fields, computed = query.order(), query.shown(), query.computed(scope)
    return ListPlan(jobs, order, fields, query.page, query.count_only, computed)


def plan_stat(
    request: Mapping[str, Any], scope: Scope, context: ParseContext
) -> RowsPlan | DistinctPlan:
    """The plan of a stat."""
    query = _parse(StatRequest, request, context).query
    stages = compile_stages(query.aggregate)
    jobs = compile_filter(query, scope, {}, {"query.aggregate": stages})
    if query.aggregate:
        return RowsPlan(jobs, tuple(stages), query.page)
    name = query.distinct or ""
    path = FIELDS[name].path if name in FIELDS else name
    return DistinctPlan(jobs, path, query.page, context.limits.distinct_values)


def plan_analyze(request: Mapping[str, Any], scope: Scope, context: ParseContext) -> RowsPlan:
    """The plan of an analyze."""
    query = _parse(AnalyzeRequest, request, context).query
    stages = compile_analyze(query, scope)
    jobs = compile_filter(query, scope, {}, {"query.unwind.filter": stages})
    return RowsPlan(jobs, tuple(stages), query.page)


def _parse(model: type[_Request], request: Mapping[str, Any], context: ParseContext) -> _Request:
    check_size(request, context.limits)
    try:
        return model.model_validate(request, context=context)
    except ValidationError as error:
        problems = problems_of(error)
    raise InvalidRequest(problems)
