"""list: docs/query-language.md#list, and docs/data-model.md#values-of-a-job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from bson import ObjectId

from .answers import ListAnswer
from .expressions import added_fields, with_added_fields
from .filters import (
    DATE_FIELDS,
    INT_FIELDS,
    JOB_FIELDS,
    Condition,
    Plain,
    Scope,
    needed,
    select_documents,
    unwind_test,
)
from .rows import page_bounds
from .values import (
    ABSENT,
    Document,
    NotEvaluable,
    SomeText,
    as_number,
    is_nan,
    is_number,
    iso_text,
    sort_key,
)

_INT32: Final = (-(2**31), 2**31 - 1)
_STATUSES: Final[Mapping[str, str]] = {
    **{name: name for name in ("FAILURE", "CANCELED", "IN_PROGRESS", "SUCCESS")},
    "ERROR": "FAILURE",
    "TIMEOUT": "FAILURE",
}
_RESOURCE_GROUPS: Final = {"DOMAIN": "DOMAIN", "WORKSPACE": "WORKSPACE"}
_MINIMAL: Final = frozenset({"job_id", "status", "created_at", "finished_at"})
_DIRECT: Final = ("job_id", "status", "collector_id", "plugin_id", "workspace_id")


def list_jobs(
    documents: Iterable[Document], request: Plain, scope: Scope, now: datetime
) -> ListAnswer:
    """What a list over the documents answers.

    Inputs as for `stat`, with a JobsQuery. A workspace_id of the request is an eq condition only
    when the scope names no workspace: otherwise the scope overrides it or stems from it.
    Raises `NotEvaluable` where the specification gives no answer.
    """
    query = request.get("query", {})
    if query.get("lookup"):
        raise NotEvaluable("lookup")
    found = select_documents(documents, query, scope, now, *_direct_conditions(request, scope))
    found = [document for document in found if _passes_unwind(document, query.get("unwind", {}))]
    count = min(len(found), _INT32[1])
    if query.get("count_only", False):
        return ListAnswer(count, [])
    before, size = page_bounds(query.get("page", {}))
    shown = _in_order(found, query)[before : before + size]
    return ListAnswer(count, [_job_info(document, _shown_fields(query)) for document in shown])


def _passes_unwind(document: Document, unwind: Plain) -> bool:
    """Whether a job meets the filter of an unwind, whose field it has."""
    if not unwind.get("filter"):
        return True
    path = "_id" if unwind["path"] == "id" else unwind["path"]
    value = document.get(path, ABSENT)
    if isinstance(value, list):
        raise NotEvaluable("an unwind of a list in a job")
    if value is ABSENT or value is None:
        return False
    return unwind_test(unwind["filter"], lambda key: key, raw=True)(document)


def _direct_conditions(request: Plain, scope: Scope) -> list[Condition]:
    names = [name for name in _DIRECT if request.get(name) not in (None, "", "JOB_STATE_NONE")]
    if scope.workspace_ids:
        names = [name for name in names if name != "workspace_id"]
    return [Condition(name, "eq", request[name]) for name in names]


def _in_order(found: list[Document], query: Plain) -> list[Document]:
    """The documents sorted; the last tie-break is `_id`, ascending."""
    added = added_fields(query.get("add_fields", {}))
    if JOB_FIELDS & set(added):
        raise NotEvaluable("an added field of the name of a job's field")
    rows = [(with_added_fields(document, added), document) for document in found]
    rows.sort(key=lambda pair: sort_key(pair[1]["_id"]))
    sort = query.get("sort") or [{"key": "created_at", "desc": True}]
    # A key that is there once more says nothing new, also where lists have two ends to sort by.
    first: dict[str, Plain] = {}
    for spec in sort:
        first.setdefault(needed(spec, "key"), spec)
    for spec in reversed(first.values()):
        key, down = needed(spec, "key"), bool(spec.get("desc", False))
        name = "_id" if key == "id" else key
        if name not in JOB_FIELDS and name not in added and name != "_id":
            _require_unknown(found, name)
        rows.sort(key=lambda pair: sort_key(pair[0].get(name, ABSENT), down), reverse=down)
    return [document for _, document in rows]


def _require_unknown(found: Iterable[Document], name: str) -> None:
    if any(name.partition(".")[0] in document for document in found):
        raise NotEvaluable(f"whether one can sort by the older field {name!r} is not said")


def _shown_fields(query: Plain) -> frozenset[str]:
    only = frozenset(query.get("only", ()))
    if only - JOB_FIELDS:
        raise NotEvaluable(f"not fields of a job: {sorted(only - JOB_FIELDS)}")
    if query.get("minimal", False):
        return only | _MINIMAL
    return only or JOB_FIELDS


def _job_info(document: Document, shown: frozenset[str]) -> dict[str, Any]:
    return {name: _member(document, name, name in shown) for name in sorted(JOB_FIELDS)}


def _member(document: Document, name: str, shown: bool) -> Any:
    value = document.get(name, ABSENT) if shown else None
    if name == "status":
        if not shown:
            return "NONE"
        return "IN_PROGRESS" if value in (ABSENT, None) else _named(value, _STATUSES, "NONE")
    if name == "resource_group":
        return _named(value, _RESOURCE_GROUPS, "RESOURCE_GROUP_NONE")
    if value is None or value is ABSENT:
        return 0 if name in INT_FIELDS else ""
    if name in INT_FIELDS:
        return _int32(value)
    return _date(value) if name in DATE_FIELDS else _text(value)


def _named(value: Any, names: Mapping[str, str], unknown: str) -> str:
    return names.get(value, unknown) if type(value) is str else unknown


def _int32(value: Any) -> int:
    if not is_number(value) or is_nan(value):
        return 0
    least, most = _INT32
    return int(max(least, min(most, as_number(value))))


def _date(value: Any) -> str | SomeText:
    return iso_text(value) if isinstance(value, datetime) else _text(value)


def _text(value: Any) -> str | SomeText:
    if isinstance(value, (str, ObjectId)):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    return SomeText()
