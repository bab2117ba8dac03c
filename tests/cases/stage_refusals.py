"""Bad stages of a stat and bad parts of an analyze; see cases.refusals."""

from __future__ import annotations

from typing import Any

from inventory_job.errors import Code
from tests.cases.refusals import Document, RefusalCase

_INVALID, _TYPE = Code.INVALID_PARAMETER, Code.INVALID_PARAMETER_TYPE
_REQUIRED, _DENIED = Code.REQUIRED_PARAMETER, Code.PERMISSION_DENIED
_STAGE = "query.aggregate[0]"
_FIELD = f"{_STAGE}.group.fields[0]"


def _of_stage(name: str, stage: Document, below: str, code: Code, details: str) -> RefusalCase:
    path = f"{_STAGE}.{below}" if below else _STAGE
    return RefusalCase(name, "stat", {"aggregate": [stage]}, path, code, details)


def _of_group(name: str, field: Document, below: str, code: Code, details: str) -> RefusalCase:
    """A group with one bad field."""
    path = f"group.fields[0].{below}" if below else "group.fields[0]"
    return _of_stage(name, {"group": {"fields": [field]}}, path, code, details)


def _of_key(name: str, key: Document, below: str, code: Code, details: str) -> RefusalCase:
    """A group with one bad key."""
    return _of_stage(name, {"group": {"keys": [key]}}, f"group.keys[0].{below}", code, details)


_WHERE = [{"key": "status", "operator": "eq", "value": "SUCCESS"}]
_BY_STATUS = [{"key": "status", "name": "s"}]
_COUNT = {"name": "n", "operator": "count"}

GROUPS = [
    _of_stage("empty stage", {}, "", _INVALID, "reason = a stage is exactly one of unwind, group,"),
    _of_stage(
        "group without keys and fields", {"group": {}}, "group", _REQUIRED,
        "key = aggregate.group.keys or fields",
    ),
    _of_key("no key", {"name": "x"}, "key", _REQUIRED, f"key = {_STAGE}.group.keys[0].key"),
    _of_key("no name", {"key": "x"}, "name", _REQUIRED, f"key = {_STAGE}.group.keys[0].name"),
    _of_key("key $ROOT", {"key": "$ROOT", "name": "x"}, "key", _INVALID, "a key is a field path"),
    _of_key("key $$ROOT", {"k": "$$ROOT", "name": "x"}, "k", _INVALID, "a key is a field path"),
    _of_key("key with NUL", {"key": "a\0", "name": "x"}, "key", _INVALID, "a key is a field path"),
    _of_key("empty key", {"key": "", "name": "x"}, "key", _INVALID, "a key is not empty"),
    _of_key("empty part of a key", {"key": "a..b", "name": "x"}, "key", _INVALID, "no empty part"),
    _of_key("name with a dot", {"key": "x", "name": "a.b"}, "name", _INVALID, "without '.', '$'"),
    _of_key("name with $", {"key": "x", "n": "$a"}, "n", _INVALID, "a name is without '.', '$'"),
    _of_key("empty name", {"key": "x", "name": ""}, "name", _INVALID, "a name is not empty"),
    _of_key(
        "bad date format", {"key": "x", "name": "x", "date_format": "%Q"}, "date_format", _INVALID,
        "reason = a date format is year, month, day or made of",
    ),
    _of_group("no name", {"operator": "count"}, "name", _REQUIRED, f"key = {_FIELD}.name"),
    _of_group("no operator", {"name": "n"}, "operator", _REQUIRED, f"key = {_FIELD}.operator"),
    _of_group(
        "unknown accumulator", {"name": "n", "operator": "median", "key": "x"}, "operator",
        _INVALID, "unknown operator 'median'; supported: count, sum, average, max, min, first,",
    ),
    *(
        _of_group(
            f"{operator} without key", {"name": "n", "operator": operator}, "key", _REQUIRED,
            f"key = {_FIELD}.key",
        )
        for operator in ("sum", "average", "max", "min", "first", "last", "add_to_set",
                         "merge_objects")
    ),
    _of_group(
        "push without key and fields", {"name": "n", "operator": "push"}, "fields", _REQUIRED,
        f"key = {_FIELD}.fields",
    ),
    _of_group(
        "fields on another operator than push",
        {"name": "n", "operator": "sum", "key": "x", "fields": [{"key": "x", "name": "x"}]},
        "fields", _INVALID, "reason = operator sum takes a key, not fields",
    ),
    _of_group(
        "two equal names in a push",
        {"name": "n", "operator": "push", "fields": [{"k": "x", "n": "x"}, {"k": "y", "n": "x"}]},
        "fields[1]", _INVALID, "the name 'x' is used twice",
    ),
    *(
        _of_group(
            f"conditions on {operator}",
            {"name": "n", "operator": operator, "key": "x", "conditions": _WHERE},
            "conditions", _INVALID, f"operator {operator} takes no conditions; only count, sum,",
        )
        for operator in ("max", "min", "first", "last", "push", "add_to_set", "merge_objects")
    ),
    *(
        _of_group(
            f"condition {operator}",
            {**_COUNT, "conditions": [{"key": "x", "operator": operator, "value": ["a"]}]},
            "conditions[0].operator", _INVALID,
            f"unknown operator {operator!r}; supported: eq, not, gt, gte, lt, lte",
        )
        for operator in ("in", "contain", "regex", "exists")
    ),
    _of_group(
        "condition on $$ROOT", {**_COUNT, "conditions": [{"k": "$$ROOT", "o": "eq", "v": 1}]},
        "conditions[0].k", _INVALID, "reason = a key is a field path",
    ),
    _of_group(
        "condition on a list", {**_COUNT, "conditions": [{"k": "x", "o": "eq", "v": [1]}]},
        "conditions[0].v", Code.OPERATOR_VALUE_TYPE, "'eq operator' does not support list type.",
    ),
    _of_group(
        "condition on a dictionary",
        {**_COUNT, "conditions": [{"k": "x", "o": "eq", "v": {"$gt": 1}}]},
        "conditions[0].v", _TYPE, "type = string, number, boolean or null",
    ),
    _of_stage(
        "two equal names in a group",
        {"group": {"keys": _BY_STATUS, "fields": [_COUNT, {"name": "n", "operator": "count"}]}},
        "group.fields[1]", _INVALID, "the name 'n' is used twice in one stage",
    ),
    _of_stage(
        "a field of a key's name",
        {"group": {"keys": _BY_STATUS, "fields": [{**_COUNT, "name": "s"}]}},
        "group.fields[0]", _INVALID, "the name 's' is used twice in one stage",
    ),
]  # fmt: skip


