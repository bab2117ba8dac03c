"""Demo data: a year of jobs of a made-up Cloudforet platform. Makes documents; uses no database.

Equal `Demo` objects give equal documents, ids included. Beside the generated jobs there are the
sample jobs of the published API page, as older documents with the fields of an older version.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from random import Random
from typing import Any

from bson import ObjectId

Document = dict[str, Any]

LARGEST_TENANT = "domain-demo00000001"
"""The demo tenant that has about 70 % of the jobs."""

_YEAR = timedelta(days=365)
_MOST_TASKS = 8
_TENANTS = (
    (LARGEST_TENANT, 0.70, 6),
    ("domain-demo00000002", 0.20, 3),
    ("domain-demo00000003", 0.10, 2),
)
_PLUGINS = ("aws", "azure", "google-cloud", "oci", "kubernetes", "openstack", "vmware", "snowflake")
_FAILURES = (0.02, 0.05, 0.1, 0.23)
_CANCELED = 0.03
_RUNNING = 0.02
_RECENT = timedelta(days=7)
"""How old running jobs may be: a job stays in progress for days if its collector died."""
_HOURS = (8, 2, 2, 2, 2, 2, 3, 4, 6, 9, 9, 8, 7, 8, 8, 8, 7, 6, 4, 3, 3, 2, 2, 2)
_SATURDAY = 5
_WEEKEND = 0.6
# fmt: off
_SAMPLES = (
    ("3b124006c2d2", "58010aa2e451", "SUCCESS", 2, "accd02663b3d", "openstack-inven-collector",
     "2022-06-17 08:00:01.225", "2022-06-17 08:00:15.197"),
    ("587a3d3b4db3", "58010aa2e451", "SUCCESS", 3, "2c0847644f39", "30d21ef75a5d",
     "2022-06-17 08:00:00.407", "2022-06-17 08:07:32.023"),
    ("123456789012", "123456789012", "ERROR", 2, "123456789012", "jenkins-inven-collector",
     "2022-01-01 10:00:01.389", "2022-01-01 10:02:11.270"),
)
# fmt: on
"""For each sample job: job id, domain id, status, tasks, collector, plugin, start and end."""


@dataclass(frozen=True, slots=True)
class _Collector:
    """One collector of a tenant; `failures` is the share of its runs that fail."""

    domain_id: str
    workspace_id: str
    collector_id: str
    plugin: str
    tasks: int
    failures: float


@dataclass(frozen=True, slots=True)
class Demo:
    """`jobs` jobs created in the year before `until` (naive UTC), varied by `seed`.

    Raises ValueError for an `until` outside the years 1972 to 2105.
    """

    jobs: int
    seed: int
    until: datetime

    def __post_init__(self) -> None:
        # An ObjectId holds the seconds since 1970 in 32 bits.
        if not 1972 <= self.until.year <= 2105:
            raise ValueError("the end of the year of jobs is not in the years 1972 to 2105")

    def documents(self) -> Iterator[tuple[Document, list[Document]]]:
        """Yields each job's document, oldest first, with the documents of its tasks."""
        random = Random(self.seed)
        collectors, weights = _collectors(random)
        chosen = random.choices(collectors, weights, k=self.jobs)
        starts = _starts(random, self.jobs, self.until)
        for collector, (created_at, running) in zip(chosen, starts, strict=True):
            yield _job(random, collector, created_at, running, self.until)


def samples() -> list[tuple[Document, list[Document]]]:
    """The three jobs that the published API page shows, with their tasks."""
    return [_sample(*row) for row in _SAMPLES]


def _sample(  # noqa: PLR0913, PLR0917  a row of the table
    number: str, domain: str, status: str, tasks: int, collector: str, plugin: str, *times: str
) -> tuple[Document, list[Document]]:
    created_at, finished_at = (datetime.fromisoformat(time) for time in times)
    failed = tasks if status == "ERROR" else 0
    job_id = f"job-{number}"
    shared = {
        "job_id": job_id,
        "domain_id": f"domain-{domain}",
        "created_at": created_at,
        "finished_at": finished_at,
    }
    job = {
        "_id": _object_id(Random(job_id), created_at),
        "status": status,
        "filter": {},
        "total_tasks": tasks,
        "remained_tasks": 0,
        "success_tasks": tasks - failed,
        "failure_tasks": failed,
        "collector_info": {
            "collector_id": f"collector-{collector}",
            "name": plugin,
            "plugin_info": {"plugin_id": f"plugin-{plugin}", "version": "1.0", "options": {}},
            "tags": {},
        },
        "collector_id": f"collector-{collector}",
        "plugin_id": f"plugin-{plugin}",
        "resource_group": "DOMAIN",
        **shared,
    }
    random = Random(job_id)
    return job, [
        {
            "_id": _object_id(random, finished_at),
            "job_task_id": f"job-task-{random.randbytes(6).hex()}",
            "status": "FAILURE" if failed else "SUCCESS",
            **shared,
        }
        for _ in range(tasks)
    ]


