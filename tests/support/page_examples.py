"""The stored jobs that the pages' examples are about, as docs/query-language.md lists them."""

from __future__ import annotations

import re
from typing import Any

from inventory_job.query.times import parse_iso
from tests.support.documents import page

Stored = dict[str, Any]

DOMAIN = "domain-docs"

_TABLE = page("docs/query-language.md").marked("jobs")
_TASKS = {"job-1": 1, "job-2": 1, "job-5": 2}


def stored_jobs() -> list[Stored]:
    """The table's jobs as they are stored; an empty cell is an absent field."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in _TABLE.splitlines()
    ]
    return [
        {"domain_id": DOMAIN}
        | {name: _value(name, cell) for name, cell in zip(head, row, strict=True) if cell}
        for row in rows
    ]


def stored_tasks() -> list[Stored]:
    """Their tasks, and one of another domain, which no caller of this one sees."""
    own = [
        {"job_id": job_id, "domain_id": DOMAIN, "job_task_id": f"job-task-{job_id}-{number}"}
        for job_id, count in _TASKS.items()
        for number in range(count)
    ]
    return [*own, {"job_id": "job-3", "domain_id": "domain-other", "job_task_id": "job-task-0"}]


def _value(name: str, cell: str) -> Any:
    if cell == "null":
        return None
    if re.fullmatch(r"\d+", cell):
        return int(cell)
    return parse_iso(cell) if name.endswith("_at") else cell
