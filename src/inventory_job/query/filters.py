"""The models of conditions, sorts and pages; and the filter that conditions and a scope become, for
find or $match. See docs/query-language.md#filters.

Each condition of a filter becomes a `Condition`: its key is a known field, its operator is in the
table of operators and applies to that field, and its value has the type that the query needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any, ClassVar

from bson import Regex
from pydantic import Field as Member
from pydantic import PlainValidator, StrictStr, ValidationInfo, field_validator

from inventory_job.auth.scope import Scope
from inventory_job.query.fields import Field, FieldType, resolve
from inventory_job.query.names import Path, Spelled, Strict, checked_path, context_of, named
from inventory_job.query.operators import OPERATORS, Document, Operator, literal, pattern
from inventory_job.query.problems import fault

# The operators that the filter of an unwind may use, in the order of the table.
_OF_ROWS = ("eq", "not", "in", "not_in", "contain", "not_contain", "contain_in", "not_contain_in")

# The operators that the conditions of a group field may use.
_OF_GROUPS = ("eq", "not", "gt", "gte", "lt", "lte")

MAX_PAGE = 1000
"""The maximum number of rows in one response, and the default where no limit is given."""


def _known_field(value: str) -> Field:
    if not value:
        raise fault("a key is not empty")
    return resolve(value)


def _row_field(value: Any, info: ValidationInfo) -> Field:
    path = checked_path(value, info)
    return Field(path, path, FieldType.ANY)


KnownField = Annotated[Field, PlainValidator(_known_field)]
"""A field of a job, by its name."""


class Condition(Spelled):
    """One entry of `filter` or `filter_or`. An absent value means null, because clients that build
    the request from a dictionary leave out members that are null."""

    operators: ClassVar[Mapping[str, Operator]] = OPERATORS
    field_if_bad: ClassVar[Field | None] = None
    """The field to check a value against if the key was refused; None skips that check."""

    key: KnownField
    operator: Operator = Member("", validate_default=True)
    value: Any = Member(None, validate_default=True)

    @field_validator("operator", mode="plain")
    @classmethod
    def _applies(cls, name: Any, info: ValidationInfo) -> Operator:
        operator, field = named(cls.operators, name), info.data.get("key")
        if field and operator.field_type and field.type not in {operator.field_type, FieldType.ANY}:
            raise fault(
                f"operator {operator.name} applies to {operator.field_type.name.lower()} fields, "
                f"and {field.name} is {field.type.name.lower()}",
            )
        return operator

    @field_validator("value", mode="plain")
    @classmethod
    def _accept(cls, value: Any, info: ValidationInfo) -> Any:
        field, operator = info.data.get("key", cls.field_if_bad), info.data.get("operator")
        if field is None or operator is None:
            return value
        return operator.accept(field, value, context_of(info).now)

    def emit(self, path: Callable[[str], str] = str) -> Document:
        """The condition in the form of a $match; `path` maps a key to its path in a row."""
        return self.operator.emit(path(self.key.path), self.value)


class UnwindCondition(Condition):
    """One entry of an unwind's filter: the key is any path in a row, and values keep their type."""

    operators: ClassVar[Mapping[str, Operator]] = {name: OPERATORS[name] for name in _OF_ROWS}

    key: Annotated[Field, PlainValidator(_row_field)]


class Comparison(UnwindCondition):
    """One entry of a group field's `conditions`, evaluated within the $group."""

    operators: ClassVar[Mapping[str, Operator]] = {name: OPERATORS[name] for name in _OF_GROUPS}
    field_if_bad = Field("", "", FieldType.ANY)

    operator: Operator


class Sort(Spelled):
    """One key to sort by, most significant first in its list."""

    key: Path
    desc: bool = Member(False, strict=True)


class Page(Strict):
    """A page: `start` counts from 1, a `limit` above 1000 means 1000, and 0 means absent."""

    start: int = 0
    limit: int = 0

    @property
    def skip(self) -> int:
        """The number of rows before the page."""
        return max(self.start, 1) - 1

    @property
    def size(self) -> int:
        """The maximum number of rows on the page."""
        return min(self.limit or MAX_PAGE, MAX_PAGE)

    def window(self, size: int) -> list[Document]:
        """The stages that skip the rows before the page and limit the rest to `size` rows."""
        skip = [{"$skip": self.skip}] if self.skip else []
        return [*skip, {"$limit": size}]


class Filtered(Strict):
    """Base class of the queries: the members that select jobs."""

    filter: tuple[Condition, ...] = ()
    filter_or: tuple[Condition, ...] = ()
    keyword: StrictStr = ""


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
