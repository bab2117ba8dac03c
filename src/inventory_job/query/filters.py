"""Conditions and scope → $match (docs/query-language.md#filters)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from bson import Regex

from inventory_job.auth.scope import Scope
from inventory_job.query.conditions import Filtered
from inventory_job.query.operators import Document, literal, pattern


@dataclass(frozen=True, slots=True)
class ScopedFilter:
    """Which jobs: those in `scope` that meet all of `conditions`.

    The only way to a query that can be run; what a caller wrote stands beside the scope in an
    $and, so nothing in it can widen the scope.
    """

    scope: Scope
    conditions: tuple[Document, ...] = ()
    patterns: tuple[tuple[str, Regex[str]], ...] = ()
    """The caller's regular expressions with their paths in the request: whether they are right,
    only MongoDB knows."""
    patterns_at: Counter[str] = field(default_factory=Counter)
    """How many patterns a job is compared with, by their paths in the request."""

    @property
    def document(self) -> Document:
        """The filter as find and $match take it."""
        return scope_conditions(self.scope) | (
            {"$and": list(self.conditions)} if self.conditions else {}
        )

    @property
    def fields(self) -> frozenset[str]:
        """The stored paths that the filter looks at."""
        alternatives = [condition.get("$or", [condition]) for condition in self.conditions]
        return frozenset(scope_conditions(self.scope)).union(*chain.from_iterable(alternatives))


def scope_conditions(scope: Scope) -> Document:
    """The conditions of `scope` on documents that carry domain_id and workspace_id."""
    document: Document = {"domain_id": scope.domain_id}
    if len(scope.workspace_ids) == 1:
        document["workspace_id"] = scope.workspace_ids[0]
    elif scope.workspace_ids:
        document["workspace_id"] = {"$in": list(scope.workspace_ids)}
    return document


def compile_filter(
    query: Filtered, scope: Scope, direct: Mapping[str, str], beside: Mapping[str, list[Document]]
) -> ScopedFilter:
    """A query's filter, filter_or and keyword, and the `direct` values of fields, within `scope`.
    Of what is `beside` them in the request, by its path, only the patterns are counted.

    A keyword joins filter_or: next to one it widens it.
    """
    patterns: list[tuple[str, Regex[str]]] = []
    patterns_at: Counter[str] = Counter()
    all_of: list[Document] = [{name: value} for name, value in direct.items()]
    any_of: list[Document] = []
    for name, given, emitted in (
        ("filter", query.filter, all_of),
        ("filter_or", query.filter_or, any_of),
    ):
        for index, condition in enumerate(given):
            path, document = f"query.{name}[{index}]", condition.emit()
            emitted.append(document)
            patterns_at[path] = patterns_in(document)
            if condition.operator.operand is pattern:
                value = condition.value
                regexes = value if isinstance(value, list) else [value]
                patterns += ((path, regex) for regex in regexes)
    if words := [literal(word) for word in query.keyword.split()]:
        any_of.append({"job_id": {"$in": words}})
        patterns_at["query.keyword"] = len(words)
    for path, documents in beside.items():
        patterns_at[path] = patterns_in(documents)
    conditions = (*all_of, {"$or": any_of}) if any_of else tuple(all_of)
    return ScopedFilter(scope, conditions, tuple(patterns), patterns_at)


def patterns_in(value: Any) -> int:
    """How many patterns there are in a condition, or in several."""
    if isinstance(value, Regex):
        return 1
    inner = value.values() if isinstance(value, dict) else value
    return sum(map(patterns_in, inner)) if isinstance(value, dict | list) else 0
