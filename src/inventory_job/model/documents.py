"""The stored documents as mongoengine models: names, types, defaults and indexes.

The models only describe the documents. They accept unknown fields, create no indexes and have no
connection: the asynchronous driver reads and writes their collections, and `model/indexes.py`
creates `INDEXES`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, ClassVar

from mongoengine import DateTimeField, Document, IntField, StringField
from pymongo import ASCENDING, DESCENDING

JOB_COLLECTION = "job"
JOB_TASK_COLLECTION = "job_task"


@dataclass(frozen=True, slots=True)
class Index:
    """An index: its collection, its name, its fields (`-` means descending) and whether it is
    unique."""

    collection: str
    name: str
    fields: tuple[str, ...]
    unique: bool = False

    @property
    def keys(self) -> tuple[tuple[str, int], ...]:
        """The index keys as pymongo takes them: (field, direction) pairs."""
        return tuple(
            (field.lstrip("-"), DESCENDING if field.startswith("-") else ASCENDING)
            for field in self.fields
        )


def _of_jobs(name: str, *fields: str, unique: bool = False) -> Index:
    return Index(JOB_COLLECTION, name, fields, unique)


REFERENCE_INDEXES: tuple[Index, ...] = (
    _of_jobs("job_id_1", "job_id", unique=True),
    _of_jobs("COMPOUND_INDEX_FOR_GC_1", "domain_id", "collector_id", "status"),
    _of_jobs("COMPOUND_INDEX_FOR_GC_2", "domain_id", "-created_at", "status"),
    _of_jobs("COMPOUND_INDEX_FOR_SEARCH_1", "domain_id", "workspace_id"),
    _of_jobs("status_1", "status"),
    _of_jobs("collector_id_1", "collector_id"),
    _of_jobs("workspace_id_1", "workspace_id"),
    _of_jobs("domain_id_1", "domain_id"),
)
"""The indexes that other services of this database create, under the names that they use."""

NEWEST_OF_DOMAIN = _of_jobs("inventory_job_domain_newest", "domain_id", "-created_at", "_id")
NEWEST_OF_WORKSPACE = _of_jobs(
    "inventory_job_workspace_newest", "domain_id", "workspace_id", "-created_at", "_id"
)
OWN_INDEXES: tuple[Index, ...] = (
    NEWEST_OF_DOMAIN,
    NEWEST_OF_WORKSPACE,
    _of_jobs(
        "inventory_job_domain_groups",
        "domain_id",
        "plugin_id",
        "status",
        "collector_id",
        "workspace_id",
        "-created_at",
    ),
    Index(JOB_TASK_COLLECTION, "inventory_job_tasks_of_job", ("domain_id", "job_id")),
)
"""The indexes that this service adds: for the newest jobs of a scope without an in-memory sort, for
covered counts by group (no job is fetched), and for the tasks of a deleted job."""

INDEXES: tuple[Index, ...] = REFERENCE_INDEXES + OWN_INDEXES


def _meta(collection: str) -> dict[str, Any]:
    """The `meta` of the mongoengine model of a collection."""
    return {
        "collection": collection,
        "strict": False,
        "auto_create_index": False,
        "indexes": [
            {"name": index.name, "fields": list(index.fields), "unique": index.unique}
            for index in INDEXES
            if index.collection == collection
        ],
    }


def new_job_id() -> str:
    """A new job id: `job-` and 12 lower-case hex digits (6 random bytes)."""
    return f"job-{secrets.token_hex(6)}"


def new_job_task_id() -> str:
    """A new task id: `job-task-` and 12 lower-case hex digits (6 random bytes)."""
    return f"job-task-{secrets.token_hex(6)}"


class Job(Document):
    """One run of a collector. Dates are UTC. Collectors write jobs; this service reads them."""

    meta: ClassVar[dict[str, Any]] = _meta(JOB_COLLECTION)

    job_id = StringField(max_length=40, default=new_job_id)
    status = StringField(max_length=20, default="IN_PROGRESS")
    total_tasks = IntField(default=0)
    remained_tasks = IntField(default=0)
    success_tasks = IntField(default=0)
    failure_tasks = IntField(default=0)
    collector_id = StringField(max_length=40, default=None, null=True)
    plugin_id = StringField(max_length=40, default=None, null=True)
    request_secret_id = StringField(max_length=40, default=None, null=True)
    request_workspace_id = StringField(max_length=40, default=None, null=True)
    resource_group = StringField(max_length=40, default=None, null=True)
    workspace_id = StringField(max_length=40, default=None, null=True)
    domain_id = StringField(max_length=40, default=None, null=True)
    created_at = DateTimeField(default=None, null=True)
    updated_at = DateTimeField(default=None, null=True)
    finished_at = DateTimeField(default=None, null=True)


class JobTask(Document):
    """One part of a job, deleted with it. This service uses only `job_id` and `domain_id`."""

    meta: ClassVar[dict[str, Any]] = _meta(JOB_TASK_COLLECTION)

    job_task_id = StringField(max_length=40, default=new_job_task_id)
    status = StringField(max_length=20, default="PENDING")
    provider = StringField(max_length=40, default=None, null=True)
    total_sub_tasks = IntField(default=0)
    remained_sub_tasks = IntField(default=0)
    created_count = IntField(default=0)
    updated_count = IntField(default=0)
    deleted_count = IntField(default=0)
    disconnected_count = IntField(default=0)
    failure_count = IntField(default=0)
    total_count = IntField(default=0)
    resource_group = StringField(max_length=40, default=None, null=True)
    job_id = StringField(max_length=40, required=True)
    secret_id = StringField(max_length=40, default=None, null=True)
    collector_id = StringField(max_length=40, default=None, null=True)
    service_account_id = StringField(max_length=40, default=None, null=True)
    project_id = StringField(max_length=40, default=None, null=True)
    workspace_id = StringField(max_length=40, default=None, null=True)
    domain_id = StringField(max_length=40, required=True)
    created_at = DateTimeField(default=None, null=True)
    started_at = DateTimeField(default=None, null=True)
    updated_at = DateTimeField(default=None, null=True)
    finished_at = DateTimeField(default=None, null=True)
