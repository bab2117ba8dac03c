"""The requests: what a caller may write in each, as frozen, checked values, and the plans that they
become: compiled queries, each inside a scope by construction.

Every `plan_*` takes a decoded request (plain dictionaries, only what the caller gave), and raises
InvalidRequest with every problem found (docs/query-language.md), or PermissionDenied for a lookup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field as Member
from pydantic import (
    PlainValidator,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from inventory_job.auth.scope import Scope
from inventory_job.errors import Code, InvalidRequest, PermissionDenied
from inventory_job.query.analyze import AnalyzeQuery, compile_analyze
from inventory_job.query.conditions import Filtered, KnownField, Page, Sort, UnwindCondition
from inventory_job.query.expressions import AddFields
from inventory_job.query.fields import FIELDS, MINIMAL, SHOWN, near_matches
from inventory_job.query.filters import ScopedFilter, compile_filter, patterns_in
from inventory_job.query.limits import check_size
from inventory_job.query.lookups import Lookup, Lookups, join
from inventory_job.query.names import ParseContext, SortKey, Strict
from inventory_job.query.operators import Document
from inventory_job.query.problems import fault, problems_of, raise_any
from inventory_job.query.stages import StatQuery, compile_stages

_Request = TypeVar("_Request", bound=Strict)

_FEW_PATTERNS = 20
"""As many patterns as this are no matter, on however many jobs."""

_NEWEST_FIRST = {"created_at": -1, "_id": 1}
_ADDED = "_added"


class ListSort(Sort):
    """One key a list is sorted by."""

    key: SortKey


class ListUnwind(Strict):
    """An unwind in a list. A job's fields are scalars, so it changes nothing but by its filter,
    which drops the jobs that do not meet it."""

    path: KnownField
    filter: tuple[UnwindCondition, ...] = ()


class ListQuery(Filtered):
    """core.v2.Query."""

    sort: tuple[ListSort, ...] = ()
    page: Page = Page()
    minimal: bool = False
    count_only: bool = False
    only: tuple[KnownField, ...] = ()
    unwind: ListUnwind | None = None
    lookup: Lookups = ()
    add_fields: AddFields = Member({})

    @field_validator("lookup")
    @classmethod
    def _beside_the_fields(cls, lookups: tuple[Lookup, ...]) -> tuple[Lookup, ...]:
        problem = fault("in a list, a lookup's result is not called like a field of the job")
        raise_any(
            ((index, "as"), problem) for index, lookup in enumerate(lookups) if lookup.as_ in FIELDS
        )
        return lookups

    @model_validator(mode="after")
    def _sorted_by_what_there_is(self) -> Self:
        added = [*self.add_fields, *(lookup.as_ for lookup in self.lookup)]
        raise_any(
            (("sort", index, "key"), _unknown(sort.key, [*FIELDS, *added]))
            for index, sort in enumerate(self.sort)
            if sort.key not in FIELDS and sort.key.split(".", 1)[0] not in added
        )
        return self


def _unknown(key: str, known: list[str]) -> PydanticCustomError:
    hint = near_matches(key, known) or f"names are {', '.join(known)}"
    return fault(f"there is no {key[:60]!r} to sort by; {hint}")


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
        return [*self.order.items()] == [*_NEWEST_FIRST.items()]


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
    if unwound := _unwound(query):
        jobs = replace(
            jobs,
            conditions=(*jobs.conditions, *unwound),
            patterns_at=(*jobs.patterns_at, ("query.unwind.filter", patterns_in(unwound))),
        )
    order, fields, computed = _order(query), _fields_shown(query), _computed(query, scope)
    return ListPlan(jobs, order, fields, query.page, query.count_only, computed)


def _unwound(query: ListQuery) -> list[Document]:
    """The conditions of an unwind's filter, on a field that is there: without it there is no row
    that they could be met by."""
    if query.unwind is None or not query.unwind.filter:
        return []
    is_there: Document = {query.unwind.path.path: {"$nin": [None, []]}}
    return [is_there, *(condition.emit() for condition in query.unwind.filter)]


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


def _fields_shown(query: ListQuery) -> tuple[str, ...]:
    requested = {field.name for field in query.only} | set(MINIMAL if query.minimal else ())
    return tuple(name for name in SHOWN if name in requested) if requested else SHOWN


def _order(query: ListQuery) -> Document:
    order: Document = {}
    for key in query.sort:
        path = FIELDS[key.key].path if key.key in FIELDS else key.key
        if key.key.split(".", 1)[0] in query.add_fields:
            path = f"{_ADDED}.{key.key}"
        order.setdefault(path, -1 if key.desc else 1)
    return order | {"_id": order.get("_id", 1)} if order else dict(_NEWEST_FIRST)


def _computed(query: ListQuery, scope: Scope) -> tuple[Document, ...]:
    """Stages for what sort keys name and is not stored; a JobInfo shows nothing of it."""
    computed = query.add_fields.keys() | {lookup.as_ for lookup in query.lookup}
    if not computed & {key.key.split(".", 1)[0] for key in query.sort}:
        return ()
    stages = [join(lookup, scope) for lookup in query.lookup]
    if query.add_fields:
        # Kept apart, so that a field added under a stored one's name does not replace it.
        stages.append({"$addFields": {_ADDED: dict(query.add_fields)}})
    return tuple(stages)


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