def _collectors(random: Random) -> tuple[list[_Collector], list[float]]:
    """The collectors, and the relative frequency of each one's runs. A tenant's share of all jobs
    does not depend on its number of collectors."""
    collectors: list[_Collector] = []
    weights: list[float] = []
    # In turn, not at random: with few collectors, the overall share would depend on the seed.
    failures = cycle(_FAILURES)
    for domain_id, share, workspaces in _TENANTS:
        ids = [f"workspace-{random.randbytes(6).hex()}" for _ in range(workspaces)]
        for plugin in _PLUGINS:
            # Some collectors serve a whole domain, the others one workspace.
            owners = random.sample(ids, k=2)
            if random.random() < 0.4:
                owners.append("*")
            collectors += [
                _Collector(
                    domain_id,
                    workspace_id,
                    f"collector-{random.randbytes(6).hex()}",
                    plugin,
                    random.randint(1, _MOST_TASKS),
                    next(failures),
                )
                for workspace_id in owners
            ]
        count = len(collectors) - len(weights)
        weights += [share / count] * count
    return collectors, weights


def _starts(random: Random, count: int, until: datetime) -> list[tuple[datetime, bool]]:
    """When each job starts, and whether it is still running; oldest first."""
    running = [random.random() < _RUNNING for _ in range(count)]
    return sorted((_moment(random, until - (_RECENT if r else _YEAR), until), r) for r in running)


def _moment(random: Random, since: datetime, until: datetime) -> datetime:
    """A random time in between: soon after the hour, mostly by day, less often at weekends."""
    first = since.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (until - first).days + 1
    while True:
        day = first + timedelta(days=random.randrange(days))
        [hour] = random.choices(range(24), _HOURS)
        delay = min(random.expovariate(1 / 90.0), 3599.0)
        moment = day + timedelta(hours=hour, milliseconds=round(delay * 1000))
        skipped = day.weekday() >= _SATURDAY and random.random() >= _WEEKEND
        if since <= moment < until and not skipped:
            return moment


def _job(
    random: Random, collector: _Collector, created_at: datetime, running: bool, until: datetime
) -> tuple[Document, list[Document]]:
    seconds = min(random.lognormvariate(math.log(40), 1.0), 6 * 3600.0)
    last_seen = created_at + timedelta(milliseconds=round(seconds * 1000))
    if last_seen >= until:
        running, last_seen = True, created_at
    states = _states(random, collector, running)
    domain_wide = collector.workspace_id == "*"
    object_id = _object_id(random, created_at)
    shared = {
        "job_id": f"job-{random.randbytes(6).hex()}",
        "collector_id": collector.collector_id,
        "workspace_id": collector.workspace_id,
        "domain_id": collector.domain_id,
        "created_at": created_at,
    }
    job = {
        "_id": object_id,
        "status": states[-1],
        "total_tasks": len(states),
        "remained_tasks": states.count("IN_PROGRESS"),
        "success_tasks": states.count("SUCCESS"),
        "failure_tasks": states.count("FAILURE") + states.count("CANCELED"),
        "request_secret_id": None,
        "request_workspace_id": None if domain_wide else collector.workspace_id,
        "plugin_id": f"plugin-{collector.plugin}-inven-collector",
        "resource_group": "DOMAIN" if domain_wide else "WORKSPACE",
        "updated_at": last_seen,
        "finished_at": None if running else last_seen,
        **shared,
    }
    return job, [
        {
            "_id": _object_id(random, created_at),
            "job_task_id": f"job-task-{random.randbytes(6).hex()}",
            "status": status,
            "provider": collector.plugin.replace("-", "_"),
            "finished_at": None if status == "IN_PROGRESS" else last_seen,
            **shared,
        }
        for status in states
    ]


def _states(random: Random, collector: _Collector, running: bool) -> list[str]:
    """The status of each task of a run; the last one is also the status of the job."""
    count = collector.tasks
    done = random.randrange(count)
    if running:
        rest = "IN_PROGRESS"
    elif random.random() < _CANCELED:
        rest = "CANCELED"
    elif random.random() < collector.failures:
        rest = "FAILURE"
    else:
        rest = "SUCCESS"
    return ["SUCCESS"] * done + [rest] * (count - done)


def _object_id(random: Random, created_at: datetime) -> ObjectId:
    return ObjectId(ObjectId.from_datetime(created_at).binary[:4] + random.randbytes(8))
