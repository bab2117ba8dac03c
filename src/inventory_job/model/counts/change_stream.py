"""Reports the changes of the job collection in order, and how current the reports are.

A change stream returns only majority-committed changes, which are never rolled back. It returns no
events while there are none, so it does not tell how current it is. Before each getMore, a `hello`
therefore asks the primary for the times of its last write and its last majority-committed write. A
getMore without events means that all changes up to the latter time have been reported.
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
from inventory_job.query.fields import STEADY_FIELDS
from inventory_job.results import StoredDocument
from inventory_job.tasks import end

_MAX_AWAIT_MILLISECONDS = 200
_BATCH_SIZE = 500
_REST_SECONDS = 0.05
_STEP_SECONDS = 3.0
_CLOSE_SECONDS = 0.5
_REOPEN_SECONDS = 0.5
_REOPEN_REFUSED_SECONDS = 30.0
# Unauthorized, CommandNotFound, InvalidOptions, CommandNotSupported, CommandNotSupportedOnView,
# an unknown stage, and a change stream on a server that is not in a replica set.
_REFUSALS = frozenset({13, 59, 72, 115, 166, 40324, 40573})
_NEVER = float("-inf")


class _Lost(Exception):
    """The stream has to be reopened."""


class _Refused(_Lost):
    """No stream can be opened until an operator changes the database."""


@dataclass(frozen=True, slots=True)
class _Hello:
    """What a primary answers to `hello`: the id of its election and the times of its last write and
    last majority-committed write. `sent_at` is on the monotonic clock, before `hello` was sent."""

    sent_at: float
    election: Any
    written: Timestamp
    committed: Timestamp


class ChangeStream:
    """Once started, a task that reports the changes of the jobs in `database` to `counters`.

    The task runs until it is closed. It reopens a lost stream after half a second; where the
    database refuses one (a standalone server, missing privileges) it retries every 30 seconds.
    """

    def __init__(self, database: Database, counters: Counters) -> None:
        self._database = database
        self._counters = counters
        self._current_at = _NEVER
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)
        self._logged_reason: str | None = None

    @property
    def age(self) -> float:
        """Seconds since the moment up to which all changes are reported; infinite without one."""
        return time.monotonic() - self._current_at

    def start(self) -> None:
        """Starts the task in the running event loop, unless it has been started."""
        if self._task is None:
            # In an empty context, or its commands would be in the trace of the first call.
            self._task = asyncio.create_task(self._run(), name="change stream", context=Context())

    async def close(self) -> None:
        """Ends the task, within a second even if the database does not answer."""
        if self._task is not None:
            await end([self._task])

    async def _run(self) -> None:
        while True:
            pause = _REOPEN_SECONDS
            try:
                await self._follow()
            except (PyMongoError, BSONError, TimeoutError, _Lost) as error:
                self._note_loss(error)
                if isinstance(error, _Refused):
                    pause = _REOPEN_REFUSED_SECONDS
            finally:
                self._current_at = _NEVER
                self._counters.clear()
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        """Opens a stream and reports its changes until it fails; raises the failure."""
        async with asyncio.timeout(_STEP_SECONDS):
            first = await self._hello()
            cursor = await self._open(first.committed)
        try:
            self._counters.promise(first.committed)
            hellos: deque[_Hello] = deque(maxlen=32)
            while True:
                async with asyncio.timeout(_STEP_SECONDS):
                    hellos.append(await self._hello())
                    if hellos[-1].election != first.election:
                        raise _Lost("another primary was elected")
                    changes = await self._next_changes(cursor)
                self._counters.apply(changes)
                self._confirm(hellos, changes[-1].at if changes else None)
                if changes:
                    # Under constant writes, a few large batches cost less than many small ones.
                    await asyncio.sleep(_REST_SECONDS)
        finally:
            # A cursor that cannot be closed now times out after ten minutes without a getMore.
            with suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await cursor.close()

    async def _open(self, at: Timestamp) -> Any:
        """A cursor over the change stream of the job collection from `at` on, in raw batches.
        Raises _Refused if the database refuses to open one.

        The driver's own change streams hide where a batch ends. They also resume on a new primary,
        whose last majority-committed write may be older than the one in the last `hello`.
        """
        jobs = self._database.jobs.with_options(read_concern=ReadConcern("majority"))
        try:
            # Annotated as the cursor of a find, it is an AsyncRawBatchCommandCursor.
            return await jobs.aggregate_raw_batches(
                _pipeline(at), batchSize=_BATCH_SIZE, maxAwaitTimeMS=_MAX_AWAIT_MILLISECONDS
            )
        except OperationFailure as error:
            if error.code not in _REFUSALS:
                raise
            raise _Refused(f"the database refuses a change stream, error {error.code}") from error

    async def _next_changes(self, cursor: Any) -> list[Change]:
        """The next batch of changes; empty if there are none within maxAwaitTimeMS."""
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

    def _confirm(self, hellos: deque[_Hello], last: Timestamp | None) -> None:
        """Records up to when all changes are reported: before the `last` change or, if the batch is
        empty, up to the last majority-committed write before its getMore."""
        complete = None
        committed = hellos[-1].committed
        while hellos and (
            hellos[0].written <= committed if last is None else hellos[0].written < last
        ):
            complete = hellos.popleft()
        if complete is None:
            return
        self._counters.promise(complete.written)
        self._current_at = complete.sent_at
        if self._logged_reason is not None:
            self._logged_reason = None
            self._log.info("totals are kept again")

    async def _hello(self) -> _Hello:
        sent_at = time.monotonic()
        hello = await self._database.client.admin.command("hello")
        if "setName" not in hello:
            raise _Refused("the database is not a replica set")
        if not hello.get("isWritablePrimary"):
            raise _Lost("the server is not the primary")
        try:
            last = hello["lastWrite"]
            written, committed = last["opTime"]["ts"], last["majorityOpTime"]["ts"]
            return _Hello(sent_at, hello["electionId"], written, committed)
        except (KeyError, TypeError) as error:
            raise _Lost("the primary does not say what it has written") from error

    def _note_loss(self, error: Exception) -> None:
        """Logs why there is no stream, unless the previous failure had the same reason."""
        reason = str(error) if isinstance(error, _Lost) else type(error).__name__
        if isinstance(error, OperationFailure):
            reason = f"database error {error.code}"
        if reason != self._logged_reason:
            self._logged_reason = reason
            self._log.warning("totals are counted each time", reason=reason)


def _pipeline(at: Timestamp) -> list[StoredDocument]:
    """The pipeline of a change stream from `at` on. It filters out, in the database, the updates
    that touch no steady field: nearly all of them."""
    # Matches the path of a steady field, or a path inside the field.
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
