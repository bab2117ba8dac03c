"""Totals kept as a process of the service keeps them, for tests that are synchronous."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from pymongo import WriteConcern, monitoring

from inventory_job.deadline import Deadline
from inventory_job.manager import JobManager
from inventory_job.model.client import Database
from inventory_job.model.counts.cache import CountCache
from inventory_job.query.filters import Page, ScopedFilter
from inventory_job.query.plans import ListPlan
from tests.support.running import LoopThread


class Commands(monitoring.CommandListener):
    """The names of the commands sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Notes a command."""
        self.sent.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


class Counting:
    """A process of its own, so to say: its own connections, totals of at most `most` filters and
    event loop. A context manager."""

    def __init__(self, uri: str, name: str, most: int = 1000) -> None:
        self.commands = Commands()
        self._loop = LoopThread()
        self._database = Database(uri, name, listeners=[self.commands])
        self.cache = CountCache(self._database, most)

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self._loop.run(self._database.with_server(self._database.ping))
        return self

    def __exit__(self, *_: object) -> None:
        self.close_counts()
        self._loop.run(self._database.close())
        self._loop.__exit__()

    def count(self, jobs: ScopedFilter, deadline: Deadline | None = None) -> int:
        """The total, as a list has it."""
        count = partial(self.cache.count, jobs, deadline or Deadline.after(30.0))
        return self._loop.run(self._database.with_server(count))

    def list_total(self, jobs: ScopedFilter) -> int:
        """The total of a list, as a call gets it."""
        plan = ListPlan(jobs, {}, (), Page(), count_only=True)
        listing = JobManager(self._database, self.cache).list(plan, Deadline.after(30.0))
        _, total = self._loop.run(listing)
        return total

    def knows(self, jobs: ScopedFilter) -> bool:
        """Whether the total needs no counting."""
        before = self.cache.counters.hits
        self.count(jobs)
        return self.cache.counters.hits > before

    def delete_one(self, job: dict[str, Any]) -> None:
        """Deletes a job, as this service does."""

        async def delete() -> None:
            async with self._database.client.start_session() as session:
                async with await session.start_transaction(write_concern=WriteConcern("majority")):
                    await self._database.jobs.delete_one(job, session=session)
                self.cache.counters.clear(session.operation_time)

        self._loop.run(delete())

    def close_counts(self) -> None:
        """Ends keeping totals."""
        self._loop.run(self.cache.close())
