"""Answers as the description shows them, taken from those of a server with demo data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def _status(code: int, message: str, **violation: str) -> Members:
    bad_request = {"@type": "type.googleapis.com/google.rpc.BadRequest"}
    details = [bad_request | {"field_violations": [violation]}] if violation else []
    return {"code": code, "message": message, "details": details}


FAILURES: Mapping[str, Members] = {
    "400": _status(
        3,
        "ERROR_REQUIRED_PARAMETER: Required parameter. (key = domain_id)",
        field="domain_id",
        description="Required parameter. (key = domain_id)",
    ),
    "401": _status(
        16, "ERROR_AUTHENTICATE_FAILURE: Authenticate failure. (message = the token has expired)"
    ),
    "403": _status(7, "ERROR_PERMISSION_DENIED: Permission denied."),
    "404": _status(5, "ERROR_NOT_FOUND: Not found. (job_id = job-7d1f0c2b9a34)"),
    "429": _status(8, "ERROR_RESOURCE_EXHAUSTED: The server is busy. Try again later."),
    "default": _status(14, "ERROR_UNAVAILABLE: The database cannot be reached."),
}
"""A failure by HTTP status."""
