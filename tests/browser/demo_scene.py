"""The jobs that the tests of the overview look at: demo data, and domains with what is seldom
stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from inventory_job.embedded.demo_data import Demo
from tests.support.running import seed
from tests.support.store import Store

OLDER = "domain-older"
HOSTILE = "domain-hostile"
ODD = "domain-odd"
MARKUP = "<img src=x onerror=document.title=1>"
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
_OLDER_STATUSES = ["ERROR", "TIMEOUT", "SKIPPED", "SUCCESS", "FAILURE", "CANCELED", "IN_PROGRESS"]


def load(database: Store) -> None:
    """Stores all of them."""
    seed(database, Demo(3000, seed=0, until=NOW))
    database.jobs.insert_many(
        [_job(number, OLDER, status) for number, status in enumerate(_OLDER_STATUSES)]
    )
    marked = dict.fromkeys(["plugin_id", "collector_id", "workspace_id"], MARKUP)
    database.jobs.insert_many(
        [
            _job(number, HOSTILE, status, **marked)
            for number, status in enumerate(["FAILURE", "IN_PROGRESS", "SUCCESS"])
        ]
    )
    database.jobs.insert_many([_job(0, ODD, "SUCCESS"), _job(1, ODD, "SUCCESS", created_at=[NOW])])


def _job(number: int, domain: str, status: str, **members: Any) -> dict[str, Any]:
    """A stored job, some hours old."""
    begun = NOW - timedelta(hours=number + 1)
    return {
        "job_id": f"job-{domain}-{number}",
        "domain_id": domain,
        "status": status,
        "collector_id": f"collector-{number % 2}",
        "plugin_id": f"plugin-{number % 3}",
        "total_tasks": 4,
        "remained_tasks": 1,
        "created_at": begun,
        "finished_at": None if status == "IN_PROGRESS" else begun + timedelta(seconds=number + 5),
        **members,
    }