def _of_projected(name: str, field: Document, below: str, code: Code, details: str) -> RefusalCase:
    """A project with one bad field."""
    stage = {"project": {"fields": [field]}}
    return _of_stage(name, stage, f"project.fields[0].{below}", code, details)


_OF_TAGS = {"path": "tags"}

STAGES = [
    RefusalCase("nothing asked", "stat", {}, "query.aggregate", _REQUIRED, "(key = aggregate)"),
    _of_stage("limit 0", {"limit": 0}, "limit", _INVALID, "should be greater than 0"),
    _of_stage("negative limit", {"limit": -1}, "limit", _INVALID, "should be greater than 0"),
    _of_stage("negative skip", {"skip": -1}, "skip", _INVALID, "greater than or equal to 0"),
    _of_stage("count without name", {"count": {}}, "count.name", _REQUIRED, "count.name"),
    _of_stage("count of a dotted name", {"count": {"name": "a.b"}}, "count.name", _INVALID, "'.'"),
    _of_stage("empty sort", {"sort": []}, "sort", _REQUIRED, "key = aggregate.sort"),
    _of_stage(
        "sort entry without key", {"sort": [{"desc": True}]}, "sort[0].key", _REQUIRED,
        f"key = {_STAGE}.sort[0].key",
    ),
    _of_stage("sort by a text", {"sort": ["x"]}, "sort[0]", _TYPE, "type = dictionary"),
    _of_stage("sort by $", {"sort": [{"key": "$x"}]}, "sort[0].key", _INVALID, "a key is a field"),
    _of_stage(
        "sort the wrong way", {"sort": [{"key": "x", "desc": "yes"}]}, "sort[0].desc", _TYPE,
        "type = boolean",
    ),
    _of_stage(
        "unknown member of a sort", {"sort": [{"key": "x", "order": 1}]}, "sort[0].order",
        _INVALID, "there is no such parameter here",
    ),
    _of_stage("unwind without path", {"unwind": {}}, "unwind.path", _REQUIRED, "unwind.path"),
    _of_stage("unwind of $", {"unwind": {"path": "$x"}}, "unwind.path", _INVALID, "a key is a"),
    _of_stage(
        "regular expression in an unwind",
        {"unwind": {**_OF_TAGS, "filter": [{"k": "tags", "o": "regex", "v": "("}]}},
        "unwind.filter[0].o", _INVALID,
        "unknown operator 'regex'; supported: eq, not, in, not_in, contain, not_contain,",
    ),
    _of_stage(
        "no operator in an unwind", {"unwind": {**_OF_TAGS, "filter": [{"k": "tags", "v": "x"}]}},
        "unwind.filter[0].operator", _INVALID, "an operator is required; supported: eq, not, in,",
    ),
    _of_stage(
        "dictionary in an unwind",
        {"unwind": {**_OF_TAGS, "filter": [{"k": "tags", "o": "eq", "v": {"$ne": 1}}]}},
        "unwind.filter[0].v", _TYPE, "type = string, number, boolean or null",
    ),
    _of_stage("empty project", {"project": {}}, "project", _REQUIRED, "aggregate.project.fields"),
    _of_projected("project without name", {"key": "x"}, "name", _REQUIRED, "fields[0].name"),
    _of_projected("project without key", {"name": "x"}, "key", _REQUIRED, "fields[0].key"),
    _of_projected("project of $", {"name": "x", "key": "$x"}, "key", _INVALID, "a key is a field"),
    _of_projected(
        "unknown project operator", {"name": "x", "key": "x", "operator": "avg"}, "operator",
        _INVALID, "unknown operator 'avg'; supported: size, sum, array_to_object, object_to_array",
    ),
    *(
        _of_projected(
            f"project {operator}", {"name": "x", "key": "x", "operator": operator}, "operator",
            _INVALID, f"operator {operator} needs fields, which a project has not",
        )
        for operator in ("add", "subtract", "multiply", "divide")
    ),
    _of_stage(
        "two equal names in a project",
        {"project": {"fields": [{"key": "x", "name": "x"}, {"key": "y", "name": "x"}]}},
        "project.fields[1]", _INVALID, "the name 'x' is used twice in one stage",
    ),
    RefusalCase(
        "distinct expression", "stat", {"distinct": "$$ROOT"}, "query.distinct", _INVALID,
        "reason = a key is a field path",
    ),
]  # fmt: skip


