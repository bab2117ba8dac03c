"""Demo data looks like a year on a platform, adds up, and is the same for the same description."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from statistics import mean, median
from typing import Any

import bson
import pytest

from inventory_job.embedded.demo_data import LARGEST_TENANT, Demo, samples

UNTIL = datetime(2026, 3, 1)
JOBS = 10_000
YEAR = timedelta(days=365)

Document = dict[str, Any]
Pair = tuple[Document, list[Document]]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return list(Demo(JOBS, seed=0, until=UNTIL).documents())


@pytest.fixture(scope="module")
def jobs(pairs: list[Pair]) -> list[Document]:
    return [job for job, _ in pairs]


@pytest.fixture(scope="module")
def tasks(pairs: list[Pair]) -> list[Document]:
    return [task for _, tasks in pairs for task in tasks]


PRINT_DIGEST = """
import hashlib, bson
from datetime import datetime
from inventory_job.embedded.demo_data import Demo
found = hashlib.sha256()
for job, tasks in Demo(200, seed=3, until=datetime(2026, 3, 1)).documents():
    for document in (job, *tasks):
        found.update(bson.encode(document))
print(found.hexdigest())
"""


def digest(*, hash_seed: int) -> str:
    """Of every byte that a process of its own would store."""
    printed = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return printed.stdout


def statuses(jobs: list[Document]) -> list[str]:
    return [job["status"] for job in jobs]


def test_the_same_description_gives_the_same_bytes_in_every_process() -> None:
    assert digest(hash_seed=1) == digest(hash_seed=2)


def test_a_description_can_be_read_twice() -> None:
    demo = Demo(50, seed=3, until=UNTIL)

    assert list(demo.documents()) == list(demo.documents())


@pytest.mark.parametrize(
    "other",
    [Demo(200, seed=1, until=UNTIL), Demo(200, seed=0, until=UNTIL + timedelta(days=1))],
    ids=["seed", "end"],
)
def test_another_seed_or_end_gives_other_jobs(other: Demo) -> None:
    first = {job["_id"] for job, _ in Demo(200, seed=0, until=UNTIL).documents()}

    assert first.isdisjoint(job["_id"] for job, _ in other.documents())


@pytest.mark.parametrize("count", [0, 1, 137])
def test_there_are_as_many_jobs_as_asked_for(count: int) -> None:
    assert len(list(Demo(count, seed=0, until=UNTIL).documents())) == count


@pytest.mark.parametrize("until", [datetime(1970, 6, 1), datetime(2106, 6, 1)])
def test_an_end_that_object_ids_cannot_hold_is_refused(until: datetime) -> None:
    with pytest.raises(ValueError, match="1972 to 2105"):
        Demo(1, seed=0, until=until)


@pytest.mark.parametrize("until", [datetime(1972, 1, 1), datetime(2105, 12, 31, 23, 59, 59)])
def test_the_first_and_last_ends_allowed_give_jobs(until: datetime) -> None:
    assert len(list(Demo(20, seed=0, until=until).documents())) == 20


def test_job_ids_are_the_prefix_and_twelve_hex_digits_and_unique(jobs: list[Document]) -> None:
    ids = {job["job_id"] for job in jobs}

    assert len(ids) == JOBS
    assert all(re.fullmatch(r"job-[0-9a-f]{12}", job_id) for job_id in ids)


def test_task_ids_are_the_prefix_and_twelve_hex_digits_and_unique(tasks: list[Document]) -> None:
    ids = {task["job_task_id"] for task in tasks}

    assert len(ids) == len(tasks)
    assert all(re.fullmatch(r"job-task-[0-9a-f]{12}", task_id) for task_id in ids)


def test_object_ids_are_unique_and_hold_the_second_of_creation(
    jobs: list[Document], tasks: list[Document]
) -> None:
    for documents in (jobs, tasks):
        assert len({document["_id"] for document in documents}) == len(documents)
        for document in documents:
            second = document["created_at"].replace(microsecond=0)
            assert document["_id"].generation_time.replace(tzinfo=None) == second


def test_documents_come_back_from_bson_as_they_were(pairs: list[Pair]) -> None:
    for job, tasks in pairs[:500]:
        for document in (job, *tasks):
            assert bson.decode(bson.encode(document)) == document


def test_the_counters_add_up_to_the_total(jobs: list[Document]) -> None:
    for job in jobs:
        parts = [job["success_tasks"], job["failure_tasks"], job["remained_tasks"]]
        assert sum(parts) == job["total_tasks"]
        assert min(parts) >= 0


def test_a_job_has_one_to_eight_tasks_and_as_many_as_it_says(pairs: list[Pair]) -> None:
    for job, tasks in pairs:
        assert len(tasks) == job["total_tasks"]
    assert {job["total_tasks"] for job, _ in pairs} == set(range(1, 9))


def test_the_tasks_are_in_the_states_that_the_job_counts(pairs: list[Pair]) -> None:
    for job, tasks in pairs:
        states = Counter(task["status"] for task in tasks)
        assert states["SUCCESS"] == job["success_tasks"]
        assert states["IN_PROGRESS"] == job["remained_tasks"]
        assert states["FAILURE"] + states["CANCELED"] == job["failure_tasks"]


def test_tasks_name_their_job_tenant_workspace_and_collector(pairs: list[Pair]) -> None:
    for job, tasks in pairs:
        for task in tasks:
            for name in ("job_id", "domain_id", "workspace_id", "collector_id", "created_at"):
                assert task[name] == job[name]
            assert task["provider"]


def test_the_status_follows_from_the_counters(jobs: list[Document]) -> None:
    for job in jobs:
        if job["status"] == "SUCCESS":
            assert job["success_tasks"] == job["total_tasks"]
        elif job["status"] == "IN_PROGRESS":
            assert job["remained_tasks"] > 0
        else:
            assert job["status"] in {"FAILURE", "CANCELED"}
            assert job["failure_tasks"] > 0
            assert job["remained_tasks"] == 0


def test_only_jobs_and_tasks_in_progress_have_no_end(
    jobs: list[Document], tasks: list[Document]
) -> None:
    for document in (*jobs, *tasks):
        assert (document["finished_at"] is None) == (document["status"] == "IN_PROGRESS")


@pytest.mark.parametrize(
    "until", [UNTIL, datetime(2026, 3, 1, 15, 30, 12)], ids=["midnight", "15h30"]
)
def test_jobs_are_of_the_year_before_the_end_and_oldest_first(until: datetime) -> None:
    created = [job["created_at"] for job, _ in Demo(5000, seed=0, until=until).documents()]

    assert created == sorted(created)
    assert until - YEAR <= created[0] < until - YEAR + timedelta(days=2)
    assert until - timedelta(days=1) < created[-1] < until


def test_what_has_ended_ended_after_it_began(jobs: list[Document]) -> None:
    for job in jobs:
        if job["finished_at"] is not None:
            assert job["created_at"] < job["finished_at"] == job["updated_at"]


def test_nothing_ends_after_the_end_even_in_the_middle_of_a_busy_hour() -> None:
    until = datetime(2026, 2, 27, 9, 1)

    for job, tasks in Demo(JOBS, seed=0, until=until).documents():
        ends = [document["finished_at"] for document in (job, *tasks)]
        assert all(end is None or end < until for end in ends)


def test_jobs_in_progress_are_recent(jobs: list[Document]) -> None:
    started = [job["created_at"] for job in jobs if job["status"] == "IN_PROGRESS"]

    assert min(started) >= UNTIL - timedelta(days=7)


@pytest.mark.parametrize("seed", range(3))
def test_the_statuses_are_mixed_as_on_a_platform_in_use(seed: int) -> None:
    jobs = [job for job, _ in Demo(5000, seed=seed, until=UNTIL).documents()]

    shares = {status: count / len(jobs) for status, count in Counter(statuses(jobs)).items()}

    expected = {"SUCCESS": 0.86, "FAILURE": 0.09, "CANCELED": 0.03, "IN_PROGRESS": 0.02}
    assert shares == pytest.approx(expected, abs=0.015)


def test_the_tenants_are_of_uneven_size(jobs: list[Document]) -> None:
    counts = Counter(job["domain_id"] for job in jobs)

    assert LARGEST_TENANT == "domain-demo00000001"
    assert counts.pop(LARGEST_TENANT) / JOBS == pytest.approx(0.7, abs=0.02)
    assert sorted(counts.values()) == pytest.approx([0.1 * JOBS, 0.2 * JOBS], abs=0.02 * JOBS)


def test_jobs_of_a_whole_domain_are_those_of_no_single_workspace(jobs: list[Document]) -> None:
    for job in jobs:
        assert job["resource_group"] in {"DOMAIN", "WORKSPACE"}
        assert (job["resource_group"] == "DOMAIN") == (job["workspace_id"] == "*")
    domain_wide = sum(job["resource_group"] == "DOMAIN" for job in jobs)
    assert 0.05 < domain_wide / JOBS < 0.3


def test_the_largest_tenant_has_several_workspaces(jobs: list[Document]) -> None:
    workspaces = {job["workspace_id"] for job in jobs if job["domain_id"] == LARGEST_TENANT}

    assert len(workspaces - {"*"}) == 6


def test_a_collector_belongs_to_one_tenant_plugin_and_workspace(jobs: list[Document]) -> None:
    bound: dict[str, set[tuple[str, ...]]] = {}
    for job in jobs:
        facts = ("domain_id", "plugin_id", "workspace_id", "resource_group")
        bound.setdefault(job["collector_id"], set()).add(tuple(job[name] for name in facts))

    assert len(bound) > 20
    assert {len(found) for found in bound.values()} == {1}


def test_plugins_are_named_as_inventory_collectors(jobs: list[Document]) -> None:
    plugins = {job["plugin_id"] for job in jobs}

    assert "plugin-aws-inven-collector" in plugins
    assert all(re.fullmatch(r"plugin-[a-z-]+-inven-collector", plugin) for plugin in plugins)


def test_most_jobs_are_short_and_a_few_long(jobs: list[Document]) -> None:
    seconds = [
        (job["finished_at"] - job["created_at"]).total_seconds()
        for job in jobs
        if job["finished_at"] is not None
    ]

    assert median(seconds) == pytest.approx(40, rel=0.1)
    assert mean(seconds) > 1.3 * median(seconds)
    assert max(seconds) <= 6 * 3600


@pytest.mark.parametrize("until", [UNTIL, UNTIL + timedelta(hours=13)], ids=["midnight", "13h"])
def test_working_hours_and_days_are_busier_whatever_the_end(until: datetime) -> None:
    created = [job["created_at"] for job, _ in Demo(5000, seed=0, until=until).documents()]
    hours = Counter(moment.hour for moment in created)
    days = Counter(moment.weekday() for moment in created)

    assert min(hours[hour] for hour in (9, 10, 11)) > 2 * max(hours[hour] for hour in (2, 3, 4))
    assert max(days[5], days[6]) < min(days[day] for day in range(5))


PUBLISHED = [
    (
        ("job-3b124006c2d2", "SUCCESS", 2, "domain-58010aa2e451"),
        ("collector-accd02663b3d", "plugin-openstack-inven-collector"),
        ("2022-06-17T08:00:01.225", "2022-06-17T08:00:15.197"),
    ),
    (
        ("job-587a3d3b4db3", "SUCCESS", 3, "domain-58010aa2e451"),
        ("collector-2c0847644f39", "plugin-30d21ef75a5d"),
        ("2022-06-17T08:00:00.407", "2022-06-17T08:07:32.023"),
    ),
    (
        ("job-123456789012", "ERROR", 2, "domain-123456789012"),
        ("collector-123456789012", "plugin-jenkins-inven-collector"),
        ("2022-01-01T10:00:01.389", "2022-01-01T10:02:11.270"),
    ),
]


def test_the_sample_jobs_are_those_published() -> None:
    found = [
        (
            (job["job_id"], job["status"], job["total_tasks"], job["domain_id"]),
            (job["collector_id"], job["plugin_id"]),
            tuple(
                job[name].isoformat(timespec="milliseconds")
                for name in ("created_at", "finished_at")
            ),
        )
        for job, _ in samples()
    ]

    assert found == PUBLISHED
    assert {job["resource_group"] for job, _ in samples()} == {"DOMAIN"}


def test_the_sample_jobs_hold_the_extra_fields_of_their_time() -> None:
    for job, _ in samples():
        assert job["filter"] == {}
        info = job["collector_info"]
        assert info["collector_id"] == job["collector_id"]
        assert info["plugin_info"]["plugin_id"] == job["plugin_id"]


def test_the_counters_of_the_sample_jobs_add_up() -> None:
    for job, _ in samples():
        parts = job["success_tasks"] + job["failure_tasks"] + job["remained_tasks"]
        assert parts == job["total_tasks"]


def test_each_sample_job_has_its_tasks() -> None:
    for job, tasks in samples():
        found = [(task["job_id"], task["domain_id"]) for task in tasks]
        assert found == [(job["job_id"], job["domain_id"])] * job["total_tasks"]


def test_the_samples_are_the_same_each_time() -> None:
    assert samples() == samples()
