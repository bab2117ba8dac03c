"""Bad queries, and what is said of the first thing wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inventory_job.errors import Code

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RefusalCase:
    """A bad query of one method; `details` is the text in brackets, or a part of it."""

    name: str
    method: str
    query: Document
    path: str
    code: Code
    details: str


_CONDITION = "query.filter[0]"


def _of_condition(
    name: str, condition: Document, member: str, code: Code, details: str
) -> RefusalCase:
    """A filter of one bad condition."""
    path = f"{_CONDITION}.{member}"
    return RefusalCase(name, "list", {"filter": [condition]}, path, code, details)


def _of_value(key: str, operator: str, value: Any, code: Code, details: str) -> RefusalCase:
    """A filter of one condition with a bad value."""
    shown = repr(value) if len(repr(value)) < 40 else "…"
    condition = {"key": key, "operator": operator, "value": value}
    return _of_condition(f"{key} {operator} {shown}", condition, "value", code, details)


_INVALID, _TYPE = Code.INVALID_PARAMETER, Code.INVALID_PARAMETER_TYPE
_REQUIRED, _DENIED = Code.REQUIRED_PARAMETER, Code.PERMISSION_DENIED
_LIST, _SINGLE = Code.OPERATOR_LIST_VALUE_TYPE, Code.OPERATOR_VALUE_TYPE
_BOOLEAN, _DICTIONARY = Code.OPERATOR_BOOLEAN_TYPE, Code.OPERATOR_DICT_VALUE_TYPE
_VALUE = f"key = {_CONDITION}.value"

CONDITIONS = [
    _of_condition(
        "unknown operator", {"key": "status", "operator": "equal", "value": "x"}, "operator",
        _INVALID, "reason = unknown operator 'equal'; supported: eq, not, lt, lte, gt, gte, in,",
    ),
    _of_condition(
        "no operator", {"key": "status", "value": "x"}, "operator", _INVALID,
        "reason = an operator is required; supported: eq, not, lt,",
    ),
    _of_condition(
        "empty operator", {"key": "status", "operator": "", "value": "x"}, "operator", _INVALID,
        "reason = an operator is required; supported: eq, not, lt,",
    ),
    _of_condition(
        "no key", {"operator": "eq", "value": "x"}, "key", _REQUIRED, "key = query.filter[0].key"
    ),
    _of_condition(
        "empty key", {"k": "", "operator": "eq", "value": "x"}, "k", _INVALID,
        "key = query.filter[0].k, reason = a key is not empty",
    ),
    _of_condition(
        "unknown field", {"key": "stauts", "operator": "eq", "value": "x"}, "key", _INVALID,
        "reason = a job has no field 'stauts'; did you mean status?",
    ),
    *(
        _of_condition(
            f"key {key}", {"key": key, "operator": operator, "value": value}, "key", _INVALID,
            f"reason = a job has no field {key!r}",
        )
        for key, operator, value in (
            ("__raw__", "eq", {"domain_id": "x"}),
            ("status__ne", "eq", "x"),
            ("$where", "regex", "x"),
            ("_id", "eq", "x"),
            ("status.x", "eq", "x"),
        )
    ),
    *(
        _of_condition(
            f"{operator} on another field",
            {"key": "total_tasks", "operator": operator, "value": ["1"]}, "operator", _INVALID,
            f"reason = operator {operator} applies to text fields, and total_tasks is integer",
        )
        for operator in (
            "contain", "not_contain", "contain_in", "not_contain_in", "regex", "regex_in"
        )
    ),
    *(
        _of_condition(
            f"{kind}_{comparison} on another field",
            {"key": "status", "operator": f"{kind}_{comparison}", "value": "2026-03-04"},
            "operator", _INVALID,
            f"reason = operator {kind}_{comparison} applies to date fields, and status is text",
        )
        for kind in ("datetime", "timediff")
        for comparison in ("lt", "lte", "gt", "gte")
    ),
]  # fmt: skip

VALUES = [
    *(
        _of_value("status", operator, ["a"], _SINGLE, f"{operator} operator' does not support list")
        for operator in ("eq", "not", "lt", "lte", "gt", "gte", "contain", "not_contain", "regex")
    ),
    *(
        _of_value("created_at", operator, ["2026-03-04"], _SINGLE, f"'{operator} operator' does")
        for operator in ("datetime_lt", "datetime_lte", "datetime_gt", "datetime_gte")
    ),
    *(
        _of_value("created_at", operator, ["now"], _SINGLE, f"'{operator} operator' does not")
        for operator in ("timediff_lt", "timediff_lte", "timediff_gt", "timediff_gte")
    ),
    *(
        _of_value("status", operator, "a", _LIST, f"The value of '{operator} operator' must be a")
        for operator in ("in", "not_in", "contain_in", "not_contain_in", "regex_in")
    ),
    _of_value("status", "in", None, _LIST, "The value of 'in operator' must be a list type."),
    *(
        _of_condition(
            f"a list within the list of {operator}",
            {"key": "status", "operator": operator, "value": [["a"]]}, "value[0]",
            _SINGLE, f"The value of '{operator} operator' does not support list type.",
        )
        for operator in ("in", "contain_in", "not_contain_in", "regex_in")
    ),
    _of_value("status", "eq", {"$ne": "x"}, _TYPE, f"{_VALUE}, type = string"),
    _of_value("status", "eq", 3, _TYPE, f"{_VALUE}, type = string"),
    _of_value("status", "contain", None, _TYPE, f"{_VALUE}, type = string"),
    _of_value("total_tasks", "gt", 2.5, _TYPE, f"{_VALUE}, type = integer"),
    _of_value("total_tasks", "gt", "2.5", _TYPE, f"{_VALUE}, type = integer"),
    _of_value("total_tasks", "eq", True, _TYPE, f"{_VALUE}, type = integer"),
    _of_value("total_tasks", "eq", 1e300, _TYPE, f"{_VALUE}, type = integer"),
    _of_value("created_at", "eq", "yesterday", _TYPE, f"{_VALUE}, type = ISO 8601 date-time"),
    _of_value("created_at", "lt", 20260304, _TYPE, f"{_VALUE}, type = ISO 8601 date-time"),
    _of_value("id", "eq", "xyz", _TYPE, f"{_VALUE}, type = ObjectId"),
    _of_value("status", "exists", "true", _BOOLEAN, "'exists operator' must be a boolean type."),
    _of_value("status", "match", "x", _DICTIONARY, "'match operator' must be a dictionary type."),
    _of_condition(
        "NUL in a regex", {"key": "plugin_id", "operator": "regex", "value": "a\0b"}, "value",
        _INVALID, "reason = a regular expression cannot hold",
    ),
    _of_value("created_at", "datetime_lt", "2026-02-30", _INVALID, "not a date and time that"),
    _of_value("created_at", "datetime_lt", "04/03/2026", _INVALID, "not an ISO 8601 date or"),
    *(
        _of_value("created_at", "timediff_lt", written, _INVALID, "reason = not a relative time:")
        for written in ("now-2M", "now/y", "now-1d/d", "", "yesterday", "now-1.5d", "now--1d")
    ),
    _of_value("created_at", "timediff_lt", "now-9999999999w", _INVALID, "the years 1 to 9999"),
]  # fmt: skip


def _of_list(name: str, query: Document, path: str, code: Code, details: str) -> RefusalCase:
    return RefusalCase(name, "list", query, path, code, details)


LISTS = [
    _of_list(
        "unknown field in only", {"only": ["job_id", "plugin"]}, "query.only[1]", _INVALID,
        "reason = a job has no field 'plugin'; did you mean plugin_id?",
    ),
    _of_list(
        "sort entry without key", {"sort": [{"desc": True}]}, "query.sort[0].key", _REQUIRED,
        "key = query.sort[0].key",
    ),
    _of_list(
        "sort by what is nearly a field", {"sort": [{"key": "statu"}]}, "query.sort[0].key",
        _INVALID, "reason = there is no 'statu' to sort by; did you mean status?",
    ),
    _of_list(
        "sort by what is no field", {"sort": [{"key": "zzz"}]}, "query.sort[0].key",
        _INVALID, "reason = there is no 'zzz' to sort by; names are id, job_id, status,",
    ),
    _of_list(
        "sort by an operator", {"sort": [{"key": "status__ne"}]}, "query.sort[0].key", _INVALID,
        "reason = a sort key is a field name, without '__'",
    ),
    _of_list(
        "sort by an expression", {"sort": [{"key": "$status"}]}, "query.sort[0].key", _INVALID,
        "reason = a key is a field path, without '$' and NUL",
    ),
    _of_list(
        "sort by a part of a field", {"sort": [{"key": "status.x"}]}, "query.sort[0].key",
        _INVALID, "reason = there is no 'status.x' to sort by; did you mean status?",
    ),
    _of_list(
        "unwind of what is no field", {"unwind": {"path": "tags"}}, "query.unwind.path", _INVALID,
        "reason = a job has no field 'tags'",
    ),
    _of_list(
        "bad added field", {"add_fields": {"x": {"$function": {}}}},
        "query.add_fields.x['$function']", _INVALID, "there is no such parameter here",
    ),
    _of_list(
        "lookup of another collection", {"lookup": [{"from": "secret"}]}, "query.lookup[0]",
        _DENIED, "A lookup is allowed in this form alone",
    ),
    _of_list(
        "lookup under a field's name",
        {"lookup": [
            {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "status"}
        ]},
        "query.lookup[0].as", _INVALID, "a lookup's result is not called like a field of the job",
    ),
]  # fmt: skip

CASES = [*CONDITIONS, *VALUES, *LISTS]
