"""Finds running jobs that are likely stuck: by the usual duration of their plugin's jobs and by the
time of their last update."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from inventory_job.cli.client.calls import JobClient
from inventory_job.cli.client.durations import RUNNING, duration, percentile, taken, time_of
from inventory_job.cli.client.queries import LARGEST_PAGE, Page, Selection, list_request

SLOW = "slow"
STALE = "stale"
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        SLOW: "running for longer than 99 % of its plugin's newest finished jobs took",
        STALE: "not updated for an hour",
    }
)
"""The flags of jobs that are likely stuck, and what each means."""

_SHARE = 0.99
_SILENCE = timedelta(hours=1)
_KEPT_SECONDS = 300.0

Job = Mapping[str, Any]


class UsualDurations:
    """The usual duration of each plugin's newest finished jobs, cached for `_KEPT_SECONDS`."""

    def __init__(self, client: JobClient) -> None:
        self._client = client
        self._kept: dict[str, tuple[float, timedelta | None]] = {}

    def of(self, plugins: Iterable[str]) -> dict[str, timedelta]:
        """The duration that 99 % of each plugin's jobs do not exceed; omits plugins without
        finished jobs. Raises CallFailed."""
        found = {plugin: self._longest(plugin) for plugin in {*plugins} if plugin}
        return {plugin: longest for plugin, longest in found.items() if longest is not None}

    def _longest(self, plugin: str) -> timedelta | None:
        until, longest = self._kept.get(plugin, (0.0, None))
        if time.monotonic() >= until:
            longest = self._asked(plugin)
            self._kept[plugin] = time.monotonic() + _KEPT_SECONDS, longest
        return longest

    def _asked(self, plugin: str) -> timedelta | None:
        finished = Selection(
            (
                {"key": "plugin_id", "value": plugin, "operator": "eq"},
                {"key": "finished_at", "value": None, "operator": "not"},
            )
        )
        only = ("created_at", "finished_at")
        request = list_request(finished, Page(1, LARGEST_PAGE), (), only)
        jobs = self._client.call("list", request)["results"]
        lengths = [length for job in jobs if (length := taken(job)) is not None]
        return percentile(lengths, _SHARE) if lengths else None


def flags(job: Job, usual: Mapping[str, timedelta], now: datetime) -> list[str]:
    """The reasons why a job is likely stuck at `now` (naive UTC): SLOW, STALE, both or, usually,
    none. `usual` are durations by plugin."""
    if job["status"] != RUNNING:
        return []
    found = []
    length, longest = duration(job, now), usual.get(job["plugin_id"])
    if length is not None and longest is not None and length > longest:
        found.append(SLOW)
    last = time_of(job, "updated_at") or time_of(job, "created_at")
    if last is not None and now - last > _SILENCE:
        found.append(STALE)
    return found
