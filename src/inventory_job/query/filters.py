"""Compiles conditions and scope to a filter for find or $match (docs/query-language.md#filters)."""

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
    """A filter for the jobs in `scope` that meet all of `conditions`.

    Every query that runs contains one. Scope and conditions are joined by AND, so no condition of
    a caller can widen the scope.
    """

    scope: Scope
    conditions: tuple[Document, ...] = ()
    patterns: tuple[tuple[str, Regex[str]], ...] = ()
    """The caller's regular expressions, each after its path in the request; only MongoDB can tell
    whether they are valid."""
    patterns_at: Counter[str] = field(default_factory=Counter)
    """By path in the request, the number of patterns that each job is compared with."""

    @property
    def document(self) -> Document:
        """The filter in the form of find and $match."""
        return scope_conditions(self.scope) | (
            {"$and": list(self.conditions)} if self.conditions else {}
        )

    @property
    def fields(self) -> frozenset[str]:
        """The stored paths in the filter."""
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
    """Compiles filter, filter_or and keyword of `query`, and the `direct` values that fields must
    equal, in `scope`. `beside` has other documents by path: only their patterns are counted.

    The keyword is one more alternative of filter_or, so it widens one that is given.
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
    """The number of patterns in a condition or stage, or in a list of them."""
    if isinstance(value, Regex):
        return 1
    inner = value.values() if isinstance(value, dict) else value
    return sum(map(patterns_in, inner)) if isinstance(value, dict | list) else 0
