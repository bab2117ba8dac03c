"""What is measured: each workload as the request that a client sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from inventory_job.cli.client.calls import request_message
from inventory_job.embedded.demo_data import LARGEST_TENANT

GROUP = {
    "keys": [{"key": "plugin_id", "name": "plugin_id"}, {"key": "status", "name": "status"}],
    "fields": [{"operator": "count", "name": "jobs"}],
}
DAILY = {
    "keys": [{"key": "created_at", "name": "day", "date_format": "%Y-%m-%d"}],
    "fields": [{"operator": "count", "name": "jobs"}],
}
PAGED = {
    "keys": [{"key": "collector_id", "name": "collector_id"}, {"key": "status", "name": "status"}],
    "fields": [{"operator": "sum", "key": "total_tasks", "name": "tasks"}],
}
ANALYSIS = {"group_by": ["plugin_id", "status"], "fields": {"jobs": {"operator": "count"}}}
KEYWORD = "a1b"
FIRST_ROWS = {"start": 1, "limit": 5}


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of call. `in_workspace`: by a caller of one workspace."""

    name: str
    method: str
    request: dict[str, Any] = field(default_factory=dict)
    in_workspace: bool = False
    domain_id: str = LARGEST_TENANT

    def message(self) -> Message:
        """The request."""
        return request_message(self.method, self.request)

    def metadata(self, workspace_id: str) -> list[tuple[str, str]]:
        """The metadata of the caller."""
        named = [("x_workspace_id", workspace_id)] if self.in_workspace else []
        return [("x_domain_id", self.domain_id), *named]


def workloads(job_id: str, deep: int) -> tuple[Workload, ...]:
    """All workloads, for an existing job, and a deep page that starts at `deep`."""

    def page(limit: int, start: int = 1) -> dict[str, Any]:
        return {"page": {"start": start, "limit": limit}}

    def stat(*stages: dict[str, Any], **query: Any) -> dict[str, Any]:
        return {"query": {"aggregate": [*stages], **query}}

    failures = [{"k": "status", "v": "FAILURE", "o": "eq"}]
    return (
        Workload("get", "get", {"job_id": job_id}),
        Workload("list 10", "list", {"query": page(10)}),
        Workload("list 100", "list", {"query": page(100)}),
        Workload("list 1000", "list", {"query": page(1000)}),
        Workload("filtered", "list", {"query": {"filter": failures, **page(10)}}),
        Workload("keyword", "list", {"query": {"keyword": KEYWORD, **page(10)}}),
        Workload("workspace", "list", {"query": page(10)}, in_workspace=True),
        Workload("deep page", "list", {"query": page(10, deep)}),
        Workload("count_only", "list", {"query": {"count_only": True}}),
        Workload("stat grouped", "stat", stat({"group": GROUP})),
        Workload("stat daily", "stat", stat({"group": DAILY})),
        Workload("stat distinct", "stat", {"query": {"distinct": "plugin_id"}}),
        Workload("stat paged", "stat", stat({"group": PAGED}, page=FIRST_ROWS)),
        Workload("analyze grouped", "analyze", {"query": ANALYSIS}),
        Workload(
            "analyze field_group", "analyze", {"query": {**ANALYSIS, "field_group": ["status"]}}
        ),
    )
