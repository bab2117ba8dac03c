"""The query language over documents in memory, written from its specification alone
(docs/query-language.md, docs/data-model.md).

Slow and obvious on purpose: property tests take its answers for the truth. Where the
specification leaves an order open, so does the answer; see `StatAnswer.mismatch` and `same_rows`.
"""

from __future__ import annotations

from .analyze import analyze
from .answers import AnalyzeAnswer, ListAnswer, StatAnswer, same_rows
from .corpus import DOMAINS, WORKSPACES, legacy_jobs, many_jobs, six_jobs, with_job
from .filters import Scope, in_scope
from .listing import list_jobs
from .stat import stat
from .values import NotEvaluable, Refused

__all__ = [
    "DOMAINS",
    "WORKSPACES",
    "AnalyzeAnswer",
    "ListAnswer",
    "NotEvaluable",
    "Refused",
    "Scope",
    "StatAnswer",
    "analyze",
    "in_scope",
    "legacy_jobs",
    "list_jobs",
    "many_jobs",
    "same_rows",
    "six_jobs",
    "stat",
    "with_job",
]
