"""Demo data: a year of jobs of a made-up Cloudforet platform. Pure: documents, no database.

The same description gives the same documents, ids included. Beside the generated jobs there are
the sample jobs of the published API page, as older documents with fields of their time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bson import ObjectId

Document = dict[str, Any]

LARGEST_TENANT = "domain-demo00000001"
"""The demo tenant with some seven tenths of the jobs."""

_DAYS = 365
_MOST_TASKS = 8
_TENANTS = (
    (LARGEST_TENANT, 0.70, 6),
    ("domain-demo00000002", 0.20, 3),
    ("domain-demo00000003", 0.1, 2),
)
_PLUGINS = ("aws", "azure", "google-cloud", "oci", "kubernetes", "openstack", "vmware", "snowflake")
_PROVIDERS = {"google-cloud": "google_cloud"}
_HOURS = (8, 2, 2, 2, 2, 2, 3, 4, 6, 9, 9, 8, 7, 8, 8, 8, 7, 6, 4, 3, 3, 2, 2, 2)
_SATURDAY = 5
_RECENT = timedelta(hours=6)
_CANCELED = 0.03
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Collector:
    """One collector of a tenant: what it runs, and for whom."""

    domain_id: str
    workspace_id: str
    collector_id: str
    plugin_id: str
    provider: str
    tasks: int
    failures: float
    """Share of its runs that fail."""


@dataclass(frozen=True, slots=True)
class Demo:
    """`jobs` jobs created in the year before `until` (naive UTC), varied by `seed`."""

    jobs: int
    seed: int
    until: datetime

    def documents(self) -> Iterator[tuple[Document, list[Document]]]:
        """Each job as stored, oldest first, with its tasks."""
        random = Random(self.seed)
        collectors = _collectors(random)
        weights = [_weight(collector) for collector in collectors]
        chosen = random.choices(collectors, weights, k=self.jobs)
        for collector, created_at in zip(
            chosen, _times(random, self.jobs, self.until), strict=True
        ):
            yield _job(random, collector, created_at, self.until)


def sample_jobs() -> list[Document]:
    """The three jobs that the published API page shows."""
    return [
        _sample(
            "job-3b124006c2d2",
            "domain-58010aa2e451",
            ("SUCCESS", 2),
            ("collector-accd02663b3d", "plugin-openstack-inven-collector"),
            (datetime(2022, 6, 17, 8, 0, 1, 225000), datetime(2022, 6, 17, 8, 0, 15, 197000)),
        ),
        _sample(
            "job-587a3d3b4db3",
            "domain-58010aa2e451",
            ("SUCCESS", 3),
            ("collector-2c0847644f39", "plugin-30d21ef75a5d"),
            (datetime(2022, 6, 17, 8, 0, 0, 407000), datetime(2022, 6, 17, 8, 7, 32, 23000)),
        ),
        _sample(
            "job-123456789012",
            "domain-123456789012",
            ("ERROR", 2),
            ("collector-123456789012", "plugin-jenkins-inven-collector"),
            (datetime(2022, 1, 1, 10, 0, 1, 389000), datetime(2022, 1, 1, 10, 2, 11, 270000)),
        ),
    ]


def sample_tasks() -> list[Document]:
    """The tasks of `sample_jobs`."""
    tasks = []
    for job in sample_jobs():
        random = Random(job["job_id"])
        tasks += [
            {
                "_id": _object_id(random, job["finished_at"]),
                "job_task_id": f"job-task-{random.randbytes(6).hex()}",
                "status": "FAILURE" if job["status"] == "ERROR" else "SUCCESS",
                "job_id": job["job_id"],
                "domain_id": job["domain_id"],
                "created_at": job["created_at"],
                "finished_at": job["finished_at"],
            }
            for _ in range(job["total_tasks"])
        ]
    return tasks


def _sample(
    job_id: str,
    domain_id: str,
    outcome: tuple[str, int],
    run: tuple[str, str],
    times: tuple[datetime, datetime],
) -> Document:
    status, tasks = outcome
    collector_id, plugin_id = run
    failed = tasks if status == "ERROR" else 0
    return {
        "_id": _object_id(Random(job_id), times[0]),
        "job_id": job_id,
        "status": status,
        "filter": {},
        "total_tasks": tasks,
        "remained_tasks": 0,
        "success_tasks": tasks - failed,
        "failure_tasks": failed,
        "collector_info": {
            "collector_id": collector_id,
            "name": plugin_id.removeprefix("plugin-"),
            "plugin_info": {"plugin_id": plugin_id, "version": "1.0", "options": {}},
            "tags": {},
        },
        "collector_id": collector_id,
        "plugin_id": plugin_id,
        "resource_group": "DOMAIN",
        "domain_id": domain_id,
        "created_at": times[0],
        "finished_at": times[1],
    }


def _collectors(random: Random) -> list[Collector]:
    collectors = []
    for domain_id, _, workspaces in _TENANTS:
        ids = [f"workspace-{random.randbytes(6).hex()}" for _ in range(workspaces)]
        for plugin in _PLUGINS:
            # Some collectors gather for a whole domain, the others for one workspace.
            owners = [
                *random.sample(ids, k=min(2, workspaces)),
                *(["*"] if random.random() < 0.4 else []),
            ]
            collectors += [
                Collector(
                    domain_id,
                    workspace_id,
                    f"collector-{random.randbytes(6).hex()}",
                    f"plugin-{plugin}-inven-collector",
                    _PROVIDERS.get(plugin, plugin),
                    random.randint(1, _MOST_TASKS),
                    random.choice((0.02, 0.05, 0.1, 0.3)),
                )
                for workspace_id in owners
            ]
    return collectors


def _weight(collector: Collector) -> float:
    [share] = [share for domain_id, share, _ in _TENANTS if domain_id == collector.domain_id]
    return share


def _times(random: Random, count: int, until: datetime) -> list[datetime]:
    """Moments of the last year, oldest first: scheduled on the hour, fewer at weekends."""
    first = until - timedelta(days=_DAYS)
    days = [first + timedelta(days=day) for day in range(_DAYS)]
    busy = [0.6 if day.weekday() >= _SATURDAY else 1.0 for day in days]
    hours = random.choices(range(24), _HOURS, k=count)
    delays = (min(random.expovariate(1 / 90.0), 3599.0) for _ in range(count))
    return sorted(
        day + timedelta(hours=hour, milliseconds=round(delay * 1000))
        for day, hour, delay in zip(random.choices(days, busy, k=count), hours, delays, strict=True)
    )


def _job(
    random: Random, collector: Collector, created_at: datetime, until: datetime
) -> tuple[Document, list[Document]]:
    seconds = min(random.lognormvariate(math.log(40), 1.0), 6 * 3600.0)
    finished_at = created_at + timedelta(milliseconds=round(seconds * 1000))
    running = finished_at >= until or (until - created_at < _RECENT and random.random() < 0.5)
    tasks = _tasks(random, collector, created_at, None if running else finished_at)
    states = [task["status"] for task in tasks]
    domain_wide = collector.workspace_id == "*"
    job = {
        "_id": _object_id(random, created_at),
        "job_id": f"job-{random.randbytes(6).hex()}",
        "status": _status(states),
        "total_tasks": len(tasks),
        "remained_tasks": states.count("IN_PROGRESS"),
        "success_tasks": states.count("SUCCESS"),
        "failure_tasks": len(tasks) - states.count("SUCCESS") - states.count("IN_PROGRESS"),
        "collector_id": collector.collector_id,
        "request_secret_id": None,
        "request_workspace_id": None if domain_wide else collector.workspace_id,
        "plugin_id": collector.plugin_id,
        "resource_group": "DOMAIN" if domain_wide else "WORKSPACE",
        "workspace_id": collector.workspace_id,
        "domain_id": collector.domain_id,
        "created_at": created_at,
        "updated_at": created_at if running else finished_at,
        "finished_at": None if running else finished_at,
    }
    for task in tasks:
        task["job_id"] = job["job_id"]
    return job, tasks


def _status(states: list[str]) -> str:
    """A job runs while any task does, and is as bad as its worst task."""
    for status in ("IN_PROGRESS", "CANCELED", "FAILURE"):
        if status in states:
            return status
    return "SUCCESS"


def _tasks(
    random: Random, collector: Collector, created_at: datetime, finished_at: datetime | None
) -> list[Document]:
    states = ["SUCCESS"] * collector.tasks
    if finished_at is None:
        states[random.randrange(collector.tasks) :] = ["IN_PROGRESS"]
        states += ["IN_PROGRESS"] * (collector.tasks - len(states))
    elif random.random() < _CANCELED:
        states[-1] = "CANCELED"
    elif random.random() < collector.failures:
        states[random.randrange(collector.tasks)] = "FAILURE"
    return [
        {
            "_id": _object_id(random, created_at),
            "job_task_id": f"job-task-{random.randbytes(6).hex()}",
            "status": status,
            "provider": collector.provider,
            "collector_id": collector.collector_id,
            "workspace_id": collector.workspace_id,
            "domain_id": collector.domain_id,
            "created_at": created_at,
            "finished_at": None if status == "IN_PROGRESS" else finished_at or created_at,
        }
        for status in states
    ]


def _object_id(random: Random, created_at: datetime) -> ObjectId:
    seconds = int((created_at - _EPOCH).total_seconds())
    return ObjectId(seconds.to_bytes(4, "big") + random.randbytes(8))
