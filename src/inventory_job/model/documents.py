"""The stored documents as mongoengine models: names, types and defaults (spec/data-model.md).

The models only give the shape: they accept whatever fields a database holds, create no index and
have no connection of their own: `collection_of` names a model's collection, whose documents the
asynchronous driver reads and writes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from mongoengine import (
    DateTimeField,
    Document,
    IntField,
    StringField,
)

JOB_COLLECTION = "job"
JOB_TASK_COLLECTION = "job_task"


def new_job_id() -> str:
    """A fresh job id: `job-` and 12 lower-case hex digits (6 random bytes)."""
    return f"job-{secrets.token_hex(6)}"


def new_job_task_id() -> str:
    """A fresh job task id: `job-task-` and 12 lower-case hex digits (6 random bytes)."""
    return f"job-task-{secrets.token_hex(6)}"


class Job(Document):
    """One run of a collector. Dates are UTC; collectors write these, this service reads them."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": JOB_COLLECTION,
        "strict": False,
        "auto_create_index": False,
    }

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
    """One part of a job. Only `job_id` and `domain_id` matter here: they go when the job goes."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": JOB_TASK_COLLECTION,
        "strict": False,
        "auto_create_index": False,
    }

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


def collection_of(model: type[Job | JobTask]) -> str:
    """The name of the collection that holds the documents of `model`."""
    return _COLLECTIONS[model]


_COLLECTIONS: Mapping[type[Document], str] = {Job: JOB_COLLECTION, JobTask: JOB_TASK_COLLECTION}
