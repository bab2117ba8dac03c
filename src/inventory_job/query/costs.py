"""What of a query no index helps with: patterns that jobs are compared with, and lookups.

Pure: says what there is to weigh, by which the model refuses what would take too long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inventory_job.query.filters import patterns_in
from inventory_job.query.operators import Document
from inventory_job.query.plans import AnalyzePlan, ListPlan, Plan, StatPlan

_FEW_PATTERNS = 20
"""As many patterns as this are no matter, on however many jobs."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What every job of a query is compared with and looked up by.

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
    """What there is to weigh of a plan; None for most, which cost little on any number of jobs."""
    stages: Iterable[Document] = ()
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
