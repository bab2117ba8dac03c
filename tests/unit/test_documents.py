"""The models give a document its shape: names, types and defaults of spec/data-model.md."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from bson import ObjectId
from mongoengine.connection import ConnectionFailure
from mongoengine.errors import ValidationError

from inventory_job.model.documents import Job, JobTask, new_job_id, new_job_task_id

COUNTERS = {"total_tasks", "remained_tasks", "success_tasks", "failure_tasks"}


def test_a_job_id_is_the_prefix_and_twelve_lower_case_hex_digits() -> None:
    assert re.fullmatch(r"job-[0-9a-f]{12}", new_job_id())


def test_a_job_task_id_is_the_prefix_and_twelve_lower_case_hex_digits() -> None:
    assert re.fullmatch(r"job-task-[0-9a-f]{12}", new_job_task_id())


def test_job_ids_differ() -> None:
    assert len({new_job_id() for _ in range(1000)}) == 1000


def test_each_job_gets_an_id_of_its_own() -> None:
    assert Job().job_id != Job().job_id


def test_a_job_of_which_nothing_is_said_is_in_progress_with_no_tasks_and_nulls() -> None:
    stored = Job().to_mongo()

    stored.pop("job_id")
    assert stored.pop("status") == "IN_PROGRESS"
    assert {name: stored.pop(name) for name in COUNTERS} == dict.fromkeys(COUNTERS, 0)
    assert set(stored.values()) == {None}


def test_a_job_has_the_fields_of_the_data_model() -> None:
    assert set(Job().to_mongo()) == COUNTERS | {
        "job_id",
        "status",
        "collector_id",
        "plugin_id",
        "request_secret_id",
        "request_workspace_id",
        "resource_group",
        "workspace_id",
        "domain_id",
        "created_at",
        "updated_at",
        "finished_at",
    }


def test_a_stored_job_may_hold_fields_that_the_model_does_not_know() -> None:
    stored = {
        "_id": ObjectId(),
        "job_id": "job-1",
        "status": "TIMEOUT",
        "filter": {"region": ["a"]},
        "created_at": datetime(2020, 1, 1),
    }

    job = Job._from_son(stored)

    assert (job.job_id, job.status) == ("job-1", "TIMEOUT")


@pytest.mark.parametrize("status", ["ERROR", "TIMEOUT", "SOMETHING_NEW"])
def test_a_job_may_have_a_status_that_this_service_does_not_know(status: str) -> None:
    Job(status=status).validate()


def test_a_status_longer_than_twenty_characters_is_refused() -> None:
    with pytest.raises(ValidationError):
        Job(status="X" * 21).validate()


def test_remained_tasks_may_be_negative() -> None:
    Job(remained_tasks=-1).validate()


@pytest.mark.parametrize("missing", ["job_id", "domain_id"])
def test_a_task_belongs_to_a_job_and_a_domain(missing: str) -> None:
    keys = {"job_id": "job-1", "domain_id": "domain-1"}
    del keys[missing]

    with pytest.raises(ValidationError, match=missing):
        JobTask(**keys).validate()


@pytest.mark.parametrize("model", [Job, JobTask])
def test_a_model_has_no_connection_of_its_own(model: type[Job | JobTask]) -> None:
    with pytest.raises(ConnectionFailure):
        model.objects.first()
