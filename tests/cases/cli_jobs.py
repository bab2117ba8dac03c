"""The jobs that the golden outputs in `cli/` are of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

DOMAIN = "domain-cli"


def _job(number: int, **fields: Any) -> dict[str, Any]:
    created = datetime(2026, 3, 1, 4) + timedelta(hours=8 * number, milliseconds=number)
    failed = int(fields["status"] == "FAILURE")
    running = fields["status"] == "IN_PROGRESS"
    remained = number // 2 if running else 0
    return {
        "job_id": f"job-{number:012x}",
        "domain_id": DOMAIN,
        "workspace_id": "workspace-1",
        "resource_group": "WORKSPACE",
        "collector_id": f"collector-{'ab'[number % 2]}",
        "total_tasks": number,
        "remained_tasks": remained,
        "success_tasks": number - remained - failed,
        "failure_tasks": failed,
        "created_at": created,
        "updated_at": created + timedelta(minutes=number),
        "finished_at": None if running else created + timedelta(minutes=number),
        **fields,
    }


AWS, AZURE = "plugin-aws-inven-collector", "plugin-azure-inven-collector"

JOBS = (
    _job(1, status="SUCCESS", plugin_id=AWS),
    _job(2, status="FAILURE", plugin_id=AZURE),
    _job(3, status="SUCCESS", plugin_id=AZURE),
    _job(4, status="IN_PROGRESS", plugin_id=AWS),
    _job(5, status="SUCCESS", plugin_id=AWS),
    _job(6, status="CANCELED", plugin_id=AWS),
    _job(7, status="SUCCESS", plugin_id=AZURE),
    # Every writer of jobs may write this.
    _job(8, status="IN_PROGRESS", plugin_id="\x1b[2J=1+1,\n\u202eplugin"),
)
