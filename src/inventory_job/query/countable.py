"""Countable filters: a change stream can keep their number of jobs up to date without recounts.

A filter is countable if it compares only steady fields, which never change after a job's creation,
and only with plain values: by `$eq`, `$ne`, `$in`, `$nin` or `$exists`, and created_at also by
range. Conditions on status, task counters, updated_at and finished_at are not countable, because
these fields keep changing; nor are those on job_id, which match few jobs, nor patterns and
keywords. A relative time counts as the time it resolves to. If that moves with the clock, no later
filter equals this one, and a count kept for it is useless but harmless.

For some stored values (lists, types other than the field's) only MongoDB can tell whether they
meet a condition; `holds` and `includes` then return None.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from inventory_job.query.fields import STEADY_FIELDS
from inventory_job.query.filters import ScopedFilter, scope_conditions
from inventory_job.query.operators import Document

_MOST_VALUES = 200
_REPLACEMENT = "\ufffd"
"""Decoding replaces invalid UTF-8 with this, so different stored strings may decode as equal."""

_RANGE_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
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
    operand: Any
    """Hashable: a set for `$in` and `$nin`, else a date or, for `$exists`, a boolean."""

    def holds(self, job: Mapping[str, Any]) -> bool | None:
        """Whether a stored job meets the comparison; None if only MongoDB can tell."""
        if self.test == "$exists":
            return (self.field in job) is self.operand
        # MongoDB treats an absent field as null in all of these comparisons.
        value = job.get(self.field)
        if not _is_plain(value):
            return None
        if compare := _RANGE_TESTS.get(self.test):
            # In MongoDB only a date meets a range condition on dates.
            return isinstance(value, datetime) and compare(value, self.operand)
        return (value in self.operand) is (self.test == "$in")


@dataclass(frozen=True, slots=True)
class Countable:
    """A filter for the jobs of one domain that meet at least one term of each group.

    Instances compare and hash by value, so they can be dictionary keys.
    """

    domain_id: str
    groups: tuple[tuple[Term, ...], ...]

    def includes(self, job: Mapping[str, Any]) -> bool | None:
        """Whether `job` meets the filter; None if only MongoDB can tell. `job` has the steady
        fields as stored, with dates as naive UTC datetimes."""
        known = True
        for group in self.groups:
            held = [term.holds(job) for term in group]
            if not any(held):
                if None not in held:
                    return False
                known = False
        return True if known else None


def countable(jobs: ScopedFilter) -> Countable | None:
    """The filter `jobs` in a form that can be evaluated for a single job; None if it is not
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
    """The condition as one comparison of a steady field with plain values; None if it is not."""
    [(field, wanted), *others] = condition.items()
    [(test, operand), *more] = wanted.items() if isinstance(wanted, dict) else [("$in", [wanted])]
    if others or more or field not in STEADY_FIELDS:
        return None
    if test == "$ne":
        test, operand = "$nin", [operand]
    if test == "$exists" or (test in _RANGE_TESTS and isinstance(operand, datetime)):
        return Term(field, test, operand)
    if test in {"$in", "$nin"} and len(operand) <= _MOST_VALUES and all(map(_is_plain, operand)):
        return Term(field, test, frozenset(operand))
    return None


def _is_plain(value: Any) -> bool:
    """Whether `value` compares with null, strings and dates in Python as it does in MongoDB."""
    # bson.Code is a str in Python, but equals no string in MongoDB.
    is_text = value.__class__ is str and _REPLACEMENT not in value
    return value is None or is_text or isinstance(value, datetime)