def _of_analyze(name: str, parts: Document, path: str, code: Code, details: str) -> RefusalCase:
    query = {"fields": {"n": {"operator": "count"}}, **parts}
    return RefusalCase(name, "analyze", query, f"query.{path}", code, details)


def _of_field(name: str, field: Any, below: str, code: Code, details: str) -> RefusalCase:
    return _of_analyze(name, {"fields": {"x": field}}, f"fields.x{below}", code, details)


def _of_select(name: str, source: Any, below: str, code: Code, details: str) -> RefusalCase:
    return _of_analyze(name, {"select": {"x": source}}, f"select.x{below}", code, details)


def _of_added(name: str, expression: Any, below: str, details: str) -> RefusalCase:
    parts = {"add_fields": {"x": expression}}
    return _of_analyze(name, parts, f"add_fields.x{below}", _INVALID, details)


def _if(condition: Any) -> Document:
    return {"if": condition, "then": 1, "else": 0}


_NAMED_AS_TOTALS: dict[str, Document] = {
    "field_group[0]": {"field_group": ["_total_x"]},
    "group_by[0]": {"group_by": ["_total_x"]},
    "fields._total_x": {"fields": {"_total_x": {"operator": "count"}}},
    "select._total_x": {"select": {"_total_x": "n"}},
}
_LOOKUP = {"from": "job_task", "localField": "job_id", "foreignField": "job_id", "as": "tasks"}

