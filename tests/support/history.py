"""Writers that know what their jobs were at any time, and so what totals may be."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymongo import ReadPreference, WriteConcern
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from inventory_job.auth.scope import Scope
from inventory_job.embedded.data_directory import wait_until
from inventory_job.query.countable import countable
from inventory_job.query.filters import ScopedFilter
from inventory_job.results import StoredDocument
from tests.support.counting import Counting
from tests.support.store import Store

PROMISED_SECONDS = 1.0
WORKSPACES = ("workspace-1", "workspace-2", "*")
PLUGINS = ("aws", "azure", None)


@dataclass
class State:
    """What one writer's jobs were from some moment within `began` and `ended` on."""

    began: float
    ended: float
    totals: list[int]
    deleted_here: str | None = None
    """The domain that the first worker deleted a job of."""


@dataclass(frozen=True)
class Answer:
    """What a list said of the filter `number` of a writer, and when."""

    began: float
    ended: float
    worker: int
    number: int
    total: int


@dataclass
class Writer:
    """Writes to two domains of its own, and knows at any time what is there."""

    name: str
    store: Store
    worker: Counting
    seed: int
    jobs: dict[str, StoredDocument] = field(default_factory=dict)
    history: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._made = 0
        one, other = self.domains = (f"{self.name}-1", f"{self.name}-2")
        self.filters = [
            ScopedFilter(Scope(one)),
            ScopedFilter(Scope(other)),
            ScopedFilter(Scope(one, ("workspace-1", "*"))),
            ScopedFilter(Scope(one), ({"plugin_id": "aws"},)),
            ScopedFilter(Scope(one, ("workspace-2",)), ({"plugin_id": {"$ne": "aws"}},)),
            ScopedFilter(Scope(other), ({"plugin_id": {"$in": ["azure", None]}},)),
        ]
        self._note(0.0, 0.0)

    def write(self, stopping: threading.Event) -> None:
        """Writes in bursts, with times in between in which nothing changes."""
        while not stopping.is_set():
            for _ in range(self._random.randrange(1, 80)):
                self._change()
            stopping.wait(self._random.choice([0.0, 0.2, 2.0]))

    def _change(self) -> None:
        kind = self._random.choices(
            ["insert", "progress", "modify", "delete", "delete here"], [12, 6, 1, 1, 1]
        )[0]
        if kind == "insert":
            self._made += 1
            before, job_id = None, f"{self.name}-{self._made}"
            after: StoredDocument | None = {"_id": job_id, "status": 0} | self._steady()
        else:
            if not self.jobs:
                return
            job_id = self._random.choice([*self.jobs])
            before = self.jobs[job_id]
            after = None
            if kind == "progress":
                after = before | {"status": before["status"] + 1}
            elif kind == "modify":
                after = before | self._steady()
        deleted_here = before if kind == "delete here" else None
        began = time.monotonic()
        try:
            if deleted_here:
                self.worker.delete_one({"_id": job_id})
            else:
                self._write(job_id, before, after)
        except PyMongoError:
            after, deleted_here = self._found(job_id, before, after), None
        self.jobs.pop(job_id, None)
        if after is not None:
            self.jobs[job_id] = after
        self._note(began, time.monotonic(), deleted_here["domain_id"] if deleted_here else None)

    def _steady(self) -> StoredDocument:
        return {
            "domain_id": self._random.choice(self.domains),
            "workspace_id": self._random.choice(WORKSPACES),
            "plugin_id": self._random.choice(PLUGINS),
        }

    def _write(
        self, job_id: str, before: StoredDocument | None, after: StoredDocument | None
    ) -> None:
        """Writes as another service does."""
        collection = self.store.jobs.with_options(write_concern=WriteConcern("majority"))
        if after is None:
            collection.delete_one({"_id": job_id})
        elif before is None:
            collection.insert_one(after)
        else:
            collection.update_one({"_id": job_id}, {"$set": after})

    def _found(
        self, job_id: str, before: StoredDocument | None, after: StoredDocument | None
    ) -> StoredDocument | None:
        """What became of a job whose change failed, as it seemed."""
        collection = self.store.jobs.with_options(
            read_concern=ReadConcern("linearizable"), read_preference=ReadPreference.PRIMARY
        )
        found: list[StoredDocument | None] = []
        assert wait_until(
            lambda: works(lambda: found.append(collection.find_one({"_id": job_id}))), 30.0
        )
        assert found[-1] in (before, after)
        return found[-1]

    def _note(self, began: float, ended: float, deleted_here: str | None = None) -> None:
        totals = []
        for jobs in self.filters:
            counted = countable(jobs)
            assert counted is not None
            totals.append(sum(bool(counted.includes(job)) for job in self.jobs.values()))
        self.history.append(State(began, ended, totals, deleted_here))

    def truths(self, answer: Answer) -> list[int]:
        """What the answer may say: what was true at some time in the second before it, though
        never from before a delete in its domain through the very worker that answers."""
        since = answer.began - PROMISED_SECONDS
        oldest = len(self.history) - 1
        domain_id = self.filters[answer.number].scope.domain_id if answer.worker == 0 else None
        while oldest and (state := self.history[oldest]).ended > since:
            if domain_id and state.deleted_here == domain_id and state.ended < answer.began:
                break
            oldest -= 1
        return [
            state.totals[answer.number]
            for state in self.history[oldest:]
            if state.began <= answer.ended
        ]


def works(operation: Callable[..., Any], *arguments: Any) -> bool:
    try:
        operation(*arguments)
    except PyMongoError:
        return False
    return True
