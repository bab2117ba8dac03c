"""Analyses, from request to pipeline."""

from __future__ import annotations

from typing import Any

import pytest

from inventory_job.auth.scope import Scope
from inventory_job.query.limits import Limits
from inventory_job.query.names import ParseContext
from inventory_job.query.plans import RowsPlan, plan_analyze
from inventory_job.wire.decode import decode
from tests.cases import analyses, expressions, folds
from tests.cases.analyses import AnalyzeCase
from tests.cases.expressions import ExpressionCase
from tests.cases.moments import NOW
from tests.support.lower_half import message

DOMAIN = Scope("domain-a")
COUNT = {"n": {"operator": "count"}}
LOOKUP = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}


def plan(query: dict[str, Any], scope: Scope = DOMAIN) -> RowsPlan:
    decoded = decode(message("analyze", {"query": query}))
    return plan_analyze(decoded, scope, ParseContext(Limits(), NOW))


@pytest.mark.parametrize("case", [*analyses.CASES, *folds.CASES], ids=lambda case: case.name)
def test_an_analyze_becomes(case: AnalyzeCase) -> None:
    compiled = list(plan(case.query).stages)

    assert compiled == case.pipeline


@pytest.mark.parametrize("case", expressions.CASES, ids=lambda case: case.name)
def test_an_added_field_becomes(case: ExpressionCase) -> None:
    stages = plan({"add_fields": {"x": case.written}, "fields": COUNT}).stages

    assert stages[0] == {"$addFields": {"x": case.compiled}}


def test_the_parts_run_in_one_order() -> None:
    """Lookup, unwind, its filter, added fields, group, select, sort."""
    query = {
        "select": {"x": "n"},
        "sort": [{"key": "x"}],
        "fields": COUNT,
        "group_by": ["state"],
        "add_fields": {"state": "$tasks.status"},
        "unwind": {"path": "tasks", "filter": [{"k": "tasks.n", "o": "eq", "v": 1}]},
        "lookup": [LOOKUP],
    }

    kinds = [next(iter(stage)) for stage in plan(query).stages]

    assert kinds == [
        "$lookup", "$unwind", "$match", "$addFields", "$group", "$project", "$sort", "$project",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "joined"),
    [
        (Scope("domain-a"), {"domain_id": "domain-a"}),
        (Scope("domain-a", ("w",)), {"domain_id": "domain-a", "workspace_id": "w"}),
        (
            Scope("domain-a", ("w", "*")),
            {"domain_id": "domain-a", "workspace_id": {"$in": ["w", "*"]}},
        ),
    ],
    ids=["domain", "workspace", "workspace and domain-wide jobs"],
)
def test_a_lookup_carries_the_scope(scope: Scope, joined: dict[str, Any]) -> None:
    stages = plan({"lookup": [LOOKUP], "fields": COUNT}, scope).stages

    assert stages[0] == {"$lookup": {**LOOKUP, "pipeline": [{"$match": joined}]}}
