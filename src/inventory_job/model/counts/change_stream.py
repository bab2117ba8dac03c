"""The changes of the job collection, reported in order, and how current the reports are.

Change streams report what a majority of the set has, so nothing reported is ever rolled back; and
they say nothing while there is nothing to report. How current they are is therefore known from the
primary, which before each look at the stream says what it has written, and how much of that
majority reads show. A look that comes back empty has shown all of the latter.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import structlog
from bson import Timestamp, decode_all
from bson.errors import BSONError
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from inventory_job.model.client import Database
from inventory_job.model.counts.counters import Change, Counters
from inventory_job.query.countable import STEADY_FIELDS
from inventory_job.results import StoredDocument
from inventory_job.tasks import end

_LOOK_MILLISECONDS = 200
_MOST_IN_A_LOOK = 500
_REST_SECONDS = 0.05
_STEP_SECONDS = 3.0
_CLOSE_SECONDS = 0.5
_PAUSE_SECONDS = 0.5
_REFUSED_PAUSE_SECONDS = 30.0
# Unauthorized, CommandNotFound, InvalidOptions, CommandNotSupported, CommandNotSupportedOnView,
# an unknown stage, and change streams where there is no replica set.
_REFUSALS = frozenset({13, 59, 72, 115, 166, 40324, 40573})
_NEVER = float("-inf")


class _Lost(Exception):
    """The stream has to be opened anew."""


class _Refused(_Lost):
    """There will be no stream before the database is changed."""


@dataclass(frozen=True, slots=True)
class _Heartbeat:
    """What a primary says of itself: in which term of office, what it has written, and how much
    of that majority reads show; `seconds` on the monotonic clock, before it was sent."""

    seconds: float
    term: Any
    written: Timestamp
    shown: Timestamp


class ChangeStream:
    """Follows the job collection of `database` in a task, and reports to `counters`, once started.

    It goes on until it is closed: a lost stream is opened anew after a short pause; where there are
    none (a standalone server, missing privileges) it tries again every 30 seconds.
    """

    def __init__(self, database: Database, counters: Counters) -> None:
        self._database = database
        self._counters = counters
        self._current_at = _NEVER
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)
        self._silent: str | None = None

    @property
    def age(self) -> float:
        """Seconds since the reports were known to be complete; infinite while there are none."""
        return time.monotonic() - self._current_at

    def start(self) -> None:
        """Begins to follow, in the running event loop, if it has not yet."""
        if self._task is None:
            # Not within the trace of the call that happens to come first.
            self._task = asyncio.create_task(self._run(), name="change stream", context=Context())

    async def close(self) -> None:
        """Ends it, within a second also where the database does not answer."""
        if self._task is not None:
            await end([self._task])

    async def _run(self) -> None:
        while True:
            pause = _PAUSE_SECONDS
            try:
                await self._follow()
            except (PyMongoError, BSONError, TimeoutError, _Lost) as error:
                self._note_loss(error)
                if isinstance(error, _Refused):
                    pause = _REFUSED_PAUSE_SECONDS
            finally:
                self._current_at = _NEVER
                self._counters.clear()
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        """Reports changes until there is no stream any more, which it raises."""
        async with asyncio.timeout(_STEP_SECONDS):
            first = await self._heartbeat()
            cursor = await self._open(first.shown)
        try:
            self._counters.promise(first.shown)
            heartbeats: deque[_Heartbeat] = deque(maxlen=32)
            while True:
                async with asyncio.timeout(_STEP_SECONDS):
                    heartbeats.append(await self._heartbeat())
                    if heartbeats[-1].term != first.term:
                        raise _Lost("another primary was elected")
                    changes = await self._look(cursor)
                self._counters.apply(changes)
                self._confirm(heartbeats, changes[-1].at if changes else None)
                if changes:
                    # Under steady writing many small looks would cost more than few large ones.
                    await asyncio.sleep(_REST_SECONDS)
        finally:
            # A cursor that cannot be ended now ends by itself, after ten minutes without a look.
            with suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await cursor.close()

    async def _open(self, at: Timestamp) -> Any:
        """A change stream of the job collection after `at`, as batches of events. Raises _Refused
        where the database has no such stream.

        The driver's own change streams do not say where a batch ends; they also go on with another
        primary, whose majority reads may show less than the heartbeat said.
        """
        jobs = self._database.jobs.with_options(read_concern=ReadConcern("majority"))
        try:
            # Declared as a find's cursor, it is a command's.
            return await jobs.aggregate_raw_batches(
                _pipeline(at), batchSize=_MOST_IN_A_LOOK, maxAwaitTimeMS=_LOOK_MILLISECONDS
            )
        except OperationFailure as error:
            if error.code not in _REFUSALS:
                raise
            raise _Refused(f"the database refuses a change stream, error {error.code}") from error

    async def _look(self, cursor: Any) -> list[Change]:
        """The next changes; none where there are none within the time of a look."""
        if not cursor.alive:
            raise _Lost("the collection was dropped or renamed")
        batch = await cursor.try_next()
        events = decode_all(batch or b"", self._database.codec_options)
        changes = []
        for event in events:
            is_insert = event["operationType"] == "insert"
            job = event.get("fullDocument", {}) if is_insert else None
            changes.append(Change(event["clusterTime"], job))
        return changes

    def _confirm(self, heartbeats: deque[_Heartbeat], last: Timestamp | None) -> None:
        """Notes up to when all changes are reported: those before the last one, or without any,
        those that majority reads showed before the look."""
        complete = None
        shown = heartbeats[-1].shown
        while heartbeats and (
            heartbeats[0].written <= shown if last is None else heartbeats[0].written < last
        ):
            complete = heartbeats.popleft()
        if complete is None:
            return
        self._counters.promise(complete.written)
        self._current_at = complete.seconds
        if self._silent is not None:
            self._silent = None
            self._log.info("totals are kept again")

    async def _heartbeat(self) -> _Heartbeat:
        seconds = time.monotonic()
        hello = await self._database.client.admin.command("hello")
        if "setName" not in hello:
            raise _Refused("the database is not a replica set")
        if not hello.get("isWritablePrimary"):
            raise _Lost("the server is not the primary")
        try:
            last = hello["lastWrite"]
            written, shown = last["opTime"]["ts"], last["majorityOpTime"]["ts"]
            return _Heartbeat(seconds, hello["electionId"], written, shown)
        except (KeyError, TypeError) as error:
            raise _Lost("the primary does not say what it has written") from error

    def _note_loss(self, error: Exception) -> None:
        """Logs why there is no stream: once for each reason, however often it is tried."""
        reason = str(error) if isinstance(error, _Lost) else type(error).__name__
        if isinstance(error, OperationFailure):
            reason = f"database error {error.code}"
        if reason != self._silent:
            self._silent = reason
            self._log.warning("totals are counted each time", reason=reason)


def _pipeline(at: Timestamp) -> list[StoredDocument]:
    """A change stream from `at` on, of what matters: updates that touch no steady field, which
    nearly all are, stay in the database."""
    # A field itself or something in it.
    steady = re.compile(rf"^({'|'.join(sorted(STEADY_FIELDS))})(\.|$)")
    return [
        {"$changeStream": {"startAtOperationTime": at}},
        {"$set": {"updated": {"$objectToArray": "$updateDescription.updatedFields"}}},
        {
            "$match": {
                "$or": [
                    {"operationType": {"$ne": "update"}},
                    {"updated.k": steady},
                    {"updateDescription.removedFields": steady},
                    {"updateDescription.truncatedArrays.field": steady},
                ]
            }
        },
        {
            "$project": {
                "operationType": 1,
                "clusterTime": 1,
                **{f"fullDocument.{field}": 1 for field in sorted(STEADY_FIELDS)},
            }
        },
    ]
