"""The requests, as frozen, checked values, and the plans that they become: compiled queries, each
inside a scope by construction.

Every `plan_*` takes a decoded request (plain dictionaries, only what the caller gave), and raises
InvalidRequest with every problem found (docs/query-language.md), or PermissionDenied for a lookup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, StrictStr, ValidationError

from inventory_job.auth.scope import Scope
from inventory_job.errors import Code, InvalidRequest, PermissionDenied
from inventory_job.query.analyze import AnalyzeQuery, compile_analyze
from inventory_job.query.conditions import Page
from inventory_job.query.fields import FIELDS
from inventory_job.query.filters import ScopedFilter, compile_filter, patterns_in
from inventory_job.query.limits import check_size
from inventory_job.query.lists import (
    NEWEST_FIRST,
    ListQuery,
    conditions_of_unwind,
    fields_of,
    order_of,
    stages_of,
)
from inventory_job.query.names import ParseContext, Strict
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, problems_of
from inventory_job.query.stages import StatQuery, compile_stages

_Request = TypeVar("_Request", bound=Strict)

_FEW_PATTERNS = 20
"""As many patterns as this are no matter, on however many jobs."""


def _status(value: Any) -> str:
    # Enums are open on the wire: a number without a name arrives as that number.
    if not isinstance(value, str):
        raise fault(f"there is no status with the number {value}")
    return value


class ListRequest(Strict):
    """JobsQuery."""

    query: ListQuery = ListQuery()
    job_id: StrictStr = ""
    status: Annotated[str, PlainValidator(_status)] = ""
    workspace_id: StrictStr = ""
    collector_id: StrictStr = ""
    plugin_id: StrictStr = ""


class JobRequest(Strict):
    """JobRequest: which job."""

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
    """A page of jobs and how many there are in all.

    `order` maps stored paths to 1 or -1; `fields` are the JobInfo fields to show; `computed` are
    stages between filter and sort, for sort keys that are not stored.
    """

    jobs: ScopedFilter
    order: Document
    fields: tuple[str, ...]
    page: Page
    count_only: bool = False
    computed: tuple[Document, ...] = ()

    @property
    def is_newest_first(self) -> bool:
        """Whether the order is that of a list that names none."""
        return [*self.order.items()] == [*NEWEST_FIRST.items()]


@dataclass(frozen=True, slots=True)
class DistinctPlan:
    """A page of the values of one path, and how many there are; at most `limit` in all."""

    jobs: ScopedFilter
    path: str
    page: Page
    limit: int


@dataclass(frozen=True, slots=True)
class StatPlan:
    """A page of the rows of a pipeline, and how many there are."""

    jobs: ScopedFilter
    stages: tuple[Document, ...]
    page: Page


@dataclass(frozen=True, slots=True)
class AnalyzePlan:
    """A page of the rows of a pipeline, and whether more follow."""

    jobs: ScopedFilter
    stages: tuple[Document, ...]
    page: Page


Plan = JobPlan | ListPlan | DistinctPlan | StatPlan | AnalyzePlan


def plan_job(request: Mapping[str, Any], scope: Scope, context: ParseContext) -> JobPlan:
    """The plan of a get or delete."""
    job_id = _parse(JobRequest, request, context).job_id
    return JobPlan(ScopedFilter(scope, ({"job_id": job_id},)), job_id)


def plan_list(request: Mapping[str, Any], scope: Scope, context: ParseContext) -> ListPlan:
    """The plan of a list; direct parameters are conditions like any other."""
    parsed = _parse(ListRequest, request, context)
    query = parsed.query
    direct = [
        (name, value)
        for name in ("job_id", "status", "collector_id", "plugin_id", "workspace_id")
        if (value := getattr(parsed, name))
    ]
    jobs = compile_filter(query, scope, direct)
    if unwound := conditions_of_unwind(query):
        jobs = replace(
            jobs,
            conditions=(*jobs.conditions, *unwound),
            patterns_at=(*jobs.patterns_at, ("query.unwind.filter", patterns_in(unwound))),
        )
    order, fields, stages = order_of(query), fields_of(query), stages_of(query, scope)
    return ListPlan(jobs, order, fields, query.page, query.count_only, stages)


def plan_stat(
    request: Mapping[str, Any], scope: Scope, context: ParseContext
) -> StatPlan | DistinctPlan:
    """The plan of a stat."""
    query = _parse(StatRequest, request, context).query
    jobs = compile_filter(query, scope)
    if query.aggregate:
        return StatPlan(jobs, tuple(compile_stages(query.aggregate)), query.page)
    name = query.distinct or ""
    path = FIELDS[name].path if name in FIELDS else name
    return DistinctPlan(jobs, path, query.page, context.limits.distinct_values)


def plan_analyze(request: Mapping[str, Any], scope: Scope, context: ParseContext) -> AnalyzePlan:
    """The plan of an analyze."""
    query = _parse(AnalyzeRequest, request, context).query
    stages = compile_analyze(query, scope)
    return AnalyzePlan(compile_filter(query, scope), tuple(stages), query.page)


@dataclass(frozen=True, slots=True)
class Costs:
    """What every job of a query is compared with and looked up by, for which no index helps.

    `patterns` are how many there are by their paths in the request; `lookups` the foreign field of
    each lookup.
    """

    patterns: tuple[tuple[str, int], ...] = ()
    lookups: tuple[str, ...] = ()

    @property
    def comparisons(self) -> int:
        """The patterns that a job is compared with, all in all."""
        return sum(number for _, number in self.patterns)

    @property
    def costliest(self) -> str:
        """The path in the request with the most patterns."""
        return max(self.patterns, key=lambda each: each[1])[0]


def costs_of(plan: Plan) -> Costs | None:
    """What there is to weigh of a plan before it runs; None for most, which cost little on any
    number of jobs."""
    stages: Sequence[Document] = ()
    patterns = plan.jobs.patterns_at
    if isinstance(plan, ListPlan):
        stages = plan.computed
    elif isinstance(plan, StatPlan | AnalyzePlan):
        stages = plan.stages
        path = "query.aggregate" if isinstance(plan, StatPlan) else "query.unwind.filter"
        patterns = (*patterns, (path, patterns_in([stage.get("$match") for stage in stages])))
    lookups = tuple(str(stage["$lookup"]["foreignField"]) for stage in stages if "$lookup" in stage)
    costs = Costs(patterns, lookups)
    return costs if lookups or costs.comparisons > _FEW_PATTERNS else None


def _parse(model: type[_Request], request: Mapping[str, Any], context: ParseContext) -> _Request:
    check_size(request, context.limits)
    try:
        return model.model_validate(request, context=context)
    except ValidationError as error:
        problems = problems_of(error)
    denied = next((found for found in problems if found.code is Code.PERMISSION_DENIED), None)
    if denied:
        raise PermissionDenied(denied.message, denied.path)
    raise InvalidRequest(problems)
