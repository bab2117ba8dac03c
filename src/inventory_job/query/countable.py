"""Filters whose number of jobs can be kept up to date from what is written, without recounting.

A filter is countable when it only looks at fields that stay as they are from a job's creation on
(the steady ones), and compares them with plain values: equality and its kin, and points in time
for created_at. Not countable are conditions on status, on counters and on the times of progress,
which change all the while; on job_id, of which there are few each; and patterns, keywords among
them. A relative time is as good as the point in time it stands for; one that moves with the clock
never comes twice, so it is of no use to keep its number, though no harm.

Of some stored values (lists, other types than the field's) only MongoDB can say whether they meet
a condition: then it is not known here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from inventory_job.query.filters import ScopedFilter, scope_conditions
from inventory_job.query.operators import Document

STEADY_FIELDS = frozenset(
    {
        "domain_id",
        "workspace_id",
        "collector_id",
        "plugin_id",
        "request_secret_id",
        "request_workspace_id",
        "resource_group",
        "created_at",
    }
)
"""The stored fields, all at the top of a job, that a countable filter may look at."""

_MOST_VALUES = 200
_REPLACED = "\ufffd"
"""What decoding makes of broken UTF-8, of which there is more than one kind."""

_ORDERS = frozenset({"$lt", "$lte", "$gt", "$gte"})
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$in": lambda value, operand: value in operand,
    "$nin": lambda value, operand: value not in operand,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a steady field."""

    field: str
    test: str
    operand: Hashable

    def holds(self, job: Mapping[str, Any]) -> bool | None:
        """Whether a stored job meets it; None when that is not known here."""
        if self.test == "$exists":
            return (self.field in job) is self.operand
        # MongoDB takes a missing field for null in all of these comparisons.
        value = job.get(self.field)
        if not _is_plain(value):
            return None
        # To MongoDB points in time compare with their like alone.
        is_comparable = isinstance(value, datetime) or self.test not in _ORDERS
        return is_comparable and _TESTS[self.test](value, self.operand)


@dataclass(frozen=True, slots=True)
class Countable:
    """The jobs of one domain that meet, of each group of terms, at least one.

    Equal filters are equal, so it can be a key.
    """

    domain_id: str
    groups: tuple[tuple[Term, ...], ...]

    def includes(self, job: Mapping[str, Any]) -> bool | None:
        """Whether `job`, of which the steady fields are given as stored (dates naive and in UTC),
        is one of them; None when that is not known here."""
        known = True
        for group in self.groups:
            held = [term.holds(job) for term in group]
            if not any(held):
                if None not in held:
                    return False
                known = False
        return True if known else None


def countable(jobs: ScopedFilter) -> Countable | None:
    """The filter in a form that decides for a single job whether it counts; None when it is not
    countable."""
    conditions = (scope_conditions(jobs.scope), *jobs.conditions)
    groups: list[tuple[Term, ...]] = []
    for field, wanted in chain.from_iterable(condition.items() for condition in conditions):
        alternatives = wanted if field == "$or" else [{field: wanted}]
        terms = tuple(term for each in alternatives if (term := _term(each)))
        if len(terms) < len(alternatives):
            return None
        groups.append(terms)
    return Countable(jobs.scope.domain_id, tuple(groups))


def _term(condition: Document) -> Term | None:
    """A condition as one comparison of a steady field with plain values, if it is one."""
    [(field, wanted), *others] = condition.items()
    [(test, operand), *more] = wanted.items() if isinstance(wanted, dict) else [("$eq", wanted)]
    if others or more or field not in STEADY_FIELDS:
        return None
    kind = datetime if field == "created_at" else str
    if test in {"$in", "$nin"}:
        is_plain = len(operand) <= _MOST_VALUES and all(_is_plain(item, kind) for item in operand)
        operand = frozenset(operand) if is_plain else None
    elif test in _ORDERS:
        is_plain = isinstance(operand, datetime)
    else:
        is_plain = test == "$exists" or (test in {"$eq", "$ne"} and _is_plain(operand, kind))
    return Term(field, test, operand) if is_plain else None


def _is_plain(value: Any, kind: type | tuple[type, ...] = (str, datetime)) -> bool:
    """Whether a value, null or of a `kind`, compares in MongoDB as it does in Python."""
    if value is None:
        return True
    # Code, which is a text to Python, equals none to MongoDB.
    is_text = value.__class__ is str and _REPLACED not in value
    return isinstance(value, kind) and (is_text or isinstance(value, datetime))
