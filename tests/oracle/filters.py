"""Which documents a request is about: scope, filter, filter_or, keyword."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import ObjectId

from .patterns import TextTest, containing, matching
from .times import parse_iso, parse_relative, to_utc
from .values import (
    ABSENT,
    Document,
    NotEvaluable,
    at,
    crosses_array,
    is_nan,
    is_number,
    order_key,
    rank,
)

Test = Callable[[Document], bool]
ValueTest = Callable[[Any], bool]
Plain = Mapping[str, Any]

TEXT_FIELDS: Final = frozenset(
    {
        "job_id",
        "status",
        "collector_id",
        "plugin_id",
        "request_secret_id",
        "request_workspace_id",
        "resource_group",
        "workspace_id",
        "domain_id",
    }
)
INT_FIELDS: Final = frozenset({"total_tasks", "remained_tasks", "success_tasks", "failure_tasks"})
DATE_FIELDS: Final = frozenset({"created_at", "updated_at", "finished_at"})
JOB_FIELDS: Final = TEXT_FIELDS | INT_FIELDS | DATE_FIELDS
FILTER_KEYS: Final = JOB_FIELDS | {"id"}

_INT64: Final = range(-(2**63), 2**63)
_ORDERINGS: Final = frozenset({"lt", "lte", "gt", "gte"})
_UNWIND_OPERATORS: Final = frozenset(
    {"eq", "not", "in", "not_in", "contain", "not_contain", "contain_in", "not_contain_in"}
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant a request is confined to. No `workspace_ids` means no workspace condition."""

    domain_id: str
    workspace_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter condition, its names without their short forms."""

    key: str
    operator: str
    value: Any


def given(spec: Plain, *names: str) -> Any:
    """The one of a field's spellings that is present, else `ABSENT`."""
    found = [spec[name] for name in names if name in spec]
    if len(found) > 1:
        raise NotEvaluable(f"{' and '.join(names)} at once")
    return found[0] if found else ABSENT


def needed(spec: Plain, *names: str) -> str:
    """The text of a field that must be there, under any of its spellings."""
    value = given(spec, *names)
    if not isinstance(value, str) or not value:
        raise NotEvaluable(f"no {names[0]} in {spec!r}")
    return value


def select_documents(
    documents: Iterable[Document], query: Plain, scope: Scope, now: datetime, *direct: Condition
) -> list[Document]:
    """The documents in the scope that the query's filters and the direct conditions let through."""
    tests = [_condition_test(condition, now) for condition in direct]
    tests += [_filter_test(spec, now) for spec in query.get("filter", ())]
    any_tests = [_filter_test(spec, now) for spec in query.get("filter_or", ())]
    words = query.get("keyword", "").split()
    if words:
        any_tests.append(_condition_test(Condition("job_id", "contain_in", words), now))
    return [
        document
        for document in in_scope(documents, scope)
        if all(test(document) for test in tests)
        and (not any_tests or any(test(document) for test in any_tests))
    ]


def in_scope(documents: Iterable[Document], scope: Scope) -> list[Document]:
    """The documents in the scope: all that a request of the tenant can be about."""
    tests = [_at_field("domain_id", _equals(scope.domain_id))]
    if scope.workspace_ids:
        tests.append(_at_field("workspace_id", _is_in([*scope.workspace_ids])))
    return [document for document in documents if all(test(document) for test in tests)]


def _at_field(name: str, test: ValueTest) -> Test:
    return lambda document: test(document.get(name, ABSENT))


def unwind_test(specs: Sequence[Plain], path_of: Callable[[str], str], raw: bool) -> Test:
    """What the filter of an unwind stage lets through.

    `path_of` turns a key into a field path; `raw` says whether rows still have the job's fields.
    """
    tests = [_unwind_condition_test(spec, path_of, raw) for spec in specs]
    return lambda row: all(test(row) for test in tests)


def _unwind_condition_test(spec: Plain, path_of: Callable[[str], str], raw: bool) -> Test:
    condition = _condition(spec)
    key, value = condition.key, condition.value
    if condition.operator not in _UNWIND_OPERATORS:
        raise NotEvaluable(f"unwind filter with operator {condition.operator!r}")
    typed = raw and key not in TEXT_FIELDS and key in FILTER_KEYS
    if typed and any(isinstance(v, str) for v in (value if isinstance(value, list) else [value])):
        raise NotEvaluable("whether an unwind filter converts text for a typed field is not said")
    path = path_of(key)
    test = _value_test(condition.operator, value)

    def row_test(row: Document) -> bool:
        if crosses_array(row, path):
            raise NotEvaluable("a filter on members of an array's documents")
        return test(at(row, path))

    return row_test


def _condition(spec: Plain) -> Condition:
    value = given(spec, "value", "v")
    if value is ABSENT:
        raise NotEvaluable(f"no value in {spec!r}")
    return Condition(needed(spec, "key", "k"), needed(spec, "operator", "o"), value)


def _filter_test(spec: Plain, now: datetime) -> Test:
    return _condition_test(_condition(spec), now)


