"""What the database holds, and so what every answer has to be.

Jobs that are only read never change: answers about them have to be exact. Jobs that are there to
be deleted go once; each is either whole, with its tasks, or gone with all of them.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import MongoClient
from pymongo.client_session import ClientSession

from inventory_job.embedded.data_directory import wait_until

DOMAIN = "domain-faults"
STEADY = "collector-steady"
DOOMED = "collector-doomed"
TASKS = 3
"""Tasks of each job that is there to be deleted."""
STALE_SECONDS = 1.0
"""How long totals may not show what another process deleted."""

_END_SECONDS = 5.0
_STATUSES = ("SUCCESS", "FAILURE", "IN_PROGRESS", "CANCELED")
_JOBS = 60
_BEGINNING = datetime(2026, 1, 1)
_MINE = [{"k": "collector_id", "v": STEADY, "o": "eq"}]

Plain = dict[str, Any]


def steady_jobs() -> list[Plain]:
    """The jobs that are only read, in the order of their ids."""
    return [
        {
            "job_id": f"job-{number:012x}",
            "status": _STATUSES[number % 4],
            "total_tasks": number + 1,
            "remained_tasks": number % 3,
            "success_tasks": number % 5,
            "failure_tasks": number % 2,
            "collector_id": STEADY,
            "plugin_id": f"plugin-{number % 7}",
            "resource_group": "DOMAIN",
            "workspace_id": f"workspace-{number % 4}",
            "domain_id": DOMAIN,
            "created_at": _BEGINNING + timedelta(minutes=number),
            "updated_at": _BEGINNING + timedelta(minutes=number, seconds=1),
            "finished_at": _BEGINNING + timedelta(minutes=number, seconds=2),
        }
        for number in range(_JOBS)
    ]


def as_answered(job: Plain) -> Plain:
    """The job as JobInfo in proto3 JSON, members at their defaults left out."""
    shown = {
        name: f"{value:%Y-%m-%dT%H:%M:%S}.000Z" if isinstance(value, datetime) else value
        for name, value in job.items()
    }
    return {name: value for name, value in shown.items() if value}


@dataclass(frozen=True, slots=True)
class Question:
    """A call of which the answer, as proto3 JSON, is known beforehand."""

    method: str
    request: Plain
    answer: Plain


def questions(jobs: list[Plain]) -> list[Question]:
    """Questions about the jobs that are only read."""
    shown = [as_answered(job) for job in jobs]
    gets = [Question("get", {"job_id": job["job_id"]}, job) for job in shown]
    lists = [_list(shown, start) for start in (1, 11, 41)]
    return [*gets[: 3 * len(lists)], *lists, *(_stat(jobs), _analyze(jobs)) * len(lists)]


def _list(shown: list[Plain], start: int) -> Question:
    query = {"filter": _MINE, "sort": [{"key": "job_id"}], "page": {"start": start, "limit": 20}}
    answer = {"results": shown[start - 1 : start + 19], "total_count": len(shown)}
    return Question("list", {"query": query}, answer)


def _stat(jobs: list[Plain]) -> Question:
    numbers = Counter(job["status"] for job in jobs)
    tasks: Counter[str] = Counter()
    for job in jobs:
        tasks[job["status"]] += job["total_tasks"]
    group = {
        "keys": [{"k": "status", "n": "status"}],
        "fields": [{"o": "count", "n": "jobs"}, {"o": "sum", "k": "total_tasks", "n": "tasks"}],
    }
    rows = [
        {"status": status, "jobs": float(numbers[status]), "tasks": float(tasks[status])}
        for status in sorted(numbers)
    ]
    query = {"filter": _MINE, "aggregate": [{"group": group}]}
    return Question("stat", {"query": query}, {"results": rows, "total_count": float(len(rows))})


def _analyze(jobs: list[Plain]) -> Question:
    numbers = Counter(job["plugin_id"] for job in jobs)
    query = {
        "filter": _MINE,
        "group_by": ["plugin_id"],
        "fields": {"jobs": {"operator": "count"}},
    }
    rows = [{"plugin_id": plugin, "jobs": float(numbers[plugin])} for plugin in sorted(numbers)]
    return Question("analyze", {"query": query}, {"results": rows, "more": False})


@dataclass(eq=False, slots=True)
class Doomed:
    """A job that is there to be deleted. Times are monotonic, None for never."""

    job_id: str
    first_try: float | None = None
    acknowledged: float | None = None


@dataclass
class Truth:
    """The jobs of one run, and what has been done to them. Safe to share between threads."""

    steady: list[Plain]
    doomed: list[Doomed]
    _next: Iterator[Doomed] = field(init=False)
    _again: list[Doomed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._next = iter(self.doomed)

    def take(self, source: random.Random) -> Doomed | None:
        """A job to delete now; None when there is none left."""
        with self._lock:
            return (
                self._again.pop(source.randrange(len(self._again)))
                if self._again and source.random() < 0.5
                else next(self._next, None)
            )

    def begin(self, job: Doomed) -> None:
        """It is about to be deleted."""
        with self._lock:
            job.first_try = job.first_try or time.monotonic()

    def acknowledge(self, job: Doomed) -> None:
        """A caller got the answer that it is gone."""
        job.acknowledged = time.monotonic()

    def put_back(self, job: Doomed) -> None:
        """Deleting it failed; it will be tried again."""
        with self._lock:
            self._again.append(job)

    def acknowledged(self, source: random.Random) -> Doomed | None:
        """Some job that is gone for sure."""
        gone = [job for job in self.doomed if job.acknowledged is not None]
        return source.choice(gone) if gone else None

    def left(self, since: float, until: float) -> tuple[int, int]:
        """The least and the most jobs there can have been for a count between the two times."""
        known = since - STALE_SECONDS
        gone = sum(job.acknowledged is not None and job.acknowledged < known for job in self.doomed)
        going = sum(job.first_try is not None and job.first_try < until for job in self.doomed)
        return len(self.doomed) - going, len(self.doomed) - gone


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run left in the database. `lost`: deleted for a caller, and yet (partly) there;
    `half`: in part deleted; `changed`: what no caller touched is not what it was; `left_open`:
    transactions that are never ended, and hold up other writes of the same documents."""

    acknowledged: int
    lost: list[str]
    half: list[str]
    changed: list[str]
    left_open: list[str]


