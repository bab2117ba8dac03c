"""Transactions that nobody goes on with, ended for good.

When a transaction fails the driver tells the database of its end once or twice, and not at all when
there is no time left. One that the database does not hear of would stay open for a minute
(transactionLifetimeLimitSeconds), in the way of all who write the same.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

import pymongo
import structlog
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from inventory_job.model.client import Database

_ATTEMPT_SECONDS = 2.0
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_GIVEN_UP_SECONDS = 50.0
"""By then the database is about to end it by itself."""
_MOST = 1000


@dataclass(eq=False, slots=True)
class _Leftover:
    session: ClientSession
    since: float = field(default_factory=time.monotonic)
    ended: Future[None] = field(default_factory=Future)


class Leftovers:
    """Ends sessions and what is open in them, all that there are at a time, in a thread of its own
    that is started when it is first needed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changing = threading.Condition()
        self._left: list[_Leftover] = []
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._log = structlog.get_logger(__name__)

    def end(self, session: ClientSession) -> Future[None]:
        """Takes over a session that nobody uses any more; done when nothing is open in it, or
        nobody can tell. Repeated until the database has heard of it."""
        leftover = _Leftover(session)
        with self._changing:
            self._left.append(leftover)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="leftovers", daemon=True)
                self._thread.start()
            self._changing.notify()
        return leftover.ended

    def close(self) -> None:
        """Tries a last time."""
        with self._changing:
            self._is_closing = True
            self._changing.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        failures = 0
        while True:
            with self._changing:
                self._changing.wait_for(lambda: self._left or self._is_closing)
                left, is_last = [*self._left], self._is_closing
            if left:
                error = self._kill(left)
                failures = 0 if error is None else failures + 1
                self._forget(left, error, is_last=is_last)
            if is_last:
                return
            if failures:
                pause = _PAUSES[min(failures, len(_PAUSES)) - 1]
                with self._changing:
                    self._changing.wait_for(lambda: self._is_closing, pause)

    def _kill(self, left: list[_Leftover]) -> PyMongoError | None:
        try:
            with pymongo.timeout(_ATTEMPT_SECONDS):
                self._database.kill_sessions([each.session for each in left])
        except PyMongoError as error:
            return error
        return None

    def _forget(self, left: list[_Leftover], error: PyMongoError | None, *, is_last: bool) -> None:
        """Lets those go that were killed, or that there is no hope or no room for."""
        gone = left
        if error is not None:
            now = time.monotonic()
            gone = [each for each in left if is_last or now - each.since > _GIVEN_UP_SECONDS]
            gone = gone or left[:-_MOST]
            if gone:
                self._log.warning(
                    "transactions not ended", number=len(gone), error=type(error).__name__
                )
        for each in gone:
            # Only now: the driver gives it to other calls.
            each.session.end_session()
            each.ended.set_result(None)
        with self._changing:
            self._left = [each for each in self._left if each not in gone]
