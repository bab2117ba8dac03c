"""Answers as the description shows them, taken from those of a server with demo data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inventory_job.errors import (
    InvalidRequest,
    NotFound,
    Overloaded,
    PermissionDenied,
    ServiceError,
    Unauthenticated,
    Unavailable,
    required,
)
from inventory_job.transport.http.status import http_status, status_json

Members = dict[str, Any]

_JOB: Members = {
    "job_id": "job-7d1f0c2b9a34",
    "status": "FAILURE",
    "total_tasks": 5,
    "success_tasks": 3,
    "failure_tasks": 2,
    "request_workspace_id": "workspace-4c1d0a9be27f",
    "resource_group": "WORKSPACE",
    "domain_id": "domain-demo00000001",
    "workspace_id": "workspace-4c1d0a9be27f",
    "collector_id": "collector-7d35e1b4f31f",
    "plugin_id": "plugin-aws-inven-collector",
    "created_at": "2026-03-04T09:00:41.118Z",
    "updated_at": "2026-03-04T09:02:07.902Z",
    "finished_at": "2026-03-04T09:02:07.902Z",
}

ANSWERS: Mapping[str, Members] = {
    "get": _JOB,
    "list": {"results": [_JOB], "total_count": 58},
    "analyze": {
        "results": [{"status": "FAILURE", "jobs": 58}, {"status": "SUCCESS", "jobs": 485}],
        "more": False,
    },
    "stat": {
        "results": [{"day": "2026-03-03", "jobs": 23}, {"day": "2026-03-04", "jobs": 35}],
        "total_count": 2,
    },
}
"""An answer by method; that of a delete is empty."""


_FAILURES: tuple[ServiceError, ...] = (
    InvalidRequest(required("domain_id")),
    Unauthenticated("the token has expired"),
    PermissionDenied("the role may not do this"),
    NotFound("job-7d1f0c2b9a34"),
    Overloaded("too many calls at once: those of the domain"),
)
FAILURES: Mapping[str, Members] = {
    **{str(http_status(error)): status_json(error) for error in _FAILURES},
    "default": status_json(Unavailable("the database is changing over")),
}
"""A failure by HTTP status."""