def store(client: MongoClient[Plain], database: str, number: int, deletions: int) -> Truth:
    """Writes the jobs of a new run into an empty database."""
    jobs, tasks = client[database].job, client[database].job_task
    jobs.delete_many({})
    tasks.delete_many({})
    steady = steady_jobs()
    doomed = [Doomed(f"job-{number:04x}{index:08x}") for index in range(0x1000, 0x1000 + deletions)]
    ids = [job["job_id"] for job in steady] + [job.job_id for job in doomed]
    jobs.insert_many([{**job} for job in steady])
    jobs.insert_many(
        {"job_id": job.job_id, "domain_id": DOMAIN, "collector_id": DOOMED} for job in doomed
    )
    tasks.insert_many({"job_id": id_, "domain_id": DOMAIN} for id_ in ids for _ in range(TASKS))
    jobs.create_index("job_id", unique=True)
    tasks.create_index("job_id")
    return Truth(steady, doomed)


def judge(client: MongoClient[Plain], database: str, truth: Truth) -> Verdict:
    """Compares what is stored with the truth; on a replica set as of one moment."""
    has_sets = "setName" in client.admin.command("hello")
    with client.start_session(snapshot=has_sets) as session:
        jobs, tasks = _stored(client, database, session)
    acknowledged = sum(job.acknowledged is not None for job in truth.doomed)
    wait_until(lambda: not _open_transactions(client), _END_SECONDS)
    left_open = _open_transactions(client)
    verdict = Verdict(acknowledged, lost=[], half=[], changed=[], left_open=left_open)
    for doomed in truth.doomed:
        is_there, left = doomed.job_id in jobs, tasks[doomed.job_id]
        state = f"{doomed.job_id}: job {'there' if is_there else 'gone'}, {left} tasks"
        if doomed.acknowledged is not None:
            if is_there or left:
                verdict.lost.append(state)
        elif (is_there, left) not in {(True, TASKS), (False, 0)}:
            verdict.half.append(state)
        elif not is_there and doomed.first_try is None:
            verdict.changed.append(f"{state}, which no call asked for")
    for job in truth.steady:
        if jobs.get(job["job_id"]) != job or tasks[job["job_id"]] != TASKS:
            verdict.changed.append(f"{job['job_id']} is not what it was")
    return verdict


def _open_transactions(client: MongoClient[Plain]) -> list[str]:
    operations = client.admin.aggregate(
        [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"transaction.parameters.autocommit": False}},
        ]
    )
    return [
        f"a transaction open for {operation['transaction']['timeOpenMicros'] / 1e6:.1f} s"
        for operation in operations
    ]


def _stored(
    client: MongoClient[Plain], database: str, session: ClientSession
) -> tuple[dict[str, Plain], Counter[str]]:
    jobs = client[database].job.find({}, {"_id": 0}, session=session)
    by_id = {str(job["job_id"]): job for job in jobs}
    tasks = client[database].job_task.find({}, {"job_id": 1}, session=session)
    return by_id, Counter(str(task["job_id"]) for task in tasks)
