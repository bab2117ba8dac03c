"""The fields of a job: the name, stored path and type of each.

See docs/data-model.md#job. `resolve` finds the `Field` for a name that a caller wrote.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum


class FieldType(Enum):
    """The type of a field; the enum's value is its name in error messages."""

    TEXT = "string"
    INTEGER = "integer"
    DATE = "ISO 8601 date-time"
    OBJECT_ID = "ObjectId"
    ANY = "string, number, boolean or null"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a job: `name` as callers write it, `path` as it is stored."""

    name: str
    path: str
    type: FieldType


def _fields(type_: FieldType, *names: str) -> dict[str, Field]:
    return {name: Field(name, name, type_) for name in names}


_STEADY_TEXTS = (
    "request_secret_id",
    "request_workspace_id",
    "resource_group",
    "domain_id",
    "workspace_id",
    "collector_id",
    "plugin_id",
)

FIELDS: Mapping[str, Field] = (
    {"id": Field("id", "_id", FieldType.OBJECT_ID)}
    | _fields(FieldType.TEXT, "job_id", "status")
    | _fields(FieldType.INTEGER, "total_tasks", "remained_tasks", "success_tasks", "failure_tasks")
    | _fields(FieldType.TEXT, *_STEADY_TEXTS)
    | _fields(FieldType.DATE, "created_at", "updated_at", "finished_at")
)
"""Every field that a caller may filter by or request, by name."""

STEADY_FIELDS = frozenset({*_STEADY_TEXTS, "created_at"})
"""The fields whose values never change after a job's creation, except `job_id` and `id`, whose
values few jobs share."""

SHOWN: tuple[str, ...] = tuple(name for name in FIELDS if name != "id")
"""The fields of JobInfo."""

MINIMAL: tuple[str, ...] = ("job_id", "status", "created_at", "finished_at")


def resolve(name: str) -> Field:
    """The field called `name`; raises ValueError with a reason listing near matches."""
    field = FIELDS.get(name)
    if field is None:
        raise ValueError(f"a job has no field {name[:60]!r}; {suggestion(name, FIELDS, 'fields')}")
    return field


def suggestion(name: str, known: Collection[str], what: str) -> str:
    """A question that suggests the `known` names most like `name`; all of them if none is similar.
    `what` says what they are, in the plural."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {', '.join(near)}?" if near else f"{what} are {', '.join(known)}"
