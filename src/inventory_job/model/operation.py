"""The bounds of one call, kept on the database's side too.

Each call has its own session. A call that ends early, because the caller has gone or its deadline
has passed, has the session killed, which ends what it runs in the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import pymongo
import structlog
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from inventory_job.errors import RequestTimeout, Unavailable
from inventory_job.model.connection import Database
from inventory_job.model.faults import translate

Result = TypeVar("Result")

_KILL_SECONDS = 5.0
_KILL_AGAIN_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_MOST_ATTEMPTS = 2
_MOST_TRANSACTIONS = 5


class Bounds(Protocol):
    """What limits a call: how long it may go on, and whether it still matters."""

    def remaining(self) -> float:
        """Seconds left; zero or less when there are none."""

    def on_end(self, end: Callable[[], None]) -> bool:
        """Has `end` called, from any thread, once the call is over. False: it already is."""


class Killer:
    """Ends the database work of calls nobody waits for; in a thread of its own, since those who
    notice must not wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="kill")
        self._log = structlog.get_logger(__name__)

    def kill(self, session: ClientSession, done: threading.Event) -> Future[None]:
        """Starts to end all that runs in `session`, until `done`."""
        return self._threads.submit(self._kill, session, done)

    def close(self) -> None:
        """Waits for what was started."""
        self._threads.shutdown()

    def _kill(self, session: ClientSession, done: threading.Event) -> None:
        try:
            for seconds in _KILL_AGAIN_SECONDS:
                if done.is_set() or not self._database.has_server():
                    return
                with pymongo.timeout(_KILL_SECONDS):
                    self._database.kill_session(session)
                # An operation on its way to the database was not there yet to be killed.
                done.wait(seconds)
        except PyMongoError as error:
            # The operation still has its own time limit; not every user may kill sessions.
            self._log.warning("operation not killed", error=type(error).__name__)


def run(
    database: Database, killer: Killer, bounds: Bounds, work: Callable[[ClientSession], Result]
) -> Result:
    """Does `work`, a call's operations, in a session of its own and within the call's bounds.

    Work that a passing failure of the database ended is done again, from the start. Raises
    RequestTimeout when there is no time left or nobody waits any more, and pymongo errors.
    """
    attempt = 1
    while True:
        database.await_server(_time_left(bounds))
        try:
            with _bounded(database, killer, bounds) as session:
                return work(session)
        except PyMongoError as error:
            if not _worth_repeating(error, attempt):
                raise
        attempt += 1


def _worth_repeating(error: PyMongoError, attempt: int) -> bool:
    if error.has_error_label("TransientTransactionError"):
        return attempt < _MOST_TRANSACTIONS
    return attempt < _MOST_ATTEMPTS and isinstance(translate(error), Unavailable)


def _time_left(bounds: Bounds) -> float:
    seconds = bounds.remaining()
    if seconds <= 0:
        raise RequestTimeout
    return seconds


@contextmanager
def _bounded(database: Database, killer: Killer, bounds: Bounds) -> Iterator[ClientSession]:
    with database.start_session() as session:
        running = _Running(session, killer)
        if not bounds.on_end(running.end):
            raise RequestTimeout
        try:
            with pymongo.timeout(_time_left(bounds)):
                yield session
        finally:
            running.leave()


class _Running:
    """One session in use. Once left it is not killed: the driver gives it to other calls."""

    def __init__(self, session: ClientSession, killer: Killer) -> None:
        self._session = session
        self._killer = killer
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._killed: Future[None] | None = None

    def end(self) -> None:
        with self._lock:
            if not self._left.is_set() and self._killed is None:
                self._killed = self._killer.kill(self._session, self._left)

    def leave(self) -> None:
        with self._lock:
            self._left.set()
        if self._killed is not None:
            self._killed.result()
