"""Refuses, before they run, queries that would keep the database busy for long.

The cost of work that no index speeds up is a product: patterns times the jobs compared with them,
lookups times the tasks that each lookup reads. A count of these jobs and tasks, which stops when
the limit is exceeded, takes a small part of the time that the query would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from inventory_job.deadline import Deadline
from inventory_job.errors import InvalidRequest, invalid
from inventory_job.model.client import Database
from inventory_job.model.documents import INDEXES, JOB_COLLECTION
from inventory_job.query.filters import ScopedFilter, patterns_in, scope_conditions
from inventory_job.query.limits import Limits
from inventory_job.query.operators import Document
from inventory_job.query.plans import ListPlan, Plan, RowsPlan

_NARROWING = frozenset({"$in", "$lt", "$lte", "$gt", "$gte"})
_FIELDS = tuple(
    dict.fromkeys(
        field
        for index in INDEXES
        if index.collection == JOB_COLLECTION
        for field, _ in index.keys
        if field not in {"domain_id", "_id"}
    )
)
"""The indexed fields of jobs by which a filter can be narrowed."""
_FEW_PATTERNS = 20
"""Up to this many patterns are allowed on any number of jobs."""
_TASKS_BY_INDEX = 20
"""A lookup by the task's job_id, which is indexed, takes as long as reading this many tasks."""


class CostLimits:
    """Refuses queries that exceed `limits.pattern_comparisons` or `limits.lookup_tasks`."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def check(self, plan: Plan, deadline: Deadline) -> None:
        """Raises InvalidRequest when the query of `plan` exceeds a limit. Counts nothing for most
        queries: they have few patterns and no lookups."""
        patterns, lookups = plan.jobs.patterns_at.total(), _looked_up(plan)
        if patterns > _FEW_PATTERNS or (patterns and lookups):
            await self._check_patterns(plan.jobs, deadline)
        if lookups:
            await self._check_lookups(plan.jobs, lookups, deadline)

    async def _check_patterns(self, jobs: ScopedFilter, deadline: Deadline) -> None:
        patterns = jobs.patterns_at.total()
        most = self._limits.pattern_comparisons // patterns
        compared = replace(jobs, conditions=tuple(filter(_is_narrowing, jobs.conditions)))
        if await _count(self._database.jobs, compared.document, most, deadline) > most:
            reason = (
                f"with {patterns} patterns a query may be about {most} jobs at most; use "
                f"fewer, or narrow the filter by {', '.join(_FIELDS)}"
            )
            [(costliest, _)] = jobs.patterns_at.most_common(1)
            raise InvalidRequest(invalid(costliest, reason))

    async def _check_lookups(
        self, jobs: ScopedFilter, lookups: Sequence[str], deadline: Deadline
    ) -> None:
        most = self._limits.lookup_tasks
        found = await _count(self._database.jobs, jobs.document, most // _TASKS_BY_INDEX, deadline)
        by_index = found * lookups.count("job_id")
        by_reading = found * len(lookups) - by_index
        left = most - by_index * _TASKS_BY_INDEX
        if by_reading and left >= 0:
            tasks, scope = self._database.job_tasks, scope_conditions(jobs.scope)
            left -= by_reading * await _count(tasks, scope, left // by_reading, deadline)
        if left < 0:
            reason = (
                f"looking up tasks for these jobs would read more than {most} tasks; narrow the "
                "filter, or look up by the task's job_id"
            )
            raise InvalidRequest(invalid("query.lookup", reason))


def _looked_up(plan: Plan) -> tuple[str, ...]:
    """The foreign field of each lookup of a plan."""
    stages: Sequence[Document] = ()
    if isinstance(plan, ListPlan):
        stages = plan.computed
    elif isinstance(plan, RowsPlan):
        stages = plan.stages
    return tuple(stage["$lookup"]["foreignField"] for stage in stages if "$lookup" in stage)


async def _count(
    collection: AsyncCollection[Any], condition: Document, most: int, deadline: Deadline
) -> int:
    """How many documents meet `condition`; `most` + 1 stands for any larger number."""
    return await collection.count_documents(
        condition, limit=most + 1, maxTimeMS=deadline.milliseconds()
    )


def _is_narrowing(condition: Document) -> bool:
    """Whether an index finds the jobs that meet `condition`, so that only they are compared with
    patterns."""
    [(field, wanted)] = condition.items()
    is_comparison = not isinstance(wanted, dict) or wanted.keys() <= _NARROWING
    return field in _FIELDS and is_comparison and not patterns_in(wanted)
