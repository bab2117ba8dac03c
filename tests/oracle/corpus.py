"""Documents to ask questions about: the specification's six jobs, and many varied ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bson import ObjectId

DOMAINS: Final = ("domain-a", "domain-b")
WORKSPACES: Final = ("workspace-1", "workspace-2", "workspace-3")

_FIRST_DAY: Final = datetime.fromisoformat("2026-03-01")
_DAY: Final = timedelta(days=1)

_IDS_FROM, _IDS_TO = 0x60000000, 0x69000000  # seconds since 1970: 2021 to 2025

_STATUSES: Final = (
    *("SUCCESS",) * 6, *("FAILURE",) * 3, *("IN_PROGRESS",) * 3, "CANCELED", "CANCELED",
    "ERROR", "TIMEOUT", "ERROR", "UNKNOWN", "success", "", None,
)  # fmt: skip
_COLLECTORS: Final = (
    "collector-a", "collector-b", "Collector-A", "collector-(c)", "collector-[d", "sammler-ä",
    "SAMMLER-Ä", None,
)  # fmt: skip
_PLUGINS: Final = (
    "plugin-x", "plugin-y", "PLUGIN-X", "plugin.x", "plugin+x*", "^plugin-z$", "a|b", "\\d", "p\\",
    "プラグイン", " plugin x ", "", "$plugin", None,
)  # fmt: skip
_SECRETS: Final = ("secret-1", "secret-2", "Secret-2", None)
_GROUPS: Final = ("DOMAIN", "WORKSPACE", "PROJECT", None)
_COUNTS: Final = (0, 0, 1, 2, 3, 5, 8, 13, 100, 2_147_483_647, 2_147_483_648, 2.5, 7.0, None)
_TAGS: Final[tuple[dict[str, Any], ...]] = (
    {"key": "env", "value": "prod"},
    {"key": "env", "value": "Dev"},
    {"key": "team", "value": "a.b*"},
    {"key": "cost", "value": 12},
    {"key": "owner"},
)


def six_jobs(domain: str) -> list[dict[str, Any]]:
    """The six jobs of the specification's examples, in one domain and workspace-1.

    Job n has job_id `job-00000000000n`, total_tasks n, success_tasks n - 1, created_at 2026-03-0n
    at n o'clock UTC and finished_at an hour later. Job 2 is FAILURE, job 3 is IN_PROGRESS with
    finished_at null, the others are SUCCESS. Odd ones have collector-a, even ones collector-b,
    job 6 null; job 6 has plugin-y, the others plugin-x.
    """
    return [_nth_job(n, domain) for n in range(1, 7)]


def _nth_job(n: int, domain: str) -> dict[str, Any]:
    created = _FIRST_DAY + (n - 1) * _DAY + timedelta(hours=n)
    return {
        "_id": ObjectId(f"{n:024x}"),
        "job_id": f"job-{n:012x}",
        "status": {2: "FAILURE", 3: "IN_PROGRESS"}.get(n, "SUCCESS"),
        "total_tasks": n,
        "remained_tasks": 1 if n == 3 else 0,
        "success_tasks": n - 1,
        "failure_tasks": 1 if n == 2 else 0,
        "collector_id": None if n == 6 else "collector-a" if n % 2 else "collector-b",
        "plugin_id": "plugin-y" if n == 6 else "plugin-x",
        "request_secret_id": None,
        "request_workspace_id": None,
        "resource_group": "WORKSPACE",
        "workspace_id": "workspace-1",
        "domain_id": domain,
        "created_at": created,
        "updated_at": created + timedelta(hours=1),
        "finished_at": None if n == 3 else created + timedelta(hours=1),
    }


def with_job(
    jobs: Sequence[dict[str, Any]], number: int, *, without: str = "", **fields: Any
) -> list[dict[str, Any]]:
    """The jobs, the one of that number (from 1) with other fields and without the one named."""
    changed = jobs[number - 1] | fields
    changed.pop(without, None)
    return [changed if n == number else job for n, job in enumerate(jobs, start=1)]


def many_jobs(rng_seed: int, count: int) -> list[dict[str, Any]]:
    """Varied jobs of `DOMAINS` and `WORKSPACES`, `*` and no workspace; the same for the same seed.

    Fields are null or absent now and then, created_at values repeat, statuses and texts hold what
    older data hold, counters may be fractional or beyond int32, and some documents have fields
    that jobs no longer have. created_at and finished_at are always dates, null or absent;
    updated_at may be a text.
    """
    rng = random.Random(rng_seed)
    moments = [
        _FIRST_DAY + timedelta(days=rng.randrange(40), milliseconds=rng.randrange(86_400_000))
        for _ in range(max(1, count // 4))
    ]
    return [_some_job(rng, moments) for _ in range(count)]


def legacy_jobs(
    rng_seed: int, count: int, values: Sequence[Any], share: float = 0.1
) -> list[dict[str, Any]]:
    """As `many_jobs`, with one of `values` in the place of about this share of all fields, ids and
    domains aside."""
    rng = random.Random(rng_seed)
    jobs = many_jobs(rng_seed, count)
    fields = sorted({name for job in jobs for name in job} - {"_id", "job_id", "domain_id"})
    return [
        job | {name: rng.choice(values) for name in fields if rng.random() < share} for job in jobs
    ]


def _some_job(rng: random.Random, moments: list[datetime]) -> dict[str, Any]:
    created = rng.choice(moments)
    job: dict[str, Any] = {
        "_id": ObjectId(f"{rng.randrange(_IDS_FROM, _IDS_TO):08x}{rng.getrandbits(64):016x}"),
        "job_id": f"job-{rng.getrandbits(48):012x}",
        "status": rng.choice(_STATUSES),
        "total_tasks": rng.choice(_COUNTS),
        "remained_tasks": rng.choice((*_COUNTS, -1)),
        "success_tasks": rng.choice(_COUNTS),
        "failure_tasks": rng.choice(_COUNTS),
        "collector_id": rng.choice(_COLLECTORS),
        "plugin_id": rng.choice(_PLUGINS),
        "request_secret_id": rng.choice(_SECRETS),
        "request_workspace_id": rng.choice((*WORKSPACES, None, 12)),
        "resource_group": rng.choice(_GROUPS),
        "workspace_id": rng.choice((*WORKSPACES * 2, "*", "*", None)),
        "domain_id": rng.choice(DOMAINS),
        "created_at": created if rng.random() < 0.95 else None,
        "updated_at": created + rng.randrange(5) * _DAY if rng.random() < 0.9 else "2026-03-04",
        "finished_at": created + rng.randrange(3) * _DAY if rng.random() < 0.7 else None,
    }
    kept = ("_id", "job_id", "domain_id")
    job = {name: value for name, value in job.items() if name in kept or rng.random() > 0.08}
    return job | _older_fields(rng) if rng.random() < 0.3 else job


def _older_fields(rng: random.Random) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "project_id": rng.choice(("project-1", "project-2", None)),
        "filter": {"region": rng.choice(("kr", "us", None)), "depth": rng.randrange(3)},
        "collector_info": {
            "collector_id": rng.choice(_COLLECTORS),
            "provider": {"name": rng.choice(("aws", "gcp"))},
            "secrets": rng.sample(("s-1", "s-2", "s-3"), rng.randrange(4)),
        },
        "tags": [dict(tag) for tag in rng.sample(_TAGS, rng.randrange(4))],
        "durations": [rng.choice((1, 2, 2.5, None, "n/a")) for _ in range(rng.randrange(4))],
    }
    return {name: value for name, value in fields.items() if rng.random() < 0.7}