def _condition_test(condition: Condition, now: datetime) -> Test:
    key, operator, value = condition.key, condition.operator, condition.value
    if key not in FILTER_KEYS:
        raise NotEvaluable(f"not a field of a job: {key!r}")
    if operator in ("in", "not_in"):
        value = [_converted(key, item) for item in _list(value)]
    elif operator in ("eq", "not") or operator in _ORDERINGS:
        value = _converted(key, value)
    elif operator.startswith("datetime_"):
        operator, value = operator.removeprefix("datetime_"), parse_iso(_text(value))
    elif operator.startswith("timediff_"):
        operator, value = operator.removeprefix("timediff_"), parse_relative(_text(value), now)
    test = _value_test(operator, value)
    return _at_field("_id" if key == "id" else key, test)


def _converted(key: str, value: Any) -> Any:
    """The value in the type of the field (docs/query-language.md#filters)."""
    if value is None:
        return None
    if key in INT_FIELDS:
        return _converted_int(value)
    text = _text(value)
    if key in DATE_FIELDS:
        return parse_iso(text)
    if key == "id":
        if not ObjectId.is_valid(text):
            raise NotEvaluable(f"not an ObjectId: {text!r}")
        return ObjectId(text)
    return text


def _converted_int(value: Any) -> int:
    if isinstance(value, bool):
        raise NotEvaluable("a boolean for a number")
    digits = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value)
    if not digits and not (isinstance(value, (int, float)) and value == value // 1):
        raise NotEvaluable(f"not a whole number: {value!r}")
    number = int(value)
    if number not in _INT64:
        raise NotEvaluable(f"beyond what the database stores: {value!r}")
    return number


def _value_test(operator: str, value: Any) -> ValueTest:
    """The operator's meaning as `{field: {$operator: value}}` has it, over the field's value."""
    if operator not in _VALUE_TESTS:
        raise NotEvaluable(f"unknown operator {operator!r}")
    return _VALUE_TESTS[operator](value)


def _elements(value: Any) -> list[Any]:
    """What a match compares: the value and, of an array, each of its elements."""
    return [*value, value] if isinstance(value, list) else [value]


def _equals(value: Any) -> ValueTest:
    if isinstance(value, (list, Mapping)):
        raise NotEvaluable("a list or a dictionary where one value is wanted")
    if value is None:
        return lambda stored: any(item is None or item is ABSENT for item in _elements(stored))
    if isinstance(value, datetime):
        value = to_utc(value)
    wanted = order_key(value)
    return lambda stored: any(order_key(item) == wanted for item in _elements(stored))


def _compares(value: Any, holds: Callable[[Any, Any], bool], or_equal: bool) -> ValueTest:
    if isinstance(value, (list, Mapping, bool)):
        raise NotEvaluable("an order among lists, dictionaries or booleans")
    if value is None:
        return lambda _: False

    def one(item: Any) -> bool:
        if rank(item) is not rank(value):
            return False
        if is_number(item) and (is_nan(item) or is_nan(value)):
            return or_equal and is_nan(item) and is_nan(value)
        return holds(order_key(item), order_key(value))

    return lambda stored: any(one(item) for item in _elements(stored))


def _is_in(values: Any) -> ValueTest:
    tests = [_equals(value) for value in _list(values)]
    return lambda stored: any(test(stored) for test in tests)


def _exists(value: Any) -> ValueTest:
    if not isinstance(value, bool):
        raise NotEvaluable("exists takes true or false")
    return lambda stored: (stored is not ABSENT) is value


def _element_match(value: Any) -> ValueTest:
    if not isinstance(value, Mapping):
        raise NotEvaluable("match takes a dictionary")
    return lambda _: False


def _texts(tests: Sequence[TextTest]) -> ValueTest:
    return lambda stored: any(
        type(item) is str and test(item) for item in _elements(stored) for test in tests
    )


def _negated(make: Callable[[Any], ValueTest]) -> Callable[[Any], ValueTest]:
    def make_negated(value: Any) -> ValueTest:
        test = make(value)
        return lambda stored: not test(stored)

    return make_negated


def _contain(value: Any) -> ValueTest:
    return _texts([containing(_text(value))])


def _contain_in(value: Any) -> ValueTest:
    return _texts([containing(_text(item)) for item in _list(value)])


_VALUE_TESTS: Final[Mapping[str, Callable[[Any], ValueTest]]] = {
    "eq": _equals,
    "not": _negated(_equals),
    "lt": lambda value: _compares(value, lambda a, b: a < b, or_equal=False),
    "lte": lambda value: _compares(value, lambda a, b: a <= b, or_equal=True),
    "gt": lambda value: _compares(value, lambda a, b: a > b, or_equal=False),
    "gte": lambda value: _compares(value, lambda a, b: a >= b, or_equal=True),
    "in": _is_in,
    "not_in": _negated(_is_in),
    "contain": _contain,
    "not_contain": _negated(_contain),
    "contain_in": _contain_in,
    "not_contain_in": _negated(_contain_in),
    "regex": lambda value: _texts([matching(_text(value))]),
    "regex_in": lambda value: _texts([matching(_text(item)) for item in _list(value)]),
    "exists": _exists,
    "match": _element_match,
}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotEvaluable(f"not a text: {value!r}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NotEvaluable(f"not a list: {value!r}")
    return value
