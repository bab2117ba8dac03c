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

_EQUALITIES: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$in": lambda value, operand: value in operand,
    "$nin": lambda value, operand: value not in operand,
}
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}


class _Uncountable(Exception):
    """The filter asks for something else than plain comparisons of steady fields."""


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
        if self.test in _EQUALITIES:
            return _EQUALITIES[self.test](value, self.operand)
        # To MongoDB points in time compare with their like alone.
        return isinstance(value, datetime) and _ORDERS[self.test](value, self.operand)


@dataclass(frozen=True, slots=True)
class Countable:
    """The jobs of one domain that meet, of each group of terms, at least one.

    Equal filters are equal, so it can be a key.
    """

    domain_id: str
    groups: tuple[tuple[Term, ...], ...]

    @property
    def fields(self) -> frozenset[str]:
        """The stored fields that decide which jobs these are."""
        return frozenset(term.field for group in self.groups for term in group)

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
    try:
        groups = _groups(scope_conditions(jobs.scope))
        for condition in jobs.conditions:
            groups += _groups(condition)
    except _Uncountable:
        return None
    return Countable(jobs.scope.domain_id, tuple(groups))


def _groups(condition: Document) -> list[tuple[Term, ...]]:
    if "$or" not in condition:
        return [(term,) for term in _terms(condition)]
    alternatives = [_terms(alternative) for alternative in condition["$or"]]
    # Each alternative is one comparison; of several they would be an "and" within the "or".
    if len(condition) > 1 or any(len(terms) != 1 for terms in alternatives):
        raise _Uncountable
    return [tuple(terms[0] for terms in alternatives)]


def _terms(condition: Document) -> list[Term]:
    terms = []
    for field, wanted in condition.items():
        if field not in STEADY_FIELDS:
            raise _Uncountable
        for test, operand in (wanted if isinstance(wanted, dict) else {"$eq": wanted}).items():
            terms.append(Term(field, test, _operand(field, test, operand)))
    return terms


def _operand(field: str, test: str, operand: Any) -> Hashable:
    if test in {"$in", "$nin"} and len(operand) <= _MOST_VALUES:
        return frozenset(_value(field, item) for item in operand)
    if test in {"$eq", "$ne"}:
        return _value(field, operand)
    kind = datetime if test in _ORDERS else bool if test == "$exists" else None
    if kind is None or not isinstance(operand, kind):
        raise _Uncountable
    found: Hashable = operand
    return found


def _value(field: str, value: Any) -> Hashable:
    kind = datetime if field == "created_at" else str
    if value is None or (isinstance(value, kind) and _is_plain(value)):
        return value
    raise _Uncountable


def _is_plain(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, datetime)
        # Code, which is a text to Python, equals none to MongoDB.
        or (value.__class__ is str and _REPLACED not in value)
    )
