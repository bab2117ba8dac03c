"""The fields of a job: what each is called, where it is stored, and of what type.

See docs/data-model.md#job. Names a caller writes are resolved here, once, into `Field`s.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class FieldType(Enum):
    """What a field holds; the value is what messages call it."""

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


FIELDS: Mapping[str, Field] = (
    {"id": Field("id", "_id", FieldType.OBJECT_ID)}
    | _fields(FieldType.TEXT, "job_id", "status")
    | _fields(FieldType.INTEGER, "total_tasks", "remained_tasks", "success_tasks", "failure_tasks")
    | _fields(
        FieldType.TEXT,
        "request_secret_id",
        "request_workspace_id",
        "resource_group",
        "domain_id",
        "workspace_id",
        "collector_id",
        "plugin_id",
    )
    | _fields(FieldType.DATE, "created_at", "updated_at", "finished_at")
)
"""Every field a caller may filter by or ask for, by name."""

SHOWN: tuple[str, ...] = tuple(name for name in FIELDS if name != "id")
"""The fields of JobInfo."""

MINIMAL: tuple[str, ...] = ("job_id", "status", "created_at", "finished_at")


def resolve(name: str) -> Field:
    """The field called `name`; raises ValueError with a reason listing near matches."""
    field = FIELDS.get(name)
    if field is None:
        hint = near_matches(name, FIELDS) or f"fields are {', '.join(FIELDS)}"
        raise ValueError(f"a job has no field {name[:60]!r}; {hint}")
    return field


def near_matches(name: str, known: Iterable[str]) -> str:
    """What may have been meant by `name`, as a question; empty when nothing is like it."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {', '.join(near)}?" if near else ""