ANALYSES = [
    RefusalCase("no fields", "analyze", {}, "query.fields", _REQUIRED, "(key = query.fields)"),
    _of_field("a field that is a number", 3, "", _TYPE, "key = query.fields.x, type = dictionary"),
    _of_field("a field that is null", None, "", _TYPE, "type = dictionary"),
    _of_field("a field without operator", {"key": "x"}, ".operator", _REQUIRED,
              "(key = query.fields.operator)"),
    _of_field("unknown accumulator", {"operator": "median", "key": "x"}, ".operator", _INVALID,
              "unknown operator 'median'; supported: count, sum,"),
    _of_field("sum without key", {"operator": "sum"}, ".key", _REQUIRED,
              "(key = query.fields.key)"),
    _of_field("push without anything", {"operator": "push"}, ".fields", _REQUIRED,
              "(key = query.fields.fields)"),
    _of_field("key with $", {"operator": "sum", "key": "$x"}, ".key", _INVALID, "a key is a field"),
    _of_field("unknown member", {"operator": "count", "conditions": []}, ".conditions", _INVALID,
              "there is no such parameter here"),
    _of_field("unknown data type", {"operator": "sum", "key": "x", "data_type": "list"},
              ".data_type", _INVALID, "a data type is array or absent"),
    _of_field("elements of a count", {"operator": "count", "data_type": "array"}, ".data_type",
              _INVALID, "operator count does not look into arrays"),
    _of_analyze("a field with a dotted name", {"fields": {"a.b": {"operator": "count"}}},
                "fields['a.b']", _INVALID, "a name is without '.', '$' and NUL"),
    *(
        _of_analyze(f"group_by {entry!r}", {"group_by": [entry]}, "group_by[0]", _INVALID,
                    "(key = group_by, reason = an entry is a text or {key, name};")
        for entry in ({"key": "x"}, {"name": "x"}, 3, None, ["x"], {"key": "$x", "name": "x"})
    ),
    _of_analyze("group_by $", {"group_by": ["$x"]}, "group_by[0]", _INVALID, "a key is a field"),
    _of_analyze("two equal names in group_by", {"group_by": ["a.x", "b.x"]}, "group_by[1]",
                _INVALID, "the name 'x' is used twice in one stage"),
    _of_analyze("a field of a key's name", {"group_by": ["n"]}, "fields.n", _INVALID,
                "a field and a group_by key have the same name"),
    _of_select("select of a number", 3, "", _TYPE, "type = string or dictionary"),
    _of_select("select of what is not there", "other", "", _INVALID,
               "a select names group_by keys and fields: n"),
    _of_select("unknown select operator", {"operator": "pow", "fields": ["n"]}, ".operator",
               _INVALID, "(key = query.select.operator, reason = unknown operator 'pow';"),
    _of_select("select of what is no list", {"operator": "add", "fields": "n"}, ".fields", _TYPE,
               "type = list"),
    _of_select("select of a boolean", {"operator": "add", "fields": ["n", True]}, ".fields[1]",
               _TYPE, "type = string, number or dictionary"),
    _of_select("size of a number", {"operator": "size", "key": 3}, ".key", _TYPE, "type = string"),
    _of_select("select without operator", {"fields": ["n"]}, ".operator", _REQUIRED,
               "(key = query.select.operator)"),
    *(
        _of_select(f"{operator} of {len(fields)}", {"operator": operator, "fields": fields},
                   ".fields", _INVALID, f"operator {operator} takes exactly two fields")
        for operator in ("subtract", "divide") for fields in (["n"], ["n", "n", "n"])
    ),
    _of_select("add of nothing", {"operator": "add", "fields": []}, ".fields", _INVALID,
               "operator add takes one field or more"),
    _of_select("size without key", {"operator": "size"}, ".key", _REQUIRED,
               "(key = query.select.key)"),
    _of_select("select of $", "$n", "", _INVALID, "a key is a field path"),
    *(
        _of_analyze(f"{path} called _total_x", {"field_group": ["y"], **parts}, path, _INVALID,
                    "a name does not begin with _total_")
        for path, parts in _NAMED_AS_TOTALS.items()
    ),
    _of_analyze("a folded name that hides the value",
                {"group_by": ["value"], "field_group": ["value"]}, "group_by[0]", _INVALID,
                "a name in field_group is not value"),
    _of_analyze("sort entry without key", {"sort": [{"desc": True}]}, "sort[0].key", _REQUIRED,
                "(key = query.sort[0].key)"),
    _of_added("an expression that is an operator", {"$function": {}}, "['$function']",
              "there is no such parameter here"),
    _of_added("a condition that is none", _if({"__function": {"body": "x"}}), ".if.__function",
              "unknown condition '__function'; supported: __eq, __ne,"),
    _of_added("two conditions in one", _if({"__eq": [1, 2], "__ne": [1, 2]}), ".if",
              "a condition is a dictionary of one of __eq, __ne,"),
    _of_added("a condition that is a text", _if("x"), ".if", "a condition is a dictionary"),
    _of_added("a list", [1], "", "an operand is a string, number, boolean or null;"),
    _of_added("an operand that is a dictionary", _if({"__eq": [{"__abs": 1}, 1]}), ".if.__eq[0]",
              "an operand is a string, number, boolean or null;"),
    _of_added("an operand instead of a list", _if({"__eq": 1}), ".if.__eq", "a list of operands"),
    _of_added("membership in a text", _if({"__in": ["$a", "x"]}), ".if.__in[1]", "is a list"),
    _of_added("a comparison of one", _if({"__eq": [1]}), ".if.__eq", "exactly 2 operands"),
    _of_added("a negation of two", _if({"__not": [{"__eq": [1, 2]}] * 2}), ".if.__not", "exactly"),
    _of_added("a junction of none", _if({"__or": []}), ".if.__or", "joins one or more others"),
    _of_added("an operand $$ROOT", _if({"__eq": ["$$ROOT", 1]}), ".if.__eq[0]", "a key is a field"),
    _of_added("a system variable", "$$NOW", "", "a key is a field path, without '$' and NUL"),
    *(
        _of_analyze(f"lookup {name}", {"lookup": [lookup]}, "lookup[0]", _DENIED,
                    "A lookup is allowed in this form alone: {from: job_task, localField,")
        for name, lookup in {
            "of another collection": {**_LOOKUP, "from": "job"},
            "with a pipeline": {**_LOOKUP, "pipeline": []},
            "without a local field": {"from": "job_task", "foreignField": "x", "as": "y"},
            "on an expression": {**_LOOKUP, "localField": "$x"},
            "into a path": {**_LOOKUP, "as": "a.b"},
            "that is a text": "job_task",
        }.items()
    ),
]  # fmt: skip

CASES = [*GROUPS, *STAGES, *ANALYSES]
