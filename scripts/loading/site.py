"""A server to measure, on demo data in an embedded database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.callers import Request, request
from harness.databases import demo_database, job_ids_of
from harness.servers import ServerProcess

from inventory_job.embedded.demo_data import LARGEST_TENANT

_PAGE = {"page": {"start": 1, "limit": 20}}
_FAILURES = [{"k": "status", "v": "FAILURE", "o": "eq"}]
_GROUP = {
    "keys": [{"k": "plugin_id", "n": "plugin_id"}],
    "fields": [{"o": "count", "n": "jobs"}],
}
_ANALYSIS = {"group_by": ["status"], "fields": {"jobs": {"operator": "count"}}}
_MIX: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (4, "list", _PAGE),
    (3, "list", {**_PAGE, "filter": _FAILURES}),
    (1, "stat", {"aggregate": [{"group": _GROUP}]}),
    (1, "analyze", _ANALYSIS),
)
_GETS = 6


@dataclass(frozen=True, slots=True)
class Site:
    """A running server, its database, and what to ask it."""

    server: ServerProcess
    uri: str
    requests: list[Request]


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """A server whose log goes to `directory`."""
    with demo_database() as uri:
        requests = _mixed_requests(job_ids_of(uri, LARGEST_TENANT, _GETS))
        with ServerProcess(directory / "server.log", {"MONGO_URI": uri}) as server:
            yield Site(server, uri, requests)


def _mixed_requests(job_ids: list[str]) -> list[Request]:
    """What users of a console ask, each as often as it comes up."""
    queries = [
        request(method, {"query": query}) for weight, method, query in _MIX for _ in range(weight)
    ]
    return [*queries, *(request("get", {"job_id": job_id}) for job_id in job_ids)]
