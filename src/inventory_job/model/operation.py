"""The bounds of one call, kept on the database's side too.

Each call has its own session. A call that ends early, because the caller has gone or its deadline
has passed, has the session killed, which ends what it runs in the database. One whose transaction
failed leaves the session to model.leftovers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeVar

import pymongo
import structlog
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from inventory_job.errors import RequestTimeout, Unavailable
from inventory_job.model.client import Database
from inventory_job.model.driver_errors import is_about_access, translate
from inventory_job.model.leftovers import Leftovers

Result = TypeVar("Result")

_KILL_SECONDS = 5.0
_KILL_AGAIN_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_END_SECONDS = 1.0
_MOST_ATTEMPTS = 2
_MOST_TRANSACTIONS = 5


class Bounds(Protocol):
    """What limits a call: how long it may go on, and whether it still matters."""

    def remaining(self) -> float:
        """Seconds left; zero or less when there are none."""

    def on_end(self, end: Callable[[], None]) -> bool:
        """Has `end` called, from any thread, once the call is over. False: it already is."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is particular about a call's work."""

    limits_itself: bool = False
    """It gives the database its time limits; else the driver does, at some cost."""
    transacts: bool = False
    """It may leave a transaction open when it fails."""


ORDINARY = Traits()


class Killer:
    """Ends the database work of calls nobody waits for; in a thread of its own, since those who
    notice must not wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="kill")
        self._leftovers = Leftovers(database)
        self._log = structlog.get_logger(__name__)

    def kill(self, session: ClientSession, done: threading.Event) -> Future[None]:
        """Starts to end all that runs in `session`, until `done`."""
        return self._threads.submit(self._kill, session, done)

    def abandon(self, session: ClientSession) -> Future[None]:
        """Takes over a session that nobody uses any more, and starts to end the transaction that
        may be open in it."""
        return self._leftovers.end(session)

    def close(self) -> None:
        """Waits for what was started, for some seconds at most."""
        self._threads.shutdown()
        self._leftovers.close()

    def _kill(self, session: ClientSession, done: threading.Event) -> None:
        try:
            for seconds in _KILL_AGAIN_SECONDS:
                if done.is_set() or not self._database.has_server():
                    return
                with pymongo.timeout(_KILL_SECONDS):
                    self._database.kill_sessions([session])
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
    traits: Traits = ORDINARY,
) -> Result:
    """Does `work`, a call's operations, in a session of its own and within the call's bounds.

    Work that a passing failure of the database ended is done again, from the start. Raises
    RequestTimeout when there is no time left or nobody waits any more, and pymongo errors.
    """
    attempt = 1
    while True:
        database.await_server(time_left(bounds))
        running = _Running(database, killer, transacts=traits.transacts)
        try:
            with running as session:
                if not bounds.on_end(running.end):
                    raise RequestTimeout
                if traits.limits_itself:
                    return work(session)
                with pymongo.timeout(time_left(bounds)):
                    return work(session)
        except PyMongoError as error:
            if is_about_access(error):
                database.renew_connections()
            if not _worth_repeating(error, attempt):
                raise
        running.await_end(time_left(bounds))
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
    """A session, in use as long as the context manager is entered. Once left it is not killed for
    the call's end: the driver gives it to other calls."""

    __slots__ = (
        "_abandoned",
        "_done",
        "_is_left",
        "_killed",
        "_killer",
        "_lock",
        "_session",
        "_transacts",
    )

    def __init__(self, database: Database, killer: Killer, *, transacts: bool) -> None:
        self._session = database.start_session()
        self._killer = killer
        self._transacts = transacts
        self._lock = threading.Lock()
        self._is_left = False
        self._done: threading.Event | None = None
        self._killed: Future[None] | None = None
        self._abandoned: Future[None] | None = None

    def __enter__(self) -> ClientSession:
        return self._session

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._is_left = True
        if self._done is not None and self._killed is not None:
            self._done.set()
            self._killed.result()
        if self._transacts and isinstance(error, PyMongoError):
            self._abandoned = self._killer.abandon(self._session)
        else:
            self._session.end_session()

    def await_end(self, most_seconds: float) -> None:
        """Waits a while until nothing of what failed is in the way of who does it again."""
        if self._abandoned is not None:
            wait([self._abandoned], min(most_seconds, _END_SECONDS))

    def end(self) -> None:
        """Has what runs in the session ended, from any thread."""
        with self._lock:
            if not self._is_left and self._done is None:
                self._done = threading.Event()
                self._killed = self._killer.kill(self._session, self._done)
