"""The bounds of one call, kept on the database's side too.

Each call has its own session. A call that ends early, because the caller has gone or its deadline
has passed, has the session killed, which ends what it runs in the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, Self, TypeVar

import pymongo
import structlog
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from inventory_job.errors import RequestTimeout, Unavailable
from inventory_job.model.connection import Database
from inventory_job.model.faults import is_about_access, translate

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
    database: Database,
    killer: Killer,
    bounds: Bounds,
    work: Callable[[ClientSession], Result],
    *,
    limits_itself: bool = False,
) -> Result:
    """Does `work`, a call's operations, in a session of its own and within the call's bounds.

    Work that a passing failure of the database ended is done again, from the start. Work that
    `limits_itself` gives the database its time limits; else the driver does, at some cost. Raises
    RequestTimeout when there is no time left or nobody waits any more, and pymongo errors.
    """
    attempt = 1
    while True:
        database.await_server(time_left(bounds))
        try:
            with database.start_session() as session, _Running(session, killer) as running:
                if not bounds.on_end(running.end):
                    raise RequestTimeout
                if limits_itself:
                    return work(session)
                with pymongo.timeout(time_left(bounds)):
                    return work(session)
        except PyMongoError as error:
            if is_about_access(error):
                database.renew_connections()
            if not _worth_repeating(error, attempt):
                raise
        attempt += 1


def _worth_repeating(error: PyMongoError, attempt: int) -> bool:
    if error.has_error_label("TransientTransactionError"):
        return attempt < _MOST_TRANSACTIONS
    return attempt < _MOST_ATTEMPTS and isinstance(translate(error), Unavailable)


def time_left(bounds: Bounds) -> float:
    """Seconds that a call has left; raises RequestTimeout when there are none."""
    seconds = bounds.remaining()
    if seconds <= 0:
        raise RequestTimeout
    return seconds


class _Running:
    """One session in use, as a context manager. Once left it is not killed: the driver gives it to
    other calls."""

    __slots__ = ("_done", "_is_left", "_killed", "_killer", "_lock", "_session")

    def __init__(self, session: ClientSession, killer: Killer) -> None:
        self._session = session
        self._killer = killer
        self._lock = threading.Lock()
        self._is_left = False
        self._done: threading.Event | None = None
        self._killed: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_left = True
        if self._done is not None and self._killed is not None:
            self._done.set()
            self._killed.result()

    def end(self) -> None:
        """Has what runs in the session ended, from any thread."""
        with self._lock:
            if not self._is_left and self._done is None:
                self._done = threading.Event()
                self._killed = self._killer.kill(self._session, self._done)
