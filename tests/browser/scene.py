"""The jobs that the tests of the pages look at: many of one domain, hostile ones of another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.store import Store

NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
MANY = "domain-many"
HOSTILE = "domain-hostile"
NONE = "domain-without-jobs"
JOBS = 10_000
MARKUP = "<img src=x onerror=document.title=1>"
FORMULA = '=HYPERLINK("//x","y")'
_TEXTS = (
    "collector_id",
    "plugin_id",
    "workspace_id",
    "request_secret_id",
    "request_workspace_id",
    "resource_group",
)
_STATUSES = ("SUCCESS", "SUCCESS", "FAILURE", "SUCCESS", "CANCELED", "SUCCESS", "SUCCESS")


def many() -> Iterator[dict[str, Any]]:
    """A job every ten minutes, newest first, of five collectors and three plugins."""
    for number in range(JOBS):
        begun = NOW - timedelta(minutes=10 * number + 1)
        running = number % 1000 == 0
        status = "IN_PROGRESS" if running else _STATUSES[number % len(_STATUSES)]
        yield {
            "job_id": job_id(number),
            "domain_id": MANY,
            "status": status,
            "collector_id": f"collector-{number % 5}",
            "plugin_id": f"plugin-{number % 3}",
            "workspace_id": f"workspace-{number % 2}",
            "total_tasks": 4,
            "remained_tasks": 3 if running else 0,
            "success_tasks": 1 if running else 4 - (status == "FAILURE"),
            "failure_tasks": int(status == "FAILURE"),
            "created_at": begun,
            "updated_at": begun + timedelta(seconds=30),
            "finished_at": None if running else begun + timedelta(seconds=30 + number % 60),
        }


def hostile() -> Iterator[dict[str, Any]]:
    """Jobs whose every text is markup, or a formula of a spreadsheet."""
    for number, status in enumerate(["FAILURE", "IN_PROGRESS", "SUCCESS", MARKUP]):
        begun = NOW - timedelta(hours=number + 2)
        yield {
            "job_id": f"{MARKUP}{number}",
            "domain_id": HOSTILE,
            "status": status,
            **dict.fromkeys(_TEXTS, FORMULA if status == "SUCCESS" else MARKUP),
            "total_tasks": 2,
            "remained_tasks": -1,
            "failure_tasks": 7,
            "created_at": begun,
            "finished_at": None if number == 1 else begun + timedelta(seconds=5),
        }


def job_id(number: int) -> str:
    """The id of one of `many`; 0 is the newest."""
    return f"job-{number:012x}"


def load(database: Store) -> None:
    """Stores all of them."""
    database.jobs.insert_many([*many(), *hostile()])
    database.jobs.create_index([("domain_id", 1), ("created_at", -1), ("_id", 1)])
    database.job_tasks.insert_one({"job_id": job_id(1), "domain_id": MANY})
